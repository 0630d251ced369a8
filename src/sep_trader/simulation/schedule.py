"""What happens on a simulated day, drawn from its seed: signals, faults, a crash, and what a person does. Pure.

Faults, crashes and acts follow each other through the declared table, so that every cell comes up equally often. What a
step needs in order to happen at all (a stop must be gone before one is put back) is planned with it.
"""

import random
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Self

from sep_trader.simulation.cells import ACTED, CRASHED, FAULTS, STREAMS, TRANSACTIONS, Cell
from sep_trader.simulation.market import PAIRS

FAULTS_A_DAY = 4
SIGNALS_A_DAY = 8
HOUR = 3600.0
_TUESDAY = datetime(2014, 5, 13, tzinfo=UTC)
_FRIDAY = datetime(2014, 5, 16, tzinfo=UTC)
_SUNDAY = datetime(2014, 5, 18, 12, tzinfo=UTC)
_DAYS = (*[(_TUESDAY, 0.5, 23.0)] * 6, (_FRIDAY, 0.5, 20.5), (_SUNDAY, 9.5, 23.0))
"""When a day begins, and the hours of it between which signals come: the market is open then."""
_LASTING = frozenset({"lag", "hole", "stale", "empty", "cut", "stall", "doubled", "reordered", "skewed"})
_LATE_S = (20.0, 160.0, 160.0)
"""When an order that nobody heard of again arrives: while it is looked for, or after it was given up."""
_CLOSE_S = 61.0
_LONGEST_S = {"lag": 6.0, "hole": 20.0, "skewed": 7.0}
_BY_ACT = {"protect": "removes_stop", "mark": "removes_marks", "turn": "unreadable_entry", "answer": "asks_close"}
_BY_FAULT = {"doubt": "lost", "give_up": "vanished", "reject": "refused"}


