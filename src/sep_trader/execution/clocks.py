"""The two clocks of the trader: this machine's, which only measures spans, and the broker's, which decides.

The broker's time is the last accepted time that the broker told, plus what has passed on this machine since. A told
time that is far off moves nothing until REST has confirmed it twice, some seconds apart: one bad line must not close
trades. Nothing here reads the wall clock of this machine.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Spans of time on this machine. A simulation brings its own."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, at most so long; tell whether it came."""
        ...


class SystemClock:
    """This machine's."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, at most so long."""
        return event.wait(seconds)


@dataclass(frozen=True, slots=True)
class ClockRules:
    """How far a told time may be off before REST must have told it twice, and how far apart.

    tolerance_s: a simulated exchange whose time runs faster than ours needs a large one.
    """

    tolerance_s: float = 5.0
    stream_tolerance_s: float = 5.0
    confirmations: int = 2
    apart_s: float = 10.0


class BrokerClock:
    """The broker's time, as far as it is known. Seconds are those of a monotonic clock. Safe between threads."""

    def __init__(self, monotonic: Callable[[], float], rules: ClockRules | None = None) -> None:
        self._monotonic = monotonic
        self._rules = rules or ClockRules()
        self._lock = threading.Lock()
        self._base: datetime | None = None
        self._base_at = 0.0
        self._doubt: datetime | None = None
        self._doubt_at = 0.0
        self._confirmed_at = 0.0
        self._confirmations = 0

    def now(self) -> datetime | None:
        """The broker's time; None until it has told one."""
        with self._lock:
            return self._at(self._monotonic())

    def told(self, moment: datetime, *, stream: bool = False) -> bool:
        """Take a time that the broker told just now; tell whether it was accepted.

        A stream only moves the clock forward, and confirms nothing.
        """
        with self._lock:
            here = self._monotonic()
            expected = self._at(here)
            if expected is None:
                return not stream and self._accept(moment, here)
            off = (moment - expected).total_seconds()
            if stream:
                return 0 < off <= self._rules.stream_tolerance_s and self._accept(moment, here)
            if abs(off) <= self._rules.tolerance_s:
                return self._accept(moment, here)
            return self._confirm(moment, here)

    @property
    def doubted(self) -> datetime | None:
        """A told time that is far off and not confirmed yet."""
        with self._lock:
            return self._doubt

    def _at(self, here: float) -> datetime | None:
        return None if self._base is None else self._base + timedelta(seconds=here - self._base_at)

    def _accept(self, moment: datetime, here: float) -> bool:
        self._base, self._base_at = moment, here
        self._doubt, self._confirmations = None, 0
        return True

    def _confirm(self, moment: datetime, here: float) -> bool:
        """Count confirmations of a time that is far off: it must go on from where it was, as a clock does."""
        follows = self._doubt is not None and (
            abs((moment - self._doubt).total_seconds() - (here - self._doubt_at)) <= self._rules.tolerance_s
        )
        if not follows:
            self._doubt, self._doubt_at, self._confirmed_at, self._confirmations = moment, here, here, 1
        elif here - self._confirmed_at >= self._rules.apart_s:
            self._confirmed_at = here
            self._confirmations += 1
        return self._confirmations >= self._rules.confirmations and self._accept(moment, here)
