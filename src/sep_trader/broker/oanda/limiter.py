"""A limiter for one client: never more than so many events in any period, and none while the broker said to wait."""

import threading
import time
from collections import deque
from collections.abc import Callable


class RateLimiter:
    """Let at most `limit` events start in any window of `per_s` seconds; safe to share between threads.

    Source of the figures in use: OANDA's best practices recommend 100 requests/s and 2 new connections/s.
    """

    def __init__(
        self,
        limit: int,
        per_s: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_s = per_s
        self._clock = clock
        self._sleep = sleep
        self._slots: deque[float] = deque(maxlen=limit)
        self._not_before = float("-inf")
        self._lock = threading.Lock()

    def acquire(self, max_wait_s: float | None = None) -> bool:
        """Wait for a slot. False, at once and without taking one, when that would take longer than `max_wait_s`."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._not_before)
            if len(self._slots) == self._slots.maxlen:
                slot = max(slot, self._slots[0] + self._per_s)
            if max_wait_s is not None and slot - now > max_wait_s:
                return False
            self._slots.append(slot)
        if slot > now:
            self._sleep(slot - now)
        return True

    def pause(self, seconds: float) -> None:
        """Give out no slot before `seconds` from now: what a Retry-After asks for."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock() + seconds)
