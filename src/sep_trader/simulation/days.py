"""Many days: on all cores, each worker with a database of its own; a day that fails is made as short as it can be."""

import hashlib
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sep_trader.simulation.cells import CELLS, Cell
from sep_trader.simulation.day import Day
from sep_trader.simulation.schedule import Schedule, schedule_of
from sep_trader.simulation.server import temporary_database, temporary_server
from sep_trader.simulation.stack import Stack, stack_on
from sep_trader.simulation.world import World

_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Violation:
    """A day on which an invariant did not hold, and the shortest schedule that was found to show it."""

    seed: int
    step: int
    invariant: str
    text: str
    schedule: Schedule


@dataclass(slots=True)
class Report:
    """What became of the days."""

    days: int = 0
    seconds: float = 0.0
    steps: int = 0
    passes: int = 0
    trades: int = 0
    met: Counter[Cell] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    traces: dict[int, str] = field(default_factory=dict)

    @property
    def unmet(self) -> list[Cell]:
        """Cells of the declared table that never came up."""
        return [cell for cell in CELLS if not self.met[cell]]

    @property
    def least_met(self) -> int:
        """How often the rarest cell came up."""
        return min(self.met[cell] for cell in CELLS)

    @property
    def trace(self) -> str:
        """One hash of all days: two runs of the same days and the same program have the same."""
        together = "".join(f"{seed} {self.traces[seed]}\n" for seed in sorted(self.traces))
        return hashlib.sha256(together.encode()).hexdigest()

    def take(self, day: Day) -> None:
        """Count a day."""
        self.days += 1
        self.steps += day.steps
        self.passes += day.passes
        self.trades += day.trades
        self.met.update(day.met)
        self.traces[day.seed] = day.trace


def simulate(
    seeds: Sequence[int],
    *,
    workers: int | None = None,
    first: bool = False,
    told: Callable[[int], None] = lambda days: None,
) -> Report:
    """Live through the day of each seed. told: called with the number of days that have just ended.

    first: end with the first day that fails, which is not shortened. Raises InputError without the `embedded` extra.
    """
    report, begun = Report(), time.monotonic()
    parts = [list(seeds[i : i + _AT_ONCE]) for i in range(0, len(seeds), _AT_ONCE)]
    with temporary_server() as server, _pool(server, min(workers or os.cpu_count() or 1, len(parts))) as pool:
        for done in as_completed([pool.submit(_live, part, first) for part in parts]):
            for day, violation in done.result():
                report.take(day)
                if violation is not None:
                    report.violations.append(violation)
            told(len(done.result()))
            if first and report.violations:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    report.violations.sort(key=lambda one: one.seed)
    report.seconds = time.monotonic() - begun
    return report


def replay(schedule: Schedule) -> tuple[Day, list[str]]:
    """Live through one day, and return it with everything that happened, line by line."""
    with temporary_server() as server, temporary_database(server) as url, stack_on(url) as stack:
        world = World(stack, schedule, keep_lines=True)
        return world.run(), world.trace.lines or []


def shrunk(stack: Stack, schedule: Schedule, invariant: str) -> Schedule:
    """Leave out whatever the violation does not need."""
    shorter = True
    while shorter:
        shorter = False
        for number in reversed(range(schedule.parts)):
            less = schedule.without(number)
            found = World(stack, less).run().violation
            if found is not None and found[0] == invariant:
                schedule, shorter = less, True
    return schedule


# -- what runs in a worker

_STACK: list[Stack] = []
_CLOSING = ExitStack()


@contextmanager
def _pool(server: str, workers: int) -> Iterator[ProcessPoolExecutor]:
    with ExitStack() as databases:
        urls: Any = multiprocessing.SimpleQueue()
        for _ in range(workers):
            urls.put(databases.enter_context(temporary_database(server)))
        with ProcessPoolExecutor(workers, initializer=_begin, initargs=(urls,)) as pool:
            yield pool


def _begin(urls: Any) -> None:
    _STACK[:] = [_CLOSING.enter_context(stack_on(urls.get()))]


def _live(seeds: list[int], first: bool) -> list[tuple[Day, Violation | None]]:
    found: list[tuple[Day, Violation | None]] = []
    for seed in seeds:
        schedule = schedule_of(seed)
        day = World(_STACK[0], schedule).run()
        violation = None
        if day.violation is not None:
            invariant, step, text = day.violation
            shorter = schedule if first else shrunk(_STACK[0], schedule, invariant)
            violation = Violation(seed, step, invariant, text, shorter)
        found.append((day, violation))
        if first and violation is not None:
            break
    return found
