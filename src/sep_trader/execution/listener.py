"""The thread that hears the database's notifications of new signals."""

import queue
import threading

from sep_trader.errors import StoreError
from sep_trader.execution.trader import Event, Failed, SignalNotice
from sep_trader.store.database import Database


class SignalListener(threading.Thread):
    """Puts a SignalNotice on the queue for each NOTIFY, and Failed when the connection is lost."""

    def __init__(self, database: Database, events: "queue.Queue[Event]") -> None:
        super().__init__(name="signal-listener", daemon=True)
        self._database, self._events = database, events
        self._stopping = threading.Event()

    def run(self) -> None:
        """Listen until `stop`."""
        try:
            with self._database.session() as connection:
                connection.execute("LISTEN trading_signals")
                while not self._stopping.is_set():
                    for _ in connection.notifies(timeout=0.5, stop_after=1):
                        self._events.put(SignalNotice())
        except StoreError as error:
            self._events.put(Failed(error))

    def stop(self) -> None:
        """Ask the thread to end, and wait for it."""
        self._stopping.set()
        self.join(timeout=5)
