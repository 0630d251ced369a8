"""The port to a broker: what the trader needs of any broker, and the typed values that it gets back.

Times are aware UTC, money and prices are Decimal, units are signed (positive buys). The adapter behind the port is
synchronous. A method may raise BrokerUnavailable (out of reach, worth a later try), BrokerAuthError (the token or the
account) or BrokerError (an answer that cannot be used); whoever calls it repeats it at will unless the method says
otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

from sep_trader.errors import BrokerError
from sep_trader.ledger.transactions import Transaction
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


class GuaranteedStops(StrEnum):
    """Whether an account knows stops whose price the broker guarantees."""

    DISABLED = "DISABLED"
    ALLOWED = "ALLOWED"
    REQUIRED = "REQUIRED"
    """Every trade needs one: such an account is not traded."""


@dataclass(frozen=True, slots=True)
class Price:
    """A quote. `time` is the quote's own time (its last change), never that of a heartbeat."""

    instrument: str
    time: datetime
    bid: Decimal
    ask: Decimal
    tradeable: bool


@dataclass(frozen=True, slots=True)
class Pricing:
    """An answer of the pricing endpoint: the broker's clock and the prices it knows (none for an empty book)."""

    time: datetime
    prices: tuple[Price, ...]
    home_conversions: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
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
    order whose answer was lost is found again. `tag` and `comment` go there too. A stop is given by its price, or by
    its distance from the fill, and so is a target.
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
    tag: str = ""
    stop_distance: Decimal | None = None
    target_distance: Decimal | None = None


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


@dataclass(frozen=True, slots=True)
class Resting:
    """The order was accepted and waits for its price."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order was created and cancelled by the broker, for `reason` (MARKET_HALTED, INSUFFICIENT_MARGIN, ...)."""

    order_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker refused the request; nothing was created but, at most, a reject transaction (`recorded` then)."""

    reason: str
    message: str
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet: the request may have been sent, and no answer told what became of it.

    Never send it again. The account's record tells what became of it: read `transactions_since` until it does.
    """

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
    """Distance of its trailing stop."""
    trailing_stop_price: Decimal | None = None
    """Where the trailing stop stands now, as far as the broker states it."""
    guaranteed_stop: Decimal | None = None
    tag: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """An account at one transaction id: its money and every open trade with its exits, whoever opened it."""

    summary: AccountSummary
    created_time: datetime | None
    guaranteed_stops: GuaranteedStops
    trades: tuple[BrokerTrade, ...]


FeedEvent = Price | Heartbeat | Transaction | StreamState
"""What a feed delivers."""


class EventSink(Protocol):
    """Where a feed puts its events: a queue. `put` must not block for long, since the feed waits for it."""

    def put(self, item: FeedEvent, /) -> None:
        """Take an event."""


class EventFeed(Protocol):
    """Threads that read the broker's streams and put events on a sink, connecting again for as long as they run.

    Each transaction after the id that the feed was made with comes once, in the order of ids. A price is the newest of
    its instrument; older ones may be left out. A StreamState tells each loss and return of a connection.
    """

    def start(self) -> None:
        """Start the threads. A feed is started once."""

    def stop(self) -> None:
        """End the threads. Nothing is put on the sink afterwards; stopping again is harmless."""


class Broker(Protocol):
    """What the system asks of a broker, for one account. Every instance is safe to share between threads."""

    account_id: str

    def summary(self) -> AccountSummary:
        """Read the account's money and its last transaction id, both of one moment.

        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def untradeable(self) -> str | None:
        """Say why the account cannot be traded through this interface; None when it can.

        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def snapshot(self) -> AccountSnapshot:
        """Read the account's money and its open trades with their exits, all of one moment.

        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def instruments(self, names: Sequence[str] | None = None) -> list[Instrument]:
        """Read the terms of the named instruments, or of every currency pair of the account.

        A name that the broker does not offer is absent from the answer, or raises BrokerError.
        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

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
        """Read complete bid/ask candles with start <= time < end, oldest first, one page of at most 5,000.

        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def pricing(self, instruments: Sequence[str]) -> Pricing:
        """Read the broker's clock, the newest quotes and the conversion rates into the home currency.

        An instrument with an empty book is left out.
        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def place(self, order: MarketOrder) -> Outcome:
        """Send a market order, once at most; the outcome says what became of it.

        Raises nothing for what the broker or the network does. NOT idempotent: the broker accepts the same client id
        again once the first order is filled, so an order with an Unknown outcome must never be placed again.
        """
        ...

    def close_trade(self, trade_id: int, units: Decimal | None = None) -> Outcome:
        """Close a trade whole (`units` None) or by `units` (positive).

        Raises nothing for what the broker or the network does. Closing a whole trade is idempotent: a trade that is
        closed gives Rejected. Closing by `units` is NOT: each request closes so many again.
        """
        ...

    def change_exits(
        self,
        trade: BrokerTrade,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_stop: Decimal | None = None,
    ) -> Outcome:
        """Set a trade's stop, target or trailing distance; None leaves one as it is, 0 removes it.

        Raises nothing for what the broker or the network does. Repeating it is harmless: the exit is replaced.
        """
        ...

    def mark_trade(self, trade_id: int, *, client_id: str, tag: str, comment: str) -> Outcome:
        """Write a name, a tag and a comment on an open trade.

        Raises nothing for what the broker or the network does. Repeating it is harmless.
        """
        ...

    def open_trades(self) -> list[BrokerTrade]:
        """Read every open trade of the account, whoever opened it.

        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def transactions_since(self, transaction_id: int) -> Transactions:
        """Read every transaction after an id, however many pages that takes.

        The record may lag behind the account: `complete_since` tells.
        Raises BrokerUnavailable, BrokerAuthError, BrokerError. A read: repeating it is harmless.
        """
        ...

    def event_feed(self, instruments: Sequence[str], after_id: int, events: EventSink) -> EventFeed:
        """Make a feed of the prices of some instruments (of none when there are none), and of the transactions after an
        id. Nothing is connected before `start`; the feed itself reports what goes wrong.
        """
        ...

    def close(self) -> None:
        """Close the connections. Closing again is harmless."""
        ...
