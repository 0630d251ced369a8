"""What a pass may do: the actions that `plan` returns, in the order in which the executor takes them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sep_trader.broker.port import AccountSnapshot, BrokerTrade, Price, Transactions
from sep_trader.execution.marks import Owner
from sep_trader.execution.rows import Execution, NewSignal, Request
from sep_trader.risk.limits import Approved, Refused
from sep_trader.risk.protections import Consequence, Protection
from sep_trader.states import ExitReason, TradingState


@dataclass(frozen=True, slots=True)
class TurnDown:
    """Let a protection turn the switch: in memory at once, in the database as soon as it takes it."""

    protection: Protection
    consequence: Consequence
    why: str
    flatten: bool = False
    """Whether a request is written, in the same transaction, that every trade of ours be closed."""

    @property
    def flattens(self) -> bool:
        """Whether it closes every trade of ours, too."""
        return self.consequence is Consequence.FLATTEN

    @property
    def state(self) -> TradingState:
        """The state that it turns to."""
        return TradingState.HALTED if self.consequence is Consequence.HALT else TradingState.REDUCING


@dataclass(frozen=True, slots=True)
class Control:
    """Do what a person asks of the switch, or of a pair's right, and answer."""

    request: Request


@dataclass(frozen=True, slots=True)
class Close:
    """Close a trade, whole."""

    trade: BrokerTrade
    cause: ExitReason
    why: str


@dataclass(frozen=True, slots=True)
class Protect:
    """Put a trade's stop at a price."""

    trade: BrokerTrade
    stop: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Write our marks on a trade of ours that does not carry them."""

    trade: BrokerTrade
    client_id: str
    tag: str
    comment: str
    why: str


@dataclass(frozen=True, slots=True)
class Book:
    """Copy the broker's transactions and what they change."""

    transactions: Transactions


@dataclass(frozen=True, slots=True)
class OpenLedger:
    """Begin the books of an account that was never traded here."""

    snapshot: AccountSnapshot


@dataclass(frozen=True, slots=True)
class Explain:
    """The broker states another balance than the books: its statement is the truth, the rest is unexplained."""

    transaction_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Doubt:
    """An order's answer did not come: it is looked for."""

    execution: Execution
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The broker's complete record does not hold an order: it is taken as never arrived."""

    execution: Execution
    why: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """End a signal without an order."""

    signal_id: UUID
    pair: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class Order:
    """Write the intent of a signal's order, and send it once."""

    signal: NewSignal
    order: Approved
    client_id: str
    transaction_id: int
    quote: Price
    horizon_at: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """End a person's request."""

    request_id: int
    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class See:
    """Keep what the broker shows, and what losses are measured from.

    owners: whose each trade is. prices: at which each would be closed now, where a quote of its pair is known.
    """

    snapshot: AccountSnapshot
    owners: Mapping[int, Owner]
    prices: Mapping[int, Decimal]
    nav_high: Decimal
    day: date
    day_nav: Decimal
    week: date
    week_nav: Decimal


@dataclass(frozen=True, slots=True)
class Note:
    """Write a line to the log; `key` keeps it from being written again within `every_s`."""

    event: str
    text: str
    level: str = "info"
    key: str = ""
    every_s: float = 60.0
    context: Mapping[str, object] = field(default_factory=dict)


Action = (
    TurnDown
    | Control
    | Close
    | Protect
    | Mark
    | OpenLedger
    | Book
    | Explain
    | Doubt
    | GiveUp
    | Refuse
    | Order
    | Answer
    | See
    | Note
)
