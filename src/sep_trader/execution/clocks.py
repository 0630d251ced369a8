"""The two clocks of the trader: this machine's, which only measures spans, and the broker's, which decides.

The broker's time is a time that the broker told, plus what has passed on this machine since. An answer takes a while
to arrive, so that a told time is never later than the true one: of the newest few, the one that is furthest on counts,
and a slow answer does not turn the clock back. A told time that is far off moves nothing until REST has confirmed it
twice, some seconds apart: one bad line must not close trades. Nothing here reads the wall clock of this machine.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

_NEWEST_TOLD = 8
"""So many told times count: what this machine's clock gains on the broker's is forgotten with the oldest."""
_OWN_PACE_S = 60.0
"""Who tolerates more than this has a broker whose time runs at a pace of its own: only the newest counts."""


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

    @property
    def counted(self) -> int:
        """How many told times count."""
        return 1 if self.tolerance_s > _OWN_PACE_S else _NEWEST_TOLD


class BrokerClock:
    """The broker's time, as far as it is known. Seconds are those of a monotonic clock. Safe between threads."""

    def __init__(self, monotonic: Callable[[], float], rules: ClockRules | None = None) -> None:
        self._monotonic = monotonic
        self._rules = rules or ClockRules()
        self._lock = threading.Lock()
        self._base: datetime | None = None
        self._base_at = 0.0
        self._accepted: deque[tuple[datetime, float]] = deque(maxlen=self._rules.counted)
        """Times that REST told, and when."""
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
                ahead = 0 < off <= self._rules.stream_tolerance_s
                if ahead:
                    self._base, self._base_at = moment, here
                return ahead
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
        """Take a time that REST told, unless an earlier one is further on: then this answer took longer to arrive."""
        self._accepted.append((moment, here))
        self._base, self._base_at = max(self._accepted, key=lambda told: told[0] - timedelta(seconds=told[1]))
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
        if self._confirmations < self._rules.confirmations:
            return False
        self._accepted.clear()  # The broker's clock was set.
        return self._accept(moment, here)
