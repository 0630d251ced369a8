"""One entry of an account's record in the words of this system: what happened, to which order or trade, for how much.

A broker's adapter reads its own format into these values (OANDA's: broker/oanda/record.py). Nothing else in the system
reads that format: the copy in `raw` is kept as evidence and only stored. Money is in the account's currency. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class FillCause(StrEnum):
    """Why the broker executed an order."""

    ORDER = "ORDER"
    """An order that a client placed to trade, not to close one certain trade."""
    TRADE_CLOSE = "TRADE_CLOSE"
    """A client asked to close this trade."""
    POSITION_CLOSE = "POSITION_CLOSE"
    """A client asked to close every trade of the instrument."""
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    MARGIN_CLOSEOUT = "MARGIN_CLOSEOUT"
    OTHER = "OTHER"
    """A cause that the adapter does not know. The broker's word stands in `raw`."""


class ExitKind(StrEnum):
    """Which of a trade's exit orders."""

    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    GUARANTEED_STOP = "GUARANTEED_STOP"


@dataclass(frozen=True, slots=True)
class TradePart:
    """A trade's share of a fill. `units` are signed as in the fill, so they oppose the trade when they close it.

    `gross_pl`, `financing` and `half_spread_cost` are the broker's figures for this trade. A fill states its
    commission once: the first trade that the fill touched carries all of it.
    """

    trade_id: int
    units: Decimal
    price: Decimal | None
    gross_pl: Decimal
    financing: Decimal
    commission: Decimal
    half_spread_cost: Decimal
    conversion: Decimal = Decimal(0)
    """What the conversion into the home currency cost, where the broker states it; contained in `gross_pl`."""


@dataclass(frozen=True, slots=True)
class Fill:
    """An order was executed: the trade that it opened, those that it closed, and the one that it reduced.

    `fees` hold the commission and every other fee of the fill. `client_id` is the order's own name, None when it has
    none. `conversion` is contained in `gross_pl`. `bid` and `ask` are the quote of that moment, where it is stated.
    """

    order_id: int
    client_id: str | None
    cause: FillCause
    gross_pl: Decimal
    financing: Decimal
    fees: Decimal
    opened: TradePart | None
    closed: tuple[TradePart, ...]
    reduced: TradePart | None
    commission: Decimal = Decimal(0)
    conversion: Decimal = Decimal(0)
    bid: Decimal | None = None
    ask: Decimal | None = None
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class FinancingPart:
    """A trade's share of a financing charge (negative) or credit (positive)."""

    trade_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Financing:
    """The account paid or received financing. `parts` is empty when the broker states no amount per trade."""

    amount: Decimal
    parts: tuple[FinancingPart, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """The owner paid money in (positive) or took money out (negative). A transfer is not profit."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The broker changed the balance outside a fill: a dividend, a correction, a fee. It is profit or loss."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The broker accepted an order that is no exit of a trade. Its fill or its end is a later transaction."""

    order_id: int
    client_id: str | None


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """An order came to nothing: cancelled, or rejected before it existed (`order_id` is None then).

    `code` is the broker's reason, `client_id` the order's own name. An exit order that was taken off ends here too.
    """

    order_id: int | None
    client_id: str | None
    code: str


@dataclass(frozen=True, slots=True)
class ExitsChanged:
    """A trade got a new exit order. `price` is its level, `distance` a trailing stop's; the other one is None.

    An exit that was replaced ends with an OrderEnded before this transaction.
    """

    trade_id: int
    order_id: int
    kind: ExitKind
    price: Decimal | None
    distance: Decimal | None


@dataclass(frozen=True, slots=True)
class Other:
    """A transaction that says nothing about money, orders or trades, or whose type the adapter does not know."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A transaction that lacks what its type must have. It is kept as it came, and trading halts."""

    cause: str


Event = Fill | Financing | Transfer | Adjustment | OrderPlaced | OrderEnded | ExitsChanged | Unreadable | Other


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry of the account's record. Ids are consecutive per account.

    `type` is the broker's word for it. `balance` is the balance that the broker states after it, None where it states
    none. `raw` is the broker's own object, unknown fields included.
    """

    id: int
    type: str
    time: datetime
    event: Event
    balance: Decimal | None
    raw: Mapping[str, object]

    @property
    def client_id(self) -> str | None:
        """The name that a client gave to the order which this transaction is about; None when it has none."""
        match self.event:
            case Fill() | OrderPlaced() | OrderEnded():
                return self.event.client_id
            case _:
                return None
