"""Keeps the broker's streams open for the pairs that are traded now. They only wake the trader."""

import threading
from collections.abc import Callable

from sep_trader.broker.port import Broker, EventFeed
from sep_trader.execution.newest import Newest


class FeedKeeper:
    """One feed at a time; another one takes its place when a pair is added."""

    def __init__(self, broker: Broker, newest: Newest, say: Callable[[str], None]) -> None:
        self._broker, self._newest, self._say = broker, newest, say
        self._feed: EventFeed | None = None
        self._pairs: frozenset[str] = frozenset()

    def keep(self, pairs: frozenset[str], after_id: int) -> None:
        """See to it that these pairs are streamed."""
        if self._feed is not None and pairs <= self._pairs:
            return
        if self._feed is not None:  # its threads take a moment to end
            threading.Thread(target=self._feed.stop, name="feed-stop", daemon=True).start()
        self._pairs = pairs
        self._feed = self._broker.event_feed(sorted(pairs), after_id, self._newest)
        self._feed.start()
        named = ", ".join(sorted(pairs)) or "no pair (none is enabled)"
        self._say(f"trading {named} on account {self._broker.account_id}")

    def stop(self) -> None:
        """End the feed."""
        if self._feed is not None:
            self._feed.stop()
