"""Hypertables where the server has TimescaleDB; elsewhere the same tables stay plain, with the same SQL around them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from sep_trader.errors import StoreError
from sep_trader.store.database import Connection, Database, first_line
from sep_trader.store.locks import Lock
from sep_trader.store.queries import queries
from sep_trader.store.timescaledb import community, statements

LOG_CHUNK = timedelta(days=7)
ROLLUP_CHUNK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Hypertables:
    """What the server has: version None is plain PostgreSQL; license `timescale` (Community) or `apache`."""

    version: str | None
    license: str | None
    note: str = ""

    @property
    def columnstore(self) -> bool:
        """Whether chunks can be compressed, and all else that only the Community build has."""
        return self.version is not None and self.license == "timescale"


@dataclass(frozen=True, slots=True)
class _Extension:
    """TimescaleDB on this server: to be had, loaded, in this database, and under which license."""

    available: bool
    preloaded: bool
    version: str | None
    license: str | None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk of a hypertable."""

    schema: str
    name: str
    range_start: datetime
    range_end: datetime


def ensure_hypertables(database: Database, chunk_days: int) -> Hypertables:
    """Make candles, rollups and logs hypertables where the server can; running it again changes nothing.

    chunk_days: length of a chunk of market_candles; a change holds for chunks yet to come. Existing rows are moved.
    Raises StoreError when the server refuses.
    """
    try:
        with database.transaction() as connection:
            queries.lock(connection, "lock_transaction", key=Lock.HYPERTABLES)
            server = queries.only(connection, "timescaledb_state", _Extension)
            if not (server.available and server.preloaded):
                return Hypertables(None, None, "the server has no TimescaleDB: plain tables")
            if server.version is None and not _create_extension(connection):
                return Hypertables(
                    None, None, "TimescaleDB is there; a superuser must run: CREATE EXTENSION timescaledb"
                )
            _hypertable(connection, "market_candles", timedelta(days=chunk_days))
            _hypertable(connection, "candle_rollups", ROLLUP_CHUNK)
            _hypertable(connection, "system_logs", LOG_CHUNK)
        with database.transaction() as connection:
            server = queries.only(connection, "timescaledb_state", _Extension)
            found = Hypertables(server.version, server.license)
            if found.columnstore:
                community.ensure(connection)
        return found
    except psycopg.Error as error:
        raise StoreError(f"the candle table cannot be made a hypertable: {first_line(error)}") from error


def state(connection: Connection) -> Hypertables:
    """What this database has now."""
    found = queries.only(connection, "timescaledb_state", _Extension)
    return Hypertables(found.version, found.license if found.version else None)


def is_hypertable(connection: Connection, table: str) -> bool:
    """Whether a table is a hypertable."""
    return state(connection).version is not None and bool(
        statements.value(connection, "is_hypertable", bool, name=table)
    )


def drop_chunks(connection: Connection, table: str, before: datetime) -> None:
    """Drop the chunks whose every row is older than a time: no row of them is touched. Plain tables have none."""
    if is_hypertable(connection, table):
        statements.execute(connection, "drop_chunks", name=table, before=before)


def reclaim(connection: Connection, table: str, before: datetime) -> None:
    """Free the disk space of deleted rows: drop older chunks that hold no row, VACUUM the table (in autocommit)."""
    if is_hypertable(connection, table):
        for chunk in statements.many(connection, "old_chunks", _Chunk, name=table, before=before):
            name = sql.Identifier(chunk.schema, chunk.name)
            if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone() is None:
                span = {"start": chunk.range_start, "end": chunk.range_end}
                statements.execute(connection, "drop_chunks_between", name=table, **span)
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


def _create_extension(connection: Connection) -> bool:
    try:
        with connection.transaction():
            statements.execute(connection, "create_extension")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _hypertable(connection: Connection, table: str, chunk: timedelta) -> None:
    if not queries.value(connection, "table_exists", bool, name=table):
        return  # a migration that is still to run makes it
    statements.execute(connection, "create_hypertable", name=table, chunk=chunk)
    if statements.value(connection, "chunk_interval", timedelta, name=table) != chunk:
        statements.execute(connection, "set_chunk_interval", name=table, chunk=chunk)
