"""A deadline of the calling thread for everything that it asks of a broker.

Timeouts of an HTTP client count for each wait, so an answer of one byte a second never ends. An adapter cuts every wait
to what is left here. Threads without a deadline (the streams) keep their own timeouts.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOCAL = threading.local()


@contextmanager
def measured_by(clock: Callable[[], float]) -> Iterator[None]:
    """Measure the deadlines of this thread by another clock than this machine's: that of a simulation."""
    _LOCAL.clock = clock
    try:
        yield
    finally:
        del _LOCAL.clock


def _now() -> float:
    clock: Callable[[], float] = getattr(_LOCAL, "clock", time.monotonic)
    return clock()


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Let the requests of this thread end within so many seconds; None leaves what is set. Never a later one than
    that which is set already."""
    before: float | None = getattr(_LOCAL, "at", None)
    if seconds is not None:
        at = _now() + seconds
        _LOCAL.at = at if before is None else min(before, at)
    try:
        yield
    finally:
        _LOCAL.at = before


def remaining() -> float | None:
    """Seconds left to this thread; None without a deadline, 0 when it has passed."""
    at: float | None = getattr(_LOCAL, "at", None)
    return None if at is None else max(0.0, at - _now())
