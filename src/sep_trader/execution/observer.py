"""Takes one observation: the books in one statement, the account and the prices side by side, then the record where the
account is further than the books. All reads of a pass have one deadline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from sep_trader.broker.port import AccountSnapshot, Broker, Pricing, Transactions
from sep_trader.errors import BrokerError, SepError
from sep_trader.execution.books import read_books
from sep_trader.execution.calls import Calls
from sep_trader.execution.clocks import BrokerClock, Clock
from sep_trader.execution.newest import Newest
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.execution.recollection import Recollection
from sep_trader.execution.rows import Books
from sep_trader.execution.settings import TraderSettings
from sep_trader.market.instrument import Instrument
from sep_trader.store.database import Database

T = TypeVar("T")
_READS_S = 2.0
_LONG_READS_S = 4.0
_LEAST_READ_S = 0.5
_TERMS_AGAIN_S = 10.0
_NO_PAIRS = "the terms of no pair are known yet"


@dataclass(slots=True)
class _Terms:
    """The instruments of the account, as far as they were read."""

    known: dict[str, Instrument]
    refused: dict[str, str]
    kind: str | None = None
    read_at: float | None = None
    tried_at: float = float("-inf")


class Observer:
    """The eyes of the trader."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        broker_clock: BrokerClock,
        calls: Calls,
        newest: Newest,
        settings: TraderSettings,
    ) -> None:
        self._database, self._broker, self._calls = database, broker, calls
        self._clock, self._broker_clock, self._newest, self._settings = clock, broker_clock, newest, settings
        self._terms = _Terms({}, {})
        self._last: Observation | None = None
        self._last_account: AccountSnapshot | None = None
        self._reads_s = _READS_S
        self.lock_pid: int | None = None
        """The session that holds the lock which keeps a second trader out."""
        self.lock_held = True
        """Whether it held the lock when the books were read."""

    def look(self, memory: Recollection, *, quick: bool, touched: bool) -> Observation:
        """See everything once.

        quick: a signal has come, and what was seen a moment ago will do if nothing was heard since. touched: something
        was sent or written since the last look, so that it will not.
        """
        mono = self._clock.monotonic()
        first = self._terms.read_at is None
        books: Seen[Books] | Unseen | None = None
        if first or quick or not memory.pairs:
            books = self._books(mono)
            memory.pairs |= _pairs_of(books)
            if quick and not touched and (reused := self._reused(books, mono, memory)) is not None:
                return reused
        if self._terms_due(mono):
            self._read_terms(mono)
        self._read_missing_terms(memory)
        observation = self._full(mono, books, memory)
        self._last = observation
        return observation

    def _terms_due(self, mono: float) -> bool:
        """Whether the instruments are to be read: at first, then seldom; after a failure not in every pass."""
        read_at = self._terms.read_at
        old = read_at is None or mono - read_at >= self._settings.terms_s
        return old and (read_at is None or mono - self._terms.tried_at >= _TERMS_AGAIN_S)

    def _full(self, mono: float, books: Seen[Books] | Unseen | None, memory: Recollection) -> Observation:
        """Read the account, the prices and, unless they were, the books, side by side; then the record."""
        pairs = sorted(memory.pairs & self._terms.known.keys()) or sorted(self._terms.known)[:1]
        reads: list[Callable[[], object]] = [self._broker.snapshot]
        if pairs:
            reads.append(lambda: self._broker.pricing(pairs))
        timed = self._broker_clock.now() is not None
        if books is None and timed:
            reads.append(lambda: self._books(mono))
        results = self._calls.run(reads, self._reads_s)
        account = _part(results[0], AccountSnapshot, mono)
        # A broker that is slow for long is waited for a little longer; what has reached its end is closed meanwhile.
        self._reads_s = _READS_S if isinstance(account, Seen) else _LONG_READS_S
        self._last_account = account.value if isinstance(account, Seen) else self._last_account
        pricing = _part(results[1], Pricing, mono) if pairs else Unseen(_NO_PAIRS)
        if isinstance(pricing, Seen):
            self._broker_clock.told(pricing.value.time)
        if not timed:  # what the books count of the last hour needs the time that has just been told
            (read,) = self._calls.run([lambda: self._books(mono)], _READS_S)
            books = _books_part(read)
        elif books is None:
            books = _books_part(results[-1])
        memory.pairs = (
            _pairs_of(books) | _traded(account) if isinstance(books, Seen) else memory.pairs | _traded(account)
        )
        return Observation(
            mono=mono,
            now=self._broker_clock.now(),
            account=account,
            record=self._record(account, books, mono),
            pricing=pricing,
            books=books,
            streams=self._newest.streams(),
            terms=self._terms.known,
            no_terms=self._terms.refused,
            asked=frozenset(pairs),
            memory=memory.freeze(),
            doubted_time=self._broker_clock.doubted,
            last_account=self._last_account,
            account_kind=self._terms.kind,
        )

    def _reused(self, books: Seen[Books] | Unseen, mono: float, memory: Recollection) -> Observation | None:
        """The last look with new books, where that is enough to decide the new signals.

        It is young, it stands where the books stand, no newer transaction was heard of, and the streams quote every
        pair that is asked for.
        """
        last = self._last
        if last is None or isinstance(books, Unseen) or isinstance(last.account, Unseen) or books.value.ledger is None:
            return None
        if isinstance(last.pricing, Unseen) or isinstance(last.books, Unseen) or books.value.requests:
            return None
        reuse_s, streams = self._settings.reuse_s, self._newest.streams()
        booked, stood = books.value.ledger.last_transaction_id, last.account.value.summary.last_transaction_id
        if mono - last.account.at > reuse_s or booked != stood or streams.last_id > stood:
            return None
        fresh = {pair for pair, (_, at) in streams.prices.items() if mono - at <= reuse_s}
        quoted = {price.instrument for price in last.pricing.value.prices}
        if not all(s.pair in fresh and s.pair in quoted for s in books.value.signals):
            return None
        return Observation(
            mono=mono,
            now=self._broker_clock.now(),
            account=last.account,
            record=Seen(Transactions((), stood), mono),
            pricing=last.pricing,
            books=books,
            streams=streams,
            terms=self._terms.known,
            no_terms=self._terms.refused,
            asked=last.asked,
            memory=memory.freeze(),
            account_kind=self._terms.kind,
        )

    def _books(self, mono: float) -> Seen[Books] | Unseen:
        try:
            with self._database.transaction() as connection:
                now = self._broker_clock.now()
                books, self.lock_held = read_books(connection, self._broker.account_id, now, self.lock_pid)
            return Seen(books, mono)
        except (SepError, psycopg.Error, KeyError, ValueError, TypeError, ArithmeticError) as error:
            return Unseen(str(error))

    def _record(
        self, account: Seen[AccountSnapshot] | Unseen, books: Seen[Books] | Unseen, mono: float
    ) -> Seen[Transactions] | Unseen:
        """The transactions after the booked id; none are asked for where the account is no further."""
        if isinstance(account, Unseen) or isinstance(books, Unseen):
            return Unseen("the account or the books cannot be read")
        last = account.value.summary.last_transaction_id
        booked = books.value.ledger.last_transaction_id if books.value.ledger is not None else last
        if last <= booked:
            return Seen(Transactions((), last), mono)
        left = max(_LEAST_READ_S, self._reads_s - (self._clock.monotonic() - mono))
        (result,) = self._calls.run([lambda: self._broker.transactions_since(booked)], left)
        return _part(result, Transactions, mono)

    def _read_terms(self, mono: float) -> None:
        """Read the instruments of the account, and whether it can be traded; margin and financing are live data."""
        reads: Sequence[Callable[[], object]] = [self._broker.instruments, self._broker.untradeable]
        self._terms.tried_at = mono
        found, kind = self._calls.run(reads, _READS_S)
        if isinstance(found, list):
            self._terms.known |= {instrument.name: instrument for instrument in found}
            self._terms.read_at = mono
        if kind is None or isinstance(kind, str):
            self._terms.kind = kind

    def _read_missing_terms(self, memory: Recollection) -> None:
        """Read the terms of pairs that the account's list does not hold; remember those that it does not offer."""
        for pair in sorted(memory.pairs - self._terms.known.keys() - self._terms.refused.keys()):
            (found,) = self._calls.run([lambda pair=pair: self._broker.instruments([pair])], _READS_S)  # type: ignore[misc]
            if isinstance(found, list) and found:
                self._terms.known |= {instrument.name: instrument for instrument in found}
            elif isinstance(found, list) or (isinstance(found, BrokerError) and not found.retryable):
                self._terms.refused[pair] = str(found) if found else f"the broker does not offer {pair}"


def _part(result: object, kind: type[T], at: float) -> Seen[T] | Unseen:
    if isinstance(result, kind):
        return Seen(result, at)
    return Unseen(str(result) if isinstance(result, SepError) else f"{type(result).__name__}: {result}")


def _books_part(result: object) -> Seen[Books] | Unseen:
    return result if isinstance(result, Seen | Unseen) else Unseen(str(result))


def _pairs_of(books: Seen[Books] | Unseen) -> frozenset[str]:
    """The pairs whose prices a pass needs: those that may trade, that have an order, and that a signal asks for."""
    if isinstance(books, Unseen):
        return frozenset()
    value = books.value
    enabled = {pair for pair, right in value.rights.items() if right.enabled}
    return frozenset(enabled | {e.pair for e in value.executions} | {s.pair for s in value.signals})


def _traded(account: Seen[AccountSnapshot] | Unseen) -> frozenset[str]:
    return frozenset() if isinstance(account, Unseen) else frozenset(t.instrument for t in account.value.trades)
