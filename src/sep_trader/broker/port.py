"""The port to a broker: what the rest of the system may ask, and the typed values it gets back.

Times are aware UTC, money and prices Decimal, units signed (positive buys). The adapter behind it is synchronous.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from sep_trader.errors import BrokerError
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument

TimeInForce = Literal["GTC", "GTD", "GFD", "FOK", "IOC"]
PositionFill = Literal["DEFAULT", "OPEN_ONLY", "REDUCE_FIRST", "REDUCE_ONLY"]


class BrokerNotFound(BrokerError):
    """The broker knows no such trade, order, position or transaction (or not any more)."""


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An account's money now, in its home currency. nav = balance + unrealized_pl."""

    account_id: str
    currency: str
    balance: Decimal
    nav: Decimal
    unrealized_pl: Decimal
    margin_used: Decimal
    margin_available: Decimal
    open_trade_count: int
    hedging_enabled: bool
    last_transaction_id: int


@dataclass(frozen=True, slots=True)
class Price:
    """A quote. `time` is the quote's own time (its last change), never that of a heartbeat."""

    instrument: str
    time: datetime
    bid: Decimal
    ask: Decimal
    tradeable: bool
    gain_factor: Decimal = Decimal(1)
    """Home currency per unit of quote currency for a gain, the broker's markup included; 1 when unknown."""
    loss_factor: Decimal = Decimal(1)

    def is_stale(self, now: datetime, max_age_s: float) -> bool:
        """Tell whether the quote must not be traded on: not tradeable, or older by its own time than `max_age_s`."""
        return not self.tradeable or (now - self.time).total_seconds() > max_age_s


@dataclass(frozen=True, slots=True)
class Pricing:
    """An answer of the pricing endpoint: the broker's clock and the prices it knows (none for an empty book)."""

    time: datetime
    prices: tuple[Price, ...]
    home_conversions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Currency -> (gain factor, loss factor) into the home currency, and the mid factor is their mean."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A stream's sign of life; on the transaction stream with the account's last transaction id."""

    time: datetime
    last_transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class StreamState:
    """A reader thread's connection came or went. `stream` is `prices` or `transactions`; `cause` says why in words."""

    stream: str
    connected: bool
    cause: str = ""


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """A market order, filled at once and whole or not at all (FOK), with exits attached on fill.

    `client_id` is set on the order and on the trade it opens: the broker's transactions carry it, which is how an
    order whose answer was lost is found again.
    """

    instrument: str
    units: Decimal
    client_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    price_bound: Decimal | None = None
    comment: str = ""
    trailing_stop: Decimal | None = None
    """Distance of a trailing stop, in price units."""
    time_in_force: TimeInForce = "FOK"
    position_fill: PositionFill = "DEFAULT"


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """An order that waits for `price` or better, with exits attached on fill. `gtd_time` goes with GTD only."""

    instrument: str
    units: Decimal
    price: Decimal
    client_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    time_in_force: TimeInForce = "GTC"
    gtd_time: datetime | None = None
    comment: str = ""
    position_fill: PositionFill = "DEFAULT"


@dataclass(frozen=True, slots=True)
class StopOrder:
    """An order that becomes a market order when `price` or worse is reached, at `price_bound` or better."""

    instrument: str
    units: Decimal
    price: Decimal
    client_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    price_bound: Decimal | None = None
    time_in_force: TimeInForce = "GTC"
    gtd_time: datetime | None = None
    comment: str = ""
    position_fill: PositionFill = "DEFAULT"


AnyOrder = MarketOrder | LimitOrder | StopOrder


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry of the account's record. `raw` is the broker's own JSON object, unknown fields included."""

    id: int
    type: str
    time: datetime
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Transactions:
    """Consecutive transactions, oldest first, and the account's last id when they were read."""

    items: tuple[Transaction, ...]
    last_id: int

    def complete_since(self, transaction_id: int) -> bool:
        """Tell whether no id is missing: consecutive from `transaction_id` + 1 up to `last_id`."""
        return [t.id for t in self.items] == list(range(transaction_id + 1, self.last_id + 1))


