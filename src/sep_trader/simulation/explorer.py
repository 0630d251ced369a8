"""Every way that two signals can go with up to three faults: each distinct transition of the state graph, on the real
program.

A transition is one pass of the trader with a choice: no fault, or up to three of them at its steps. A state is what the
books, the exchange and the trader hold, without what no later step depends on (numbers of rows, exact times): two ways
to the same state are followed once. Time goes on as it does in a day: a second after a pass that has left something to
do, else to the next moment at which something happens.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from sep_trader.broker.deadline import measured_by
from sep_trader.execution.journal import TwoTraders
from sep_trader.simulation.cells import CRASHES, OF_READS, OF_WRITES, READS, TRANSACTIONS, WRITES, Cell
from sep_trader.simulation.day import Armed, Trace
from sep_trader.simulation.freezing import Frozen, freeze, thaw
from sep_trader.simulation.judge import Violated
from sep_trader.simulation.market import Jump
from sep_trader.simulation.schedule import Planned, PlannedSignal, Schedule
from sep_trader.simulation.stack import Stack
from sep_trader.simulation.world import Killed, World

MOST_FAULTS = 3
_BEGIN = datetime(2014, 5, 13, 8, tzinfo=UTC)
_SIGNALS = (
    PlannedSignal(60.4, 0.4, "EUR_USD", 1, 30, 45, 4),
    PlannedSignal(60.4, 0.4, "USD_JPY", -1, 40, None, 6),
)
_JUMP = Jump(390.0, "USD_JPY", 60)
"""The second trade meets its stop before its horizon."""
_LATE_S = (20.0, 200.0)
_OVER_S = 900.0
_DOWN_S = 0.5
_MOST_TOLD = 50
_AT_STATEMENTS = ("gone", "disk_full", "stalled", "waits", "killed_before")
_AT_COMMITS = ("uncommitted", "unconfirmed", "killed_after")
_OF_RECORD = ("lag", "hole", "doubled")
_OF_ORDERS = ("empty", "moved")
_NOT_TRIED = frozenset({"status", "terms", "open"})
"""Signs of life, and what is read and written once at the beginning."""


@dataclass(slots=True)
class Script:
    """Takes the place of a day's faults: counts what could go wrong in a pass, and lets the chosen ones happen."""

    trace: Trace
    chosen: tuple[int, ...] = ()
    options: list[Cell] = field(default_factory=list)
    struck: list[Cell] = field(default_factory=list)
    met: Counter[Cell] = field(default_factory=Counter)
    _inside: str = ""

    @property
    def waiting(self) -> list[float]:
        """Nothing is planned ahead."""
        return []

    def begin(self, chosen: tuple[int, ...]) -> None:
        """A pass begins."""
        self.chosen, self.options, self.struck, self._inside = chosen, [], [], ""

    def strike(self, step: str, now: float, fits: Callable[[Armed], bool]) -> Armed | None:
        """The fault that is chosen for this step."""
        found = None
        for cell in self._possible(step, fits):
            if len(self.options) in self.chosen:
                late = _LATE_S[0] if cell.fault == "late" else 0.0
                found = Armed(Planned(cell, now, late), 0)
                self.struck.append(cell)
                self.met[cell] += 1
            self.options.append(cell)
        return found

    def _possible(self, step: str, fits: Callable[[Armed], bool]) -> Iterator[Cell]:
        if step in _NOT_TRIED:
            return
        if step in TRANSACTIONS:
            at_commit = fits(Armed(Planned(Cell(step, "unconfirmed"), 0.0), 0))
            if not at_commit and self._inside == step:
                return  # at the first of its statements only
            self._inside = "" if at_commit else step
            kinds: tuple[str, ...] = _AT_COMMITS if at_commit else _AT_STATEMENTS
            kinds = () if at_commit and step == "books" else kinds
        else:
            kinds = _kinds_of(step)
        yield from (Cell(step, kind) for kind in kinds)

    def happened(self, cell: Cell) -> None:
        """Nothing else happens here."""

    def end(self) -> None:
        """No fault strikes any more."""
        self.chosen = ()


