"""What the trader remembers from pass to pass. Nothing of it is needed after a crash: the next pass looks again."""

from dataclasses import dataclass, field

from sep_trader.execution.observation import Attempt, Closing, Memory, Observation, Seen
from sep_trader.execution.trips import at_one_id
from sep_trader.risk.protections import Protection
from sep_trader.states import ExecutionStatus, TradingState

_KEPT_S = 3600.0


@dataclass(slots=True)
class Recollection:
    """The trader's memory; `freeze` gives the pure plan its view of it."""

    attempts: dict[int, Attempt] = field(default_factory=dict)
    closings: dict[int, Closing] = field(default_factory=dict)
    unsettled_since: dict[int, float] = field(default_factory=dict)
    floor: tuple[TradingState, Protection, str] | None = None
    incomplete_since: float | None = None
    behind_since: float | None = None
    blind_since: dict[str, float] = field(default_factory=dict)
    database_id: str | None = None
    state: TradingState | None = None
    pairs: frozenset[str] = frozenset()
    said: dict[str, float] = field(default_factory=dict)

    def freeze(self) -> Memory:
        """The view of it that a plan is made from."""
        return Memory(
            attempts=dict(self.attempts),
            unsettled_since=dict(self.unsettled_since),
            floor=self.floor,
            incomplete_since=self.incomplete_since,
            behind_since=self.behind_since,
            database_id=self.database_id,
            state=self.state,
        )

    def learn(self, observation: Observation) -> None:
        """Take from an observation what the next passes need; forget what is over."""
        mono = observation.mono
        unseen = observation.unseen
        self.blind_since = {part: self.blind_since.get(part, mono) for part in unseen}
        if isinstance(observation.books, Seen):
            books = observation.books.value
            self.database_id, self.state = books.database_id, books.switch.state
            unsettled = [e.id for e in books.executions if e.status is not ExecutionStatus.OPEN]
            self.unsettled_since = {i: self.unsettled_since.get(i, mono) for i in unsettled}
            if self.floor is not None and books.switch.state.depth >= self.floor[0].depth:
                self.floor = None
        self._learn_record(observation)
        if isinstance(observation.account, Seen):
            open_ids = {trade.trade_id for trade in observation.account.value.trades}
            self.attempts = {i: a for i, a in self.attempts.items() if i in open_ids}
            kept = {i: c for i, c in self.closings.items() if i in open_ids or mono - c.at < _KEPT_S}
            self.closings = kept

    def lower(self, state: TradingState, protection: Protection, why: str) -> None:
        """Remember a lower state until the database has it."""
        if self.floor is None or state.depth > self.floor[0].depth:
            self.floor = (state, protection, why)

    def is_new(self, key: str, every_s: float, mono: float) -> bool:
        """Whether something is to be told now, since it was not told for a while; an empty key is always told."""
        if not key:
            return True
        if mono - self.said.get(key, float("-inf")) < every_s:
            return False
        self.said[key] = mono
        if len(self.said) > 1000:
            self.said = {k: at for k, at in self.said.items() if mono - at < _KEPT_S}
        return True

    def _learn_record(self, observation: Observation) -> None:
        """Since when the broker's record has had a hole."""
        record, books = observation.record, observation.books
        if not isinstance(record, Seen) or not isinstance(books, Seen) or books.value.ledger is None:
            return
        booked = books.value.ledger.last_transaction_id
        if record.value.last_id >= booked:
            self.behind_since = None
        elif self.behind_since is None:
            self.behind_since = observation.mono
        if at_one_id(observation) or record.value.complete_since(booked):
            self.incomplete_since = None
        elif self.incomplete_since is None:
            self.incomplete_since = observation.mono
