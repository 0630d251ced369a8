"""The connection pool: plain synchronous psycopg, rows as dictionaries, errors as the house's own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import psycopg.conninfo
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from sep_trader.errors import StoreError, StoreUnavailable
from sep_trader.store.cutting import Cutter

Connection = psycopg.Connection[DictRow]


SESSION = {
    "timezone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "standard_conforming_strings": "on",
    "search_path": "public", "extra_float_digits": "1", "bytea_output": "hex",
}  # fmt: skip
"""Settings of every session: whatever server, database or role have set, texts of times and numbers mean the same."""
OPTIONS = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in SESSION.items())

_CHECK_S = 0.5

LATEST, EARLIEST = datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)
"""What a time is read as that PostgreSQL has and Python has not: infinity, and the years that are out of range."""
_LONGEST = timedelta(days=36_500)
"""And an interval: a century is more than any that is meant."""


class _Bounded(Loader):
    """Reads what the driver reads; one row with a value that Python has not does not spoil the others."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._driver = cast("type[Loader]", psycopg.adapters.get_loader(oid, Format.TEXT))(oid, context)

    def load(self, data: Buffer) -> object:
        try:
            return self._driver.load(data)
        except psycopg.DataError:
            return self.bound(bytes(data))

    def bound(self, text: bytes) -> object:
        """What such a value is read as."""
        raise NotImplementedError


class _BoundedTime(_Bounded):
    def bound(self, text: bytes) -> datetime:
        return EARLIEST if text.startswith(b"-") or text.endswith(b"BC") else LATEST


class _BoundedInterval(_Bounded):
    def bound(self, text: bytes) -> timedelta:
        return _LONGEST


_ADAPTERS = AdaptersMap(psycopg.adapters)
_ADAPTERS.register_loader("timestamptz", _BoundedTime)
_ADAPTERS.register_loader("interval", _BoundedInterval)
PINNED: dict[str, Any] = {"options": OPTIONS, "client_encoding": "utf8", "context": _ADAPTERS}
"""What every connection is opened with."""


class Database:
    """A pool of connections to one PostgreSQL database. Close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        max_size: int = 4,
        timeout_s: float = 5.0,
        deadline_s: float | None = None,
        probe: bool = True,
    ) -> None:
        """Connect; raises StoreUnavailable naming the address (never the password) when nothing answers.

        deadline_s: a transaction that takes longer is cut off, whatever the server does; None for never. probe: without
        it, a server that does not answer is heard of at the first transaction only.
        """
        self.url = url
        self._deadline_s = deadline_s
        self._cutter = Cutter()
        kwargs = {"row_factory": dict_row, "connect_timeout": max(2, int(timeout_s)), **PINNED}
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # The driver's own words would repeat the address, password and all.
            raise StoreError("the database address is not usable", "check SEP_DATABASE_URL") from None
        try:
            # The pool would retry in the background and hide the reason: ask once, plainly, first.
            if probe:
                psycopg.connect(url, connect_timeout=max(2, int(timeout_s))).close()
        except psycopg.OperationalError as error:
            raise (_unavailable(url, error) if absent(error) else _turned_away(url, error)) from None
        except psycopg.Error as error:
            raise StoreError(
                f"the database address is not usable: {first_line(error)}", "check SEP_DATABASE_URL"
            ) from None
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=timeout_s,
            kwargs=kwargs,
            open=True,
            check=self._check,
            reconnect_timeout=300.0 if deadline_s is None else 3.0,
        )

    def _check(self, connection: Connection) -> None:
        with self._cutter.within(connection, self._deadline_s and min(_CHECK_S, self._deadline_s)):
            ConnectionPool.check_connection(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside one transaction: committed at the end, rolled back on any exception.

        Raises StoreUnavailable when the server is out of reach, StoreError when it refuses for want of something (a
        full disk, a lock that it waited for too long).
        """
        try:
            with self._connected() as connection:
                yield connection
                connection.commit()
        except PoolTimeout as error:
            raise StoreUnavailable(f"no database connection to {shown(self.url)}: {error}") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if absent(error):
                raise _unavailable(self.url, error) from error
            raise StoreError(f"the database at {shown(self.url)} refuses: {first_line(error)}") from error

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of the pool, rolled back at the end unless it was committed. A simulation brings its own."""
        with self._pool.connection() as connection, self._cutter.within(connection, self._deadline_s):
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of its own in autocommit mode, outside the pool: for LISTEN, advisory locks, maintenance."""
        try:
            with psycopg.connect(
                self.url, autocommit=True, row_factory=dict_row, connect_timeout=5, **PINNED
            ) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if absent(error):
                raise _unavailable(self.url, error) from error
            raise StoreError(f"the database at {shown(self.url)} refuses: {first_line(error)}") from error

    def close(self) -> None:
        """Close every connection."""
        with suppress(PoolTimeout):
            self._pool.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def absent(error: psycopg.Error) -> bool:
    """Whether an error says that the server is out of reach, rather than that it refuses.

    Without a code of the server the connection is gone, or was never made; classes 08 and 57P are connections that it
    ends itself. A server that turns somebody away at the door gives no code, but says FATAL: it is there, unless it is
    on its way up or down, or full.
    """
    code = error.sqlstate
    if code is None:
        return "FATAL:" not in str(error) or any(words in str(error) for words in _PASSING)
    return code.startswith(("08", "57P", "53300"))


def shown(url: str) -> str:
    """A database address for people: host, port, database and user, and nothing that could be a password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "the address in SEP_DATABASE_URL"
    place = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"
    return f"{parts['user']}@{place}" if parts.get("user") else place


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


_PASSING = (
    "the database system is", "the database system was", "terminating connection", "too many clients",
    "too many connections", "remaining connection slots",
)  # fmt: skip
"""What a server says at the door that a later knock may find otherwise."""


def _turned_away(url: str, error: Exception) -> StoreError:
    words = next((line for line in str(error).splitlines() if "FATAL:" in line), first_line(error))
    reason = words[words.index("FATAL:") + 6 :].strip() if "FATAL:" in words else words
    return StoreError(
        f"the database at {shown(url)} turns us away: {reason}", "check SEP_DATABASE_URL: user, password, name"
    )


def _unavailable(url: str, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(
        f"the database at {shown(url)} does not answer: {first_line(error)}",
        "is the server running? unset SEP_DATABASE_URL to use the embedded one",
    )