@dataclass(frozen=True, slots=True)
class PlannedSignal:
    """A signal. at: when it is stored, seconds of the day; after: how long after the end of its candle that is."""

    at: float
    after: float
    pair: str
    side: int
    stop_pips: int
    target_pips: int | None
    horizon_minutes: int

    @property
    def ends(self) -> float:
        """Its horizon, seconds of the day."""
        return self.at - self.after + 60.0 * self.horizon_minutes


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, a crash or an act. at: not before this second of the day. seconds: how long it lasts; 0 for once."""

    cell: Cell
    at: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """One day. Two days of one schedule are the same to the last byte."""

    seed: int
    begin: datetime
    signals: tuple[PlannedSignal, ...]
    faults: tuple[Planned, ...]
    acts: tuple[Planned, ...] = ()
    flattening: bool = False
    """Whether the daily loss limit closes every trade."""
    market: int = field(default=0)

    @property
    def parts(self) -> int:
        """How many things could be left out."""
        return len(self.signals) + len(self.faults) + len(self.acts)

    def without(self, number: int) -> "Schedule":
        """The day without one of its parts."""
        for name in ("signals", "faults", "acts"):
            items = getattr(self, name)
            if number < len(items):
                return replace(self, **{name: items[:number] + items[number + 1 :]})
            number -= len(items)
        return self

    def to_json(self) -> dict[str, Any]:
        """The day as JSON; `from_json` reads it."""
        return {**asdict(self), "begin": self.begin.isoformat()}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """Read a day. Raises KeyError, TypeError or ValueError."""

        def planned(items: list[dict[str, Any]]) -> tuple[Planned, ...]:
            return tuple(Planned(**{**item, "cell": Cell(**item["cell"])}) for item in items)

        return cls(
            seed=body["seed"],
            begin=datetime.fromisoformat(body["begin"]),
            signals=tuple(PlannedSignal(**item) for item in body["signals"]),
            faults=planned(body["faults"]),
            acts=planned(body["acts"]),
            flattening=body["flattening"],
            market=body["market"],
        )


def schedule_of(seed: int) -> Schedule:
    """The day of a seed."""
    chance = random.Random(f"day {seed}")  # noqa: S311 - a day, not a secret
    begin, first, last = _DAYS[seed % len(_DAYS)]
    signals = _signals(chance, first * HOUR, last * HOUR)
    faults: list[Planned] = []
    acts: list[Planned] = []
    for cell in _turn(FAULTS, seed * FAULTS_A_DAY, FAULTS_A_DAY):
        _plan(cell, chance, signals, faults, acts)
    for cell in _turn(CRASHED, seed, 1):
        _plan(cell, chance, signals, faults, acts)
    acts += [Planned(cell, _moment(chance, signals) + chance.uniform(5, 60)) for cell in _turn(ACTED, seed, 1)]
    flattening = chance.random() < 0.5
    return Schedule(seed, begin, signals, tuple(faults), tuple(acts), flattening, chance.randrange(1 << 30))


def _signals(chance: random.Random, first: float, last: float) -> tuple[PlannedSignal, ...]:
    """Signals at the full minute and a moment; sometimes two at once, sometimes on a busy pair, once too close."""
    minutes = sorted(chance.sample(range(int(first / 60), int(last / 60)), SIGNALS_A_DAY - 1))
    twin = chance.randrange(len(minutes))
    together = chance.random() < 0.5
    minutes.insert(twin, minutes[twin] - (0 if together else 1))
    made: list[PlannedSignal] = []
    for number, minute in enumerate(minutes):
        stop = 1 if number == SIGNALS_A_DAY - 2 else chance.choice((20, 30, 45, 60))
        target = None if chance.random() < 0.2 else int(stop * 1.5)
        horizon = chance.choice((5, 15, 30, 60, 120, 240))
        after = chance.choice((0.4, 1.1, 2.7, 30.0, 118.0, 119.6))
        at = minute * 60 + after
        pair = PAIRS[number % 2] if chance.random() < 0.8 else PAIRS[0]
        if number == twin + 1:  # of the other pair at the same time, or of the same one a minute later
            pair = PAIRS[1 - PAIRS.index(made[-1].pair)] if together else made[-1].pair
            after = 0.8
            at = minute * 60 + after
        made.append(PlannedSignal(at, after, pair, chance.choice((-1, 1)), stop, target, horizon))
    return tuple(made)


def _turn(cells: tuple[Cell, ...], start: int, count: int) -> list[Cell]:
    """The cells whose turn it is: each round of the table is shuffled by itself."""
    found = []
    for place in range(start, start + count):
        around, at = divmod(place, len(cells))
        shuffled = list(cells)
        random.Random(f"round {around}").shuffle(shuffled)  # noqa: S311
        found.append(shuffled[at])
    return found


def _moment(chance: random.Random, signals: tuple[PlannedSignal, ...]) -> float:
    """A moment just before a signal comes, often one that another follows closely."""
    followed = [a for a, b in pairwise(signals) if b.at - a.at < _CLOSE_S]
    chosen = followed if followed and chance.random() < 0.25 else signals
    return chosen[chance.randrange(len(chosen))].at - 0.2


def _plan(
    cell: Cell,
    chance: random.Random,
    signals: tuple[PlannedSignal, ...],
    faults: list[Planned],
    acts: list[Planned],
) -> None:
    """Plan a fault, and what makes its step happen."""
    seconds = chance.uniform(2, _LONGEST_S.get(cell.fault, 12.0))
    if cell.fault not in _LASTING and (cell.fault.startswith("killed") or chance.random() < 0.6):
        seconds = 0.0
    at = 0.0 if cell.step in ("open", "terms") else _moment(chance, signals)
    if cell.step in TRANSACTIONS and chance.random() < (0.6 if cell.step == "books" else 0.3):
        at = signals[chance.randrange(len(signals))].ends - 1.0
        seconds = seconds if seconds == 0 and cell.step != "books" else chance.uniform(6, 12)
    if cell.fault == "skewed":
        at += chance.uniform(10, 60)
    if cell.step in _BY_ACT:
        at += chance.uniform(20, 60)
        acts.append(Planned(Cell("person", _BY_ACT[cell.step]), at))
    if cell.step in _BY_FAULT:
        late = cell.step == "give_up" and chance.random() < 0.5
        why = Cell("order", "late" if late else _BY_FAULT[cell.step])
        faults.append(Planned(why, at, chance.choice(_LATE_S) if late else 0.0))
    if cell.fault == "late":
        seconds = chance.choice(_LATE_S)
    if cell.fault == "stale":  # the stream would know better
        faults.append(Planned(Cell("prices", "cut"), at - 3.0, seconds + 6.0))
    if cell.step in STREAMS:
        at += chance.uniform(-3, 3)
    faults.append(Planned(cell, at, seconds))
