"""What the streams have told: the newest quote of each pair and the highest transaction id. They wake the trader, and
nothing of theirs waits in a queue."""

import threading
from collections import deque

from sep_trader.broker.port import FeedEvent, Heartbeat, Price, StreamState
from sep_trader.execution.clocks import BrokerClock, Clock
from sep_trader.execution.observation import Streams
from sep_trader.ledger.transactions import Transaction


class Wake:
    """What ends the trader's pause, and whether a signal did. Safe between threads."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._signals = threading.Event()

    def call(self, *, signal: bool = False) -> None:
        """Wake the trader."""
        if signal:
            self._signals.set()
        self.event.set()

    def taken(self) -> bool:
        """Take up what has come; tell whether a signal was among it."""
        self.event.clear()
        signal = self._signals.is_set()
        self._signals.clear()
        return signal


class Newest:
    """The sink of a broker's feed. Safe between threads."""

    def __init__(self, clock: Clock, broker_clock: BrokerClock, wake: Wake) -> None:
        self._clock, self._broker_clock, self._wake = clock, broker_clock, wake
        self._lock = threading.Lock()
        self._prices: dict[str, tuple[Price, float]] = {}
        self._connected: dict[str, bool] = {}
        self._lost_at: dict[str, float] = {}
        self._last_id = 0
        self._heard_at: float | None = None
        self.states: deque[StreamState] = deque(maxlen=100)
        """Connections lost and made, to be told in the next pass."""

    def put(self, item: FeedEvent, /) -> None:
        """Take an event of the feed."""
        here = self._clock.monotonic()
        with self._lock:
            if not isinstance(item, StreamState):
                self._heard_at = here
            match item:
                case Price():
                    self._prices[item.instrument] = (item, here)
                case Heartbeat():
                    self._hear_of(item.last_transaction_id or 0)
                case Transaction():
                    self._hear_of(item.id)
                case StreamState():
                    self._connected[item.stream] = item.connected
                    if item.connected:
                        self._lost_at.pop(item.stream, None)
                    else:
                        self._lost_at.setdefault(item.stream, here)
                    self.states.append(item)
        if isinstance(item, Heartbeat):
            self._broker_clock.told(item.time, stream=True)

    def streams(self) -> Streams:
        """What has been told so far."""
        with self._lock:
            return Streams(
                dict(self._prices), self._last_id, dict(self._connected), self._heard_at, dict(self._lost_at)
            )

    def _hear_of(self, transaction_id: int) -> None:
        if transaction_id > self._last_id:
            self._last_id = transaction_id
            self._wake.call()
