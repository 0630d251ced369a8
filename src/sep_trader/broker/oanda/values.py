"""Values of the complete OANDA client that the broker port does not ask for: other orders, positions, changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sep_trader.broker.port import BrokerTrade, MarketOrder, PositionFill, TimeInForce
from sep_trader.ledger.transactions import Transaction


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """What an order that waits for a price has: exits attached on fill, and `gtd_time` with GTD only."""

    instrument: str
    units: Decimal
    price: Decimal
    client_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    """Distance of a trailing stop, in price units."""
    time_in_force: TimeInForce = "GTC"
    gtd_time: datetime | None = None
    comment: str = ""
    position_fill: PositionFill = "DEFAULT"


@dataclass(frozen=True, slots=True)
class LimitOrder(WaitingOrder):
    """An order that is filled at `price` or better."""


@dataclass(frozen=True, slots=True)
class StopOrder(WaitingOrder):
    """An order that becomes a market order when `price` or worse is reached, at `price_bound` or better."""

    price_bound: Decimal | None = None


AnyOrder = MarketOrder | LimitOrder | StopOrder


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
    state: Mapping[str, object]
