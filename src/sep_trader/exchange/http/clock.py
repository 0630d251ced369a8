"""The exchange's clocks: where exchange time should be now. Replay has a speed, stepped stands still, live is ours."""

import time
from typing import Protocol

_HOUR = 3_600_000_000_000
_SECOND = 1_000_000_000


class Clock(Protocol):
    """Says how far exchange time should have come, ns since the epoch."""

    speed: float

    def target(self) -> int:
        """Where exchange time should be."""

    def settle(self, now: int) -> None:
        """Take note of how far exchange time has really come."""

    def move(self, to: int) -> None:
        """Jump ahead."""

    def __str__(self) -> str:
        """As the listening line names it."""


class ReplayClock:
    """Runs `speed` times as fast as real time from a start; what cannot be kept up with is given up, not owed."""

    def __init__(self, start: int, speed: float) -> None:
        self.speed = speed
        self.move(start)

    def target(self) -> int:
        """Start plus elapsed real time at the speed."""
        return self._base + int((time.monotonic_ns() - self._since) * self.speed)

    def settle(self, now: int) -> None:
        """Start over from `now` when the exchange has fallen more than a second of real time behind."""
        if self.target() - now > self.speed * _SECOND:
            self.move(now)

    def move(self, to: int) -> None:
        """Run on from a time."""
        self._base, self._since = to, time.monotonic_ns()

    def __str__(self) -> str:
        return f"replay x{self.speed:g}"


class SteppedClock:
    """Stands still until it is told to move."""

    speed = 0.0

    def __init__(self, start: int) -> None:
        self._at = start

    def target(self) -> int:
        """Where it was last moved to."""
        return self._at

    def settle(self, now: int) -> None:
        """Nothing to do."""

    def move(self, to: int) -> None:
        """Move ahead."""
        self._at = max(self._at, to)

    def __str__(self) -> str:
        return "stepped"


class LiveClock:
    """The wall clock of this machine."""

    speed = 1.0

    def target(self) -> int:
        """The time now."""
        return time.time_ns()

    def settle(self, now: int) -> None:
        """Nothing to do."""

    def move(self, to: int) -> None:
        """The wall clock does not jump."""

    def __str__(self) -> str:
        return "live"


def closed_span(now: int, next_quote: int | None) -> int | None:
    """Where to jump to when nothing is quoted for more than an hour: a second before the next quote; else None."""
    if next_quote is None or next_quote - now <= _HOUR:
        return None
    return next_quote - _SECOND
