"""The lock that keeps a second trader out of a database: a session of its own holds it, and takes it again."""

import time
from contextlib import ExitStack, suppress

import psycopg

from sep_trader.errors import SepError
from sep_trader.store.database import Database
from sep_trader.store.locks import Lock

_TRIES = 4
_APART_S = 0.3


class Fence:
    """Holds the trader's lock for as long as its session lives."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = ExitStack()
        self._held = False

    def take(self) -> int | None:
        """Take the lock with a new session; return the session's number on the server, None when another holds it.

        Where it was held before, the server may not have noticed yet that the old session has ended: it is asked for
        some moments. Raises StoreUnavailable when the server is out of reach.
        """
        tries = _TRIES if self._held else 1
        for left in range(tries, 0, -1):
            pid = self._try()
            if pid is not None:
                self._held = True
                return pid
            if left > 1:
                time.sleep(_APART_S)
        return None

    def _try(self) -> int | None:
        self.close()
        connection = self._session.enter_context(self._database.session())
        taken = connection.execute("SELECT pg_try_advisory_lock(%s) AS ok", (Lock.TRADER,)).fetchone()
        if taken is None or not taken["ok"]:
            self.close()
            return None
        return connection.info.backend_pid

    def close(self) -> None:
        """Give the lock back."""
        with suppress(SepError, psycopg.Error):
            self._session.close()
        self._session = ExitStack()