@dataclass(slots=True)
class _Way:
    """What belongs to a state beside the program: faults used, signals stored, the pause, and the way that led here."""

    faults: int = 0
    stored: int = 0
    pause: float = 0.0
    key: int = 0
    over: bool = False
    path: tuple[tuple[float, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An invariant that does not hold, and the faults on the way to it: second of the day, and what struck."""

    invariant: str
    text: str
    path: tuple[tuple[float, tuple[str, ...]], ...]


@dataclass(slots=True)
class Explored:
    """What was found."""

    states: int = 0
    transitions: int = 0
    ends: int = 0
    violations: list[Found] = field(default_factory=list)


class Visited(Protocol):
    """Keys of states that were seen; explorers may share them."""

    def add(self, key: int) -> bool:
        """Take up a key; False where it was there."""
        ...


class Work(Protocol):
    """The states from which ways have not been followed yet; explorers may share them."""

    begins: bool
    """Whether this explorer begins at the beginning."""

    def shared(self, stack: list[Frozen]) -> list[Frozen] | None:
        """This explorer's states, of which some may go to others, or some come from them; None when all is done."""
        ...

    def told(self, found: Explored) -> None:
        """A state has been dealt with."""
        ...


class Explorer:
    """Follows every way that its work holds."""

    def __init__(self, stack: Stack, visited: Visited, *, most_faults: int = MOST_FAULTS) -> None:
        self._most, self._visited = most_faults, visited
        schedule = Schedule(0, _BEGIN, _SIGNALS, (), (), market=1)
        self.world = World(stack, schedule, jumps=(_JUMP,), late=self._late)
        self.script = Script(self.world.trace)
        self.world.faults = self.script
        self._pending: list[tuple[float, Any]] = []
        self.result = Explored()

    def run(self, work: Work) -> Explored:
        """Follow every way from the beginning, or those that another explorer hands over."""
        world = self.world
        world.stack.new_day(world)
        world.stack.auditor.execute("SET session_replication_role = replica")
        structlog.configure(processors=[world.liveness.hear], cache_logger_on_first_use=False)
        try:
            with measured_by(world.clock.monotonic):
                world.started()
                left = [self._freeze(_Way())] if work.begins else []
                while (taken := work.shared(left)) is not None:
                    left = taken
                    left += self._from(left.pop())
                    work.told(self.result)
        finally:
            structlog.reset_defaults()
            world.stack.auditor.execute("SET session_replication_role = origin")
        return self.result

    def _from(self, frozen: Frozen) -> list[Frozen]:
        """Every transition out of a state; returns the new states that they lead to."""
        fresh: list[Frozen] = []
        choices: list[tuple[int, ...]] = [()]
        while choices:
            chosen = choices.pop()
            way = self._thaw(frozen)
            self.result.transitions += 1
            try:
                key = self._go(way, chosen)
            except Violated as violated:
                if len(self.result.violations) < _MOST_TOLD:
                    here = (round(self.world.clock.monotonic(), 1), self._struck())
                    self.result.violations.append(Found(violated.invariant, violated.text, (*way.path, here)))
                continue
            if way.faults < self._most:
                after = chosen[-1] + 1 if chosen else 0
                choices += [(*chosen, number) for number in range(after, len(self.script.options))]
            if way.over:
                self.result.ends += 1
                continue
            if self._visited.add(key):
                self.result.states += 1
                fresh.append(self._freeze(way))
        return fresh

    # -- one transition

    def _go(self, way: _Way, chosen: tuple[int, ...]) -> int:
        """Let time pass, and let the trader look once; returns the key of where that leads."""
        world = self.world
        self._pass_time(way)
        self.script.begin(chosen)
        trader = world.trader or world.started()
        touched = True
        try:
            observation = trader.once()
            touched = trader._touched
        except Killed:
            world.gone("killed")
            way.pause = _DOWN_S
        except TwoTraders:
            world.gone("second")
            way.pause = _DOWN_S
        struck = self._struck()
        way.faults += len(struck)
        if struck:
            way.path = (*way.path, (round(world.clock.monotonic(), 1), struck))
        key = self._key(way)
        if world.trader is not None:
            same, way.key = key == way.key, key
            if touched:
                way.pause = 0.05
            elif observation.unseen or not world.idle:
                way.pause = self._until_something() if same else 1.0
            else:
                way.pause = self._until_something()
                if world.clock.monotonic() > _OVER_S and not self._pending:
                    way.over = True
                    world.liveness.at_the_end()
        return key

    def _struck(self) -> tuple[str, ...]:
        return tuple(f"{cell.step}: {cell.fault}" for cell in self.script.struck)

    def _pass_time(self, way: _Way) -> None:
        """Go on to the next pass; what comes on the way comes first."""
        world, until = self.world, self.world.clock.monotonic() + way.pause
        due = sorted(((at, send) for at, send in self._pending if at <= until), key=lambda one: one[0])
        for at, send in due:
            world.clock.sleep(max(0.0, at - world.clock.monotonic()))
            self._pending.remove((at, send))
            world.wire.hand_over(*send)
        world.clock.sleep(max(0.0, until - world.clock.monotonic()))
        while way.stored < len(_SIGNALS) and _SIGNALS[way.stored].at <= world.clock.monotonic():
            world.store(_SIGNALS[way.stored])
            way.stored += 1

    def _until_something(self) -> float:
        """Seconds until the next moment at which something may be different."""
        world = self.world
        now = world.clock.monotonic()
        moments = [s.at for s in _SIGNALS] + [s.ends for s in _SIGNALS] + [_JUMP.at + 1.0, _OVER_S + 1.0]
        moments += [s.at - s.after + 120.0 for s in _SIGNALS] + [at for at, _ in self._pending]
        trader = world.trader
        if trader is not None:
            memory = trader.memory
            moments += [since + span for since in memory.unsettled_since.values() for span in (10.0, 30.0)]
            pauses = (1.0, 2.0, 4.0, 8.0, 10.0)
            moments += [a.at + span for a in memory.attempts.values() for span in pauses]
        return min([m - now for m in moments if m > now + 0.05], default=60.0) + 0.05

    def _late(self, seconds: float, send: Any) -> None:
        """A request that was lost arrives after a while."""
        self._pending.append((self.world.clock.monotonic() + seconds, send))

    # -- states

    def _freeze(self, way: _Way) -> Frozen:
        return freeze(self.world, {"way": way, "pending": self._pending})

    def _thaw(self, frozen: Frozen) -> _Way:
        extra = thaw(self.world, frozen)
        self._pending = extra["pending"]
        way: _Way = extra["way"]
        return way

    def _key(self, way: _Way) -> int:
        """What later steps depend on."""
        world, now = self.world, self.world.clock.monotonic()
        audit, account = world.audit, world.account
        numbers = {e.trade: client for client, e in audit.executions.items()} | world.judge.clients
        trader = world.trader
        memory: Any = None
        if trader is not None:
            remembered = trader.memory
            orders = {e.id: client for client, e in audit.executions.items()}
            memory = (
                sorted((numbers.get(i), a.failures, a.cause, now - a.at < 1.0) for i, a in remembered.attempts.items()),
                sorted((numbers.get(i), str(c.cause), c.order_id is None) for i, c in remembered.closings.items()),
                sorted((orders.get(i), _span(now - at)) for i, at in remembered.unsettled_since.items()),
                str(remembered.floor),
                trader.broker_clock.now() is not None,
                trader._observer._last_account is not None,
                trader._touched,
                sorted(remembered.blind_since),
            )
        books = sorted(
            (c, e.status, e.trade is not None, e.late, str(e.open_units != 0)) for c, e in audit.executions.items()
        )
        broker = sorted((numbers.get(t.id), t.open, sorted(t.exits)) for t in account.trades.values())
        phase = sum(m <= now for s in _SIGNALS for m in (s.at, s.ends, s.at - s.after + 120.0)) + (now >= _JUMP.at)
        whole = (
            way.faults, way.stored, phase, sorted(audit.signals.items()), books, broker, memory,
            audit.state, audit.changed_by, account.record.last - (audit.booked or 0), audit.booked is None,
            [round(at - now) // 10 for at, _ in self._pending], sorted(world.judge.orders.items()),
        )  # fmt: skip
        return int.from_bytes(hashlib.blake2b(repr(whole).encode(), digest_size=8).digest(), "big") or 1


def _kinds_of(step: str) -> tuple[str, ...]:
    """The faults of a request. What lasts in a day strikes once here."""
    if step in WRITES:
        return (*OF_WRITES, *CRASHES, *(_OF_ORDERS if step == "order" else ()))
    if step in READS:
        return (*OF_READS, *(_OF_RECORD if step == "record" else ()))
    return ()


def _span(seconds: float) -> int:
    """Which patience a span has outlasted."""
    return sum(seconds >= limit for limit in (10.0, 30.0))
