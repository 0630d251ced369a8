"""The trading floor: what every part of the exchange shares, books, resting orders, rates, accounts and the time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.book import Book
from sep_trader.exchange.accounts.conversion import Conversions
from sep_trader.exchange.accounts.margin import Valuer
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.triggers import Triggers
from sep_trader.exchange.market.sessions import STANDARD_HOURS, Sessions, next_cutoff
from sep_trader.market.instrument import Instrument

Listener = Callable[[Account, Batch, list[bytes]], None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What can be set about an exchange's behaviour."""

    markup: Decimal = Decimal("0.01")
    """Share of the mid that a conversion costs."""
    order_lookup: str = "pending"
    """`pending`: finished orders are not found by id, as seen in practice; `historic`: they are."""
    sessions: Sessions = STANDARD_HOURS


STANDARD_POLICY = Policy()


@dataclass(slots=True)
class Floor:
    """The shared state; `now` (ns) is the time of the last event or request."""

    instruments: dict[str, Instrument]
    policy: Policy
    now: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    books: dict[str, Book] = field(init=False)
    triggers: dict[str, Triggers] = field(init=False)
    expiries: list[tuple[int, int, str, int]] = field(default_factory=list)
    """Heap of (time, sequence, account, order id)."""
    conversions: Conversions = field(init=False)
    valuer: Valuer = field(init=False)
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.books = {name: Book(instrument) for name, instrument in self.instruments.items()}
        self.triggers = {name: Triggers() for name in self.instruments}
        self.conversions = Conversions(self.books, self.policy.markup)
        self.valuer = Valuer(self.books, self.conversions)

    def rest(self, account: Account, order: Order) -> None:
        """Let a pending order wait for its price and, where it has one, its end."""
        self.triggers[order.instrument].add(order)
        order.account_id = account.id
        end = order.gtd if order.time_in_force == "GTD" else None
        if order.time_in_force == "GFD":
            end = next_cutoff(order.created)
        if end is not None:
            self._sequence += 1
            heapq.heappush(self.expiries, (end, self._sequence, account.id, order.id))

    def commit(self, batch: Batch) -> None:
        """Record a batch and tell the listeners."""
        batch.commit(self.listeners)
