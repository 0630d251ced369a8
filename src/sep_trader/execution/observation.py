"""What one pass of the trader sees. A part that could not be read says why; it is never taken as empty. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sep_trader.broker.port import AccountSnapshot, Price, Pricing, Transactions
from sep_trader.execution.rows import Books
from sep_trader.market.instrument import Instrument
from sep_trader.risk.protections import Protection
from sep_trader.states import ExitReason, TradingState

T = TypeVar("T")
AHEAD = timedelta(seconds=5)
"""How far a quote may be ahead of the broker's clock as we know it."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A part that was read. at: when its reading began, seconds of this machine's monotonic clock."""

    value: T
    at: float


@dataclass(frozen=True, slots=True)
class Unseen:
    """A part that could not be read, and why."""

    cause: str


@dataclass(frozen=True, slots=True)
class Streams:
    """What the streams have told so far: the newest quote of each pair and when it came, the highest transaction id,
    and whether each of them is connected. heard_at: when the last line came; None before the first. lost_at: since when
    a stream is lost."""

    prices: Mapping[str, tuple[Price, float]] = field(default_factory=dict)
    last_id: int = 0
    connected: Mapping[str, bool] = field(default_factory=dict)
    heard_at: float | None = None
    lost_at: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last try to close or to protect a trade: when, how often it failed in a row, and why.

    closed_market: the broker said that the market is closed: nothing is tried again before it has opened.
    """

    at: float
    failures: int
    cause: str = ""
    closed_market: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """A close that we sent, when, and why. order_id: None where its answer was lost."""

    cause: ExitReason
    order_id: int | None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What the trader remembers between two passes. Nothing of it is needed to go on after a crash.

    unsettled_since: since when an order's end is not known, by execution. floor: a state that the switch could not be
    turned to yet, since the database was out of reach. incomplete_since: since when the broker's record has a hole.
    behind_since: since when the account has ended before the books. state, database_id: as last read.
    """

    attempts: Mapping[int, Attempt] = field(default_factory=dict)
    unsettled_since: Mapping[int, float] = field(default_factory=dict)
    floor: tuple[TradingState, Protection, str] | None = None
    incomplete_since: float | None = None
    behind_since: float | None = None
    database_id: str | None = None
    state: TradingState | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One pass: the broker's time, the parts, and what is remembered. mono: seconds of this machine's clock.

    record: the transactions after the booked id, empty where the account is no further. terms: the instruments, as far
    as they were read.
    """

    mono: float
    now: datetime | None
    account: Seen[AccountSnapshot] | Unseen
    record: Seen[Transactions] | Unseen
    pricing: Seen[Pricing] | Unseen
    books: Seen[Books] | Unseen
    streams: Streams = field(default_factory=Streams)
    terms: Mapping[str, Instrument] = field(default_factory=dict)
    no_terms: Mapping[str, str] = field(default_factory=dict)
    """Pairs that the broker does not offer to this account, with its words."""
    asked: frozenset[str] = frozenset()
    """The pairs whose prices were asked for."""
    memory: Memory = field(default_factory=Memory)
    doubted_time: datetime | None = None
    last_account: AccountSnapshot | None = None
    """The account as it was last seen, where it cannot be seen now: good for closing what has reached its end."""
    account_kind: str | None = None
    """Why an account of this kind cannot be traded; None when it can."""

    def price_of(self, pair: str) -> Price | None:
        """The newest quote of a pair, of the pricing answer or of the stream. A streamed one from the future is none:
        it would pass as the newest for ever."""
        known = [p for p in self.pricing.value.prices if p.instrument == pair] if isinstance(self.pricing, Seen) else []
        streamed = self.streams.prices.get(pair)
        if streamed is not None and (self.now is None or streamed[0].time <= self.now + AHEAD):
            known.append(streamed[0])
        return max(known, key=lambda p: p.time, default=None)

    @property
    def database_id(self) -> str | None:
        """What our database is called on its trades: as it says now, else as last read; None when it never was."""
        return self.books.value.database_id if isinstance(self.books, Seen) else self.memory.database_id

    @property
    def unseen(self) -> dict[str, str]:
        """The parts that could not be read, with the reason."""
        parts = {"account": self.account, "record": self.record, "pricing": self.pricing, "books": self.books}
        return {name: part.cause for name, part in parts.items() if isinstance(part, Unseen)}
