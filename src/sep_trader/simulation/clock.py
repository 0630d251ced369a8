"""One virtual clock for everything: the trader's spans, the exchange's time, and what is due later.

Time passes only where somebody waits. Between two moments everything that is due happens, in order; equal times in the
order in which they were asked for.
"""

import heapq
import threading
from collections.abc import Callable

from sep_trader.exchange.matching.exchange import Exchange

_SECOND = 1_000_000_000
_LONGEST_SKIP_S = 600.0


class VirtualClock:
    """The clock of a day. Seconds since its beginning."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._start = exchange, exchange.now
        self._base = 0.0
        self._ahead: float | None = None
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._asked = 0
        self._firing = False
        self._news = False
        self.watched: Callable[[], bool] = lambda: False
        """Whether something rests at the exchange that a quote could fill: then no quote is passed over unseen."""
        self.skips: Callable[[], bool] = lambda: False
        """Whether the trader waits with nothing to do, so that the time until something happens may be passed over."""
        self.look_at: Callable[[], list[float]] = list
        """Moments at which the trader must look, whatever it skips."""

    # -- what the trader and the client ask

    def monotonic(self) -> float:
        """Seconds since the day began."""
        return self._base + (self._ahead or 0.0)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if seconds <= 0:
            return
        if self._ahead is not None:
            self._ahead += seconds
        else:
            self._advance(self._base + seconds, None)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass until the event; a trader with nothing to do waits until something is due."""
        until, skipping = self._base + max(0.0, seconds), not event.is_set() and self.skips()
        if skipping:
            nearest = [at for at in self.look_at() if at > self._base]
            until = max(until, min([self._base + _LONGEST_SKIP_S, *nearest]))
        self._news = False
        self._advance(until, event, skipping=skipping)
        return event.is_set()

    # -- what the simulation asks

    def side_by_side(self, calls: list[Callable[[], None]]) -> None:
        """Make calls that wait beside each other: together they take as long as the longest of them."""
        longest = 0.0
        for call in calls:
            self._ahead = 0.0
            try:
                call()
            finally:
                longest, self._ahead = max(longest, self._ahead), None
        self._advance(self._base + longest, None)

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Let something happen at a moment; at once if that has passed."""
        self._asked += 1
        heapq.heappush(self._due, (max(when, self._base), self._asked, act))

    def in_(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen after a while."""
        self.at(self.monotonic() + seconds, act)

    def set(self, seconds: float) -> None:
        """Put the clock to a moment of the day; nothing happens on the way."""
        self._base, self._ahead, self._news = seconds, None, False

    def heard(self) -> None:
        """Something was recorded at the exchange: nothing is skipped past it."""
        self._news = True

    def _advance(self, until: float, event: threading.Event | None, *, skipping: bool = False) -> None:
        """Pass time up to a moment; less where the event comes. Nothing passes while something is happening."""
        if self._firing:
            return
        while not (event is not None and event.is_set()) and not (skipping and self._news):
            upto = min(until, self._due[0][0]) if self._due else until
            self._move(upto)
            if self._due and self._due[0][0] <= self._base:
                _, _, act = heapq.heappop(self._due)
                self._firing = True
                try:
                    act()
                finally:
                    self._firing = False
            elif self._base >= until:
                return

    def _move(self, upto: float) -> None:
        """Move the exchange ahead, at most to a moment: where it records something, what follows comes first."""
        target = self._start + round(upto * _SECOND)
        news, self._news = self._news, False
        while self.watched():
            quote = self._exchange.next_quote
            if quote is None or quote >= target:
                break
            self._exchange.advance(max(quote, self._exchange.now))
            if self._news:  # what follows from it comes first
                self._base = max(self._base, (self._exchange.now - self._start) / _SECOND)
                return
        self._exchange.advance(max(target, self._exchange.now))
        self._news = self._news or news
        self._base = max(self._base, upto)
