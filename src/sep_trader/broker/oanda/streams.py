"""Reader threads: OANDA's two streams as typed events on one queue, reconnected for as long as they are wanted.

A connection without a byte for 10 s is dead (heartbeats come every 5 s) and is opened again, with backoff and jitter.
Events are the port's Price, Heartbeat, Transaction and StreamState. The queue should be unbounded: a full queue stops
the reading.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from sep_trader.broker.oanda import wire
from sep_trader.broker.oanda.ordering import InOrder
from sep_trader.broker.oanda.record import transaction
from sep_trader.broker.oanda.transport import Backoff, StreamConnection
from sep_trader.broker.port import EventSink, FeedEvent, Price, StreamState, Transactions

Json = dict[str, Any]

RECONNECT = Backoff(base_s=0.5, cap_s=5.0)


class Source(Protocol):
    """What the readers ask of the client."""

    def open_price_stream(self, instruments: Sequence[str]) -> StreamConnection:
        """Open the pricing stream."""
        ...

    def open_transaction_stream(self) -> StreamConnection:
        """Open the transaction stream."""
        ...

    def transactions_since(self, transaction_id: int) -> Transactions:
        """Read the record after an id."""
        ...


class _Reader(ABC):
    """One thread, one connection at a time. Subclasses say what to open and what a line means."""

    name: str

    def __init__(self, events: EventSink, reconnect: Backoff) -> None:
        self.events = events
        self._reconnect = reconnect
        self._stopping = threading.Event()
        self._connection: StreamConnection | None = None
        self._state: StreamState | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start reading. A reader is started once."""
        self._thread = threading.Thread(target=self._run, name=f"oanda-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Cut the connection and wait for the thread to end. Nothing is put on the queue afterwards."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            connection.abort()
        if self._thread is not None:
            self._thread.join(timeout_s)

    @abstractmethod
    def _open(self) -> StreamConnection:
        """Open a connection."""

    @abstractmethod
    def _opened(self) -> None:
        """Do what a new connection calls for, before its first line is read."""

    @abstractmethod
    def _read(self, line: Json) -> None:
        """Turn a line into events."""

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            lines, cause = self._read_connection()
            failures = 1 if lines else failures + 1
            self._tell(StreamState(self.name, connected=False, cause=cause))
            self._stopping.wait(self._reconnect.delay(min(failures, 16)))

    def _read_connection(self) -> tuple[int, str]:
        """Read one connection to its end; return how many lines came and why it ended."""
        lines = 0
        try:
            with self._open() as connection:
                self._connection = connection
                if self._stopping.is_set():
                    return lines, "stopped"
                self._tell(StreamState(self.name, connected=True))
                self._opened()
                for line in connection:
                    if self._stopping.is_set():
                        break
                    lines += 1
                    self._read(line)
            return lines, "the server ended the stream"
        except Exception as error:  # whatever it was, the reader must come back, and tell
            return lines, f"{type(error).__name__}: {error}"
        finally:
            self._connection = None

    def _put(self, event: FeedEvent) -> None:
        if not self._stopping.is_set():
            self.events.put(event)

    def _tell(self, state: StreamState) -> None:
        if state != self._state:
            self._state = state
            self._put(state)


class PriceStream(_Reader):
    """Put each quote on the queue and keep the latest of every instrument.

    A quote is fresh by its own time and `tradeable` only: heartbeats prove the link and refresh nothing. A book that
    empties repeats the last quote as not tradeable.
    """

    name = "prices"

    def __init__(
        self, client: Source, instruments: Sequence[str], events: EventSink, *, reconnect: Backoff = RECONNECT
    ) -> None:
        super().__init__(events, reconnect)
        self._client = client
        self._instruments = tuple(instruments)
        self._latest: dict[str, Price] = {}

    def _open(self) -> StreamConnection:
        return self._client.open_price_stream(self._instruments)

    def _opened(self) -> None:
        """Nothing to do: the stream begins with a snapshot."""

    def _read(self, line: Json) -> None:
        if line.get("type") == "HEARTBEAT":
            self._put(wire.heartbeat(line))
            return
        price = wire.price(line)
        if price is None:
            before = self._latest.get(line["instrument"])
            price = before and replace(before, tradeable=False)
        if price is not None:
            self._latest[price.instrument] = price
            self._put(price)


class TransactionStream(_Reader):
    """Put every transaction after `last_id` on the queue: each once, in the order of ids, without a gap.

    The stream itself replays nothing, so what it may have missed is read with sinceid: after each connection, when a
    heartbeat's id is ahead, and when an id is skipped. An id that the record does not show for `gap_patience_s` is
    given up: a StreamState tells which, and the later ones follow.
    """

    name = "transactions"

    def __init__(
        self,
        client: Source,
        events: EventSink,
        last_id: int,
        *,
        reconnect: Backoff = RECONNECT,
        gap_patience_s: float = 30.0,
    ) -> None:
        super().__init__(events, reconnect)
        self._client = client
        self._order = InOrder(last_id, gap_patience_s)

    @property
    def last_id(self) -> int:
        """The id up to which every transaction was put on the queue."""
        return self._order.last_id

    def _open(self) -> StreamConnection:
        return self._client.open_transaction_stream()

    def _opened(self) -> None:
        self._catch_up()

    def _read(self, line: Json) -> None:
        if line.get("type") == "HEARTBEAT":
            beat = wire.heartbeat(line)
            self._order.expect(beat.last_transaction_id or 0)
            self._deliver()
            self._put(beat)
        else:
            self._order.add([transaction(line)])
            self._deliver()

    def _deliver(self) -> None:
        """Hand over what is in order and, while something is missing, look for it."""
        self._release()
        if self._order.behind:
            self._catch_up()

    def _catch_up(self) -> None:
        # The record may lag behind the stream by moments; after these tries the next line brings the next one.
        for wait_s in (0.0, 0.1, 0.3, 0.6):
            if self._stopping.wait(wait_s):
                return
            found = self._client.transactions_since(self._order.last_id)
            self._order.add(found.items)
            self._order.expect(found.last_id)
            self._release()
            if not self._order.behind:
                return

    def _release(self) -> None:
        items, given_up = self._order.release(time.monotonic())
        if given_up:
            ids = ", ".join(map(str, given_up[:5]))
            cause = f"transactions missing from the broker's record: {ids}"
            self._tell(StreamState(self.name, connected=True, cause=cause))
        for item in items:
            self._put(item)


class Feed:
    """Both streams of an account together: the port's EventFeed."""

    def __init__(self, client: Source, instruments: Sequence[str], after_id: int, events: EventSink) -> None:
        readers: list[_Reader] = [TransactionStream(client, events, after_id)]
        if instruments:
            readers.append(PriceStream(client, instruments, events))
        self._readers = readers

    def start(self) -> None:
        """Start both readers."""
        for reader in self._readers:
            reader.start()

    def stop(self) -> None:
        """Stop both readers."""
        for reader in self._readers:
            reader.stop()
