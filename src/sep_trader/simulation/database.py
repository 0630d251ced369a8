"""The trader's database in a simulation: the real server over one connection, each statement a numbered step.

What a transaction is about is known by its first telling statement: that is the name of its steps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
from psycopg import errors
from psycopg.rows import DictRow, dict_row

from sep_trader.store.database import PINNED, Connection, Database
from sep_trader.store.queries import queries

_NAMES = {query.text.encode(): name for name, query in queries.all.items()}
_TELLING = {
    "books": "books",
    "lock_new_signal": "intent",
    "lock_ledger": "book",
    "see_account": "see",
    "reduce_trading": "turn",
    "halt_trading": "turn",
    "note_closing": "exits",
    "doubt_execution": "doubt",
    "give_up_execution": "give_up",
    "execution_by_client_id": "reject",
    "decide_signal": "refuse",
    "answer_request": "answer",
    "open_ledger": "open",
    "set_component_status": "status",
    "insert_log": "note",
    "correct_ledger": "explain",
}
"""Statements that tell what a transaction is about, and what it is called."""


class Watch(Protocol):
    """Who is asked at each step, and may let it fail: raise a driver's error, or end the process."""

    def statement(self, transaction: str, number: int, name: str) -> None:
        """Before a statement of a transaction is sent; number counts them from 0."""
        ...

    def commit(self, transaction: str, commit: Callable[[], None]) -> None:
        """In place of the commit."""
        ...

    def committed(self, transaction: str, statements: frozenset[str]) -> None:
        """After a transaction that stands."""
        ...


class _Cursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **rest: Any) -> "_Cursor":
        connection = self.connection
        if isinstance(connection, NumberedConnection):
            connection.before(query)
        super().execute(query, params, **rest)
        return self


class NumberedConnection(psycopg.Connection[DictRow]):
    """A connection whose statements are counted within their transaction."""

    watch: Watch | None = None
    name = ""
    count = 0
    seen: frozenset[str] = frozenset()

    def before(self, query: Any) -> None:
        """Name the statement, and ask whether it may go."""
        statement = _NAMES.get(query if isinstance(query, bytes) else b"", "")
        if not self.name:
            self.name = _TELLING.get(statement, "")
        number, self.count = self.count, self.count + 1
        self.seen |= {statement}
        if self.watch is not None:
            self.watch.statement(self.name or "other", number, statement)

    def commit(self) -> None:
        """Commit, unless the watch lets it fail."""
        if self.watch is None or not self.name:
            super().commit()
            return
        self.watch.commit(self.name, super().commit)
        self.watch.committed(self.name, self.seen)


class SimulatedDatabase(Database):
    """One process's way to the server. The connection outlives it: one that dies loses what it had not committed."""

    def __init__(self, url: str, watch: Watch) -> None:
        """Connect."""
        self.url = url
        self._watch = watch
        self._one = NumberedConnection.connect(url, row_factory=dict_row, cursor_factory=_Cursor, **PINNED)
        # A lock that somebody else holds is an error at once: two processes share one thread here.
        self._one.execute("SET lock_timeout = '20ms'")
        self._one.commit()
        self._one.prepare_threshold = 1

    def watched_by(self, watch: Watch) -> None:
        """Let somebody else be asked from now on."""
        self._watch = watch

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        one = self._one
        one.name, one.count, one.seen, one.watch = "", 0, frozenset(), self._watch
        try:
            yield one
        finally:
            one.watch = None
            if one.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
                one.rollback()

    def close(self) -> None:
        """Close the connection."""
        self._one.close()


def gone() -> psycopg.Error:
    """The error of a server that is out of reach."""
    return errors.OperationalError("server closed the connection unexpectedly")


def disk_full() -> psycopg.Error:
    """The error of a server whose disk is full."""
    return errors.DiskFull("could not extend file: No space left on device")
