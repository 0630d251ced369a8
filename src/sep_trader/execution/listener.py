"""The thread that hears the database's notifications of new signals, requests and turns of the switch."""

import threading

from sep_trader.errors import SepError
from sep_trader.execution.newest import Wake
from sep_trader.store.database import Database

_AGAIN_S = 1.0


class Listener(threading.Thread):
    """Wakes the trader for each NOTIFY. It connects again as long as it runs; the trader's timer is behind it."""

    def __init__(self, database: Database, wake: Wake) -> None:
        super().__init__(name="listener", daemon=True)
        self._database, self._wake = database, wake
        self._stopping = threading.Event()

    def run(self) -> None:
        """Listen until `stop`."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except SepError:
                self._stopping.wait(_AGAIN_S)

    def _listen(self) -> None:
        with self._database.session() as connection:
            connection.execute("LISTEN trading_signals")
            connection.execute("LISTEN trading_requests")
            self._wake.call()  # what came while nobody listened
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=0.5, stop_after=1):
                    self._wake.call(signal=notice.channel == "trading_signals")

    def stop(self) -> None:
        """Ask the thread to end, and wait for it."""
        self._stopping.set()
        self.join(timeout=5)