@dataclass(frozen=True, slots=True)
class Filled:
    """The order was executed. `trade_id` is the trade it opened, None when it only reduced or closed."""

    order_id: int
    fill_id: int
    time: datetime
    price: Decimal
    units: Decimal
    trade_id: int | None
    pl: Decimal
    financing: Decimal
    half_spread_cost: Decimal
    balance: Decimal
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resting:
    """The order was accepted and waits for its price."""

    order_id: int
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order was created and cancelled by the broker, for `reason` (MARKET_HALTED, INSUFFICIENT_MARGIN, ...)."""

    order_id: int
    reason: str
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker refused the request; nothing was created but, at most, a reject transaction."""

    reason: str
    message: str
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet: the request may have been sent and no answer told what became of it. Never send it again
    before `resolve` has looked."""

    cause: str


Outcome = Filled | Resting | Cancelled | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class BrokerTrade:
    """An open or closed trade at the broker. `units` are the current, signed units; 0 when closed."""

    trade_id: int
    instrument: str
    units: Decimal
    initial_units: Decimal
    price: Decimal
    open_time: datetime
    state: str
    realized_pl: Decimal
    financing: Decimal
    client_id: str | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    close_time: datetime | None = None
    average_close_price: Decimal | None = None
    unrealized_pl: Decimal | None = None
    trailing_stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the token may use. `mt4` accounts cannot be traded through this interface."""

    account_id: str
    tags: tuple[str, ...] = ()
    mt4: bool = False


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """A pending order at the broker. A stop, target or trailing stop of a trade has `trade_id` and no `units`."""

    order_id: int
    type: str
    state: str
    create_time: datetime
    instrument: str | None
    units: Decimal | None
    price: Decimal | None
    distance: Decimal | None
    trade_id: int | None
    client_id: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """All trades of an instrument together: signed units and average price of each side (None when it is flat)."""

    instrument: str
    long_units: Decimal
    short_units: Decimal
    long_price: Decimal | None
    short_price: Decimal | None
    pl: Decimal
    unrealized_pl: Decimal
    financing: Decimal
    margin_used: Decimal

    @property
    def units(self) -> Decimal:
        """Net signed units."""
        return self.long_units + self.short_units


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What happened to an account after a transaction, and its price-dependent values now.

    Apply the changes first, then `state` (the broker's own object of balances, trades and positions at current prices).
    """

    last_id: int
    trades_opened: tuple[BrokerTrade, ...]
    trades_reduced: tuple[BrokerTrade, ...]
    trades_closed: tuple[BrokerTrade, ...]
    orders_created: tuple[BrokerOrder, ...]
    orders_cancelled: tuple[BrokerOrder, ...]
    orders_filled: tuple[BrokerOrder, ...]
    orders_triggered: tuple[BrokerOrder, ...]
    positions: tuple[Position, ...]
    transactions: tuple[Transaction, ...]
    state: dict[str, Any]


class Broker(Protocol):
    """What the system asks of a broker. Reads raise BrokerError (BrokerUnavailable when worth a retry); orders
    return an Outcome and are sent at most once."""

    account_id: str

    def summary(self) -> AccountSummary: ...

    def instruments(self, names: Sequence[str] | None = None) -> list[Instrument]: ...

    def candles(
        self,
        instrument: str,
        granularity: Granularity,
        *,
        count: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        include_first: bool = True,
    ) -> QuoteCandles:
        """Complete bid/ask candles, oldest first, one page of at most 5,000."""
        ...

    def pricing(self, instruments: Sequence[str]) -> Pricing: ...

    def place(self, order: MarketOrder) -> Outcome: ...

    def close_trade(self, trade_id: int, units: Decimal | None = None) -> Outcome:
        """Close a trade whole (units None) or by `units` (positive)."""
        ...

    def open_trades(self) -> list[BrokerTrade]: ...

    def trade(self, trade_id: int) -> BrokerTrade: ...

    def transactions_since(self, transaction_id: int) -> Transactions:
        """All transactions after an id, however many pages that takes."""
        ...

    def resolve(self, client_id: str, since_id: int) -> Outcome:
        """What became of an order sent after transaction `since_id`: found in the account's transactions, or Unknown
        with cause `NOT_FOUND` when they do not hold it (yet)."""
        ...

    def stream_prices(self, instruments: Sequence[str]) -> Iterator[Price | Heartbeat]:
        """One connection's worth of prices. Ends or raises BrokerUnavailable when the connection does."""
        ...

    def stream_transactions(self) -> Iterator[Transaction | Heartbeat]:
        """One connection's worth of transactions, as `stream_prices`."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
