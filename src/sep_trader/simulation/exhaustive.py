"""The exhaustive run on all cores: explorers share the states that were seen, and the work that is left."""

import contextlib
import multiprocessing
import os
import queue
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import shared_memory
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np

from sep_trader.simulation.explorer import MOST_FAULTS, Explored, Explorer
from sep_trader.simulation.freezing import Frozen
from sep_trader.simulation.server import temporary_database, temporary_server
from sep_trader.simulation.stack import stack_on

_PLACES = 1 << 22
_POLL_S = 0.05
_QUIET_POLLS = 20
_TOLD_EVERY_S = 1.0
_KEPT = 2
_AT_HAND = 8


class SharedVisited:
    """Keys in memory that several processes share.

    Two that add the same key at the same moment may both be told that it is new: then a state is followed twice, which
    costs time and nothing else.
    """

    def __init__(self, name: str) -> None:
        self._memory = shared_memory.SharedMemory(name)
        self._keys = np.ndarray((_PLACES,), np.uint64, buffer=self._memory.buf)

    def add(self, key: int) -> bool:
        """Take up a key; False where it was there."""
        place = key % _PLACES
        while True:
            found = int(self._keys[place])
            if found == key:
                return False
            if found == 0:
                self._keys[place] = key
                return True
            place = (place + 1) % _PLACES


@dataclass(slots=True)
class _SharedWork:
    """One explorer's part of the work."""

    begins: bool
    surplus: Any
    idle: Any
    explorers: int
    progress: Any
    _told_at: float = 0.0
    _was: tuple[int, int] = (0, 0)

    def shared(self, stack: list[Frozen]) -> list[Frozen] | None:
        """Keep something at hand for the others; wait where there is nothing left; None when all wait."""
        if stack:
            if len(stack) > _KEPT and self.surplus.qsize() < _AT_HAND:
                self.surplus.put(stack.pop(0))
            return stack
        with self.idle.get_lock():
            self.idle.value += 1
        quiet = 0
        while quiet < _QUIET_POLLS:
            with contextlib.suppress(queue.Empty):
                taken: Frozen = self.surplus.get(timeout=_POLL_S)
                with self.idle.get_lock():
                    self.idle.value -= 1
                return [taken]
            quiet = quiet + 1 if self.idle.value == self.explorers else 0
        return None

    def told(self, found: Explored) -> None:
        """Tell how far it is, once in a while."""
        now = time.monotonic()
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            self.progress.put((found.states - self._was[0], found.transitions - self._was[1]))
            self._was = (found.states, found.transitions)


@dataclass(slots=True)
class Exhausted:
    """What the exhaustive run found. ends: ways that came to rest."""

    most_faults: int
    seconds: float = 0.0
    found: Explored = field(default_factory=Explored)


def exhaust(
    *,
    most_faults: int = MOST_FAULTS,
    workers: int | None = None,
    told: Callable[[int, int], None] = lambda states, transitions: None,
) -> Exhausted:
    """Follow every way. told: called with the states and transitions that have come since the last call.

    Raises InputError without the `embedded` extra.
    """
    count = workers or os.cpu_count() or 1
    result, begun = Exhausted(most_faults), time.monotonic()
    context = multiprocessing.get_context("spawn")
    memory = shared_memory.SharedMemory(create=True, size=_PLACES * 8)
    try:
        with ExitStack() as stack:
            server = stack.enter_context(temporary_server())
            urls = [stack.enter_context(temporary_database(server)) for _ in range(count)]
            _together(context, memory.name, urls, result, told)
    finally:
        memory.close()
        memory.unlink()
    result.seconds = time.monotonic() - begun
    return result


def _together(
    context: SpawnContext, memory: str, urls: list[str], result: Exhausted, told: Callable[[int, int], None]
) -> None:
    surplus, progress, results = context.Queue(), context.Queue(), context.Queue()
    idle = context.Value("i", 0)
    processes = [
        context.Process(
            target=_explore,
            args=(url, memory, result.most_faults, _SharedWork(not n, surplus, idle, len(urls), progress), results),
            daemon=True,
        )
        for n, url in enumerate(urls)
    ]
    for process in processes:
        process.start()
    waiting = len(processes)
    while waiting:
        with contextlib.suppress(queue.Empty):
            told(*progress.get(timeout=_POLL_S))
        with contextlib.suppress(queue.Empty):
            part = results.get(block=False)
            if isinstance(part, BaseException):
                raise part
            waiting -= 1
            result.found.states += part.states
            result.found.transitions += part.transitions
            result.found.ends += part.ends
            result.found.violations += part.violations
        if any(process.exitcode not in (None, 0) for process in processes):
            raise RuntimeError("an explorer has died")
    for process in processes:
        process.join(timeout=5)


def _explore(url: str, memory: str, most_faults: int, work: _SharedWork, results: Any) -> None:
    try:
        with stack_on(url) as stack:
            results.put(Explorer(stack, SharedVisited(memory), most_faults=most_faults).run(work))
    except Exception as error:
        results.put(error)
