"""Hypertables where the server has TimescaleDB; elsewhere the same tables stay plain, with the same SQL around them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from sep_trader.errors import StoreError
from sep_trader.store.database import Connection, Database, first_line
from sep_trader.store.queries import queries
from sep_trader.store.timescaledb import community, statements

LOG_CHUNK = timedelta(days=7)
ROLLUP_CHUNK = timedelta(days=30)
_LOCK = 7_305_842_218_114_303


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


def ensure_hypertables(database: Database, chunk_days: int) -> Hypertables:
    """Make candles, rollups and logs hypertables where the server can; running it again changes nothing.

    chunk_days: length of a chunk of market_candles; a change holds for chunks yet to come. Existing rows are moved.
    Raises StoreError when the server refuses.
    """
    try:
        with database.transaction() as connection:
            list(queries.lock_transaction(connection, key=_LOCK))
            state = queries.timescaledb_state(connection)
            if not (state["available"] and state["preloaded"]):
                return Hypertables(None, None, "the server has no TimescaleDB: plain tables")
            if state["version"] is None and not _create_extension(connection):
                return Hypertables(
                    None, None, "TimescaleDB is there; a superuser must run: CREATE EXTENSION timescaledb"
                )
            _hypertable(connection, "market_candles", timedelta(days=chunk_days))
            _hypertable(connection, "candle_rollups", ROLLUP_CHUNK)
            _hypertable(connection, "system_logs", LOG_CHUNK)
        with database.transaction() as connection:
            state = queries.timescaledb_state(connection)
            found = Hypertables(state["version"], state["license"])
            if found.columnstore:
                community.ensure(connection)
        return found
    except psycopg.Error as error:
        raise StoreError(f"the candle table cannot be made a hypertable: {first_line(error)}") from error


def state(connection: Connection) -> Hypertables:
    """What this database has now."""
    row = queries.timescaledb_state(connection)
    return Hypertables(row["version"], row["license"] if row["version"] else None)


def is_hypertable(connection: Connection, table: str) -> bool:
    """Whether a table is a hypertable."""
    return state(connection).version is not None and bool(statements.is_hypertable(connection, name=table))


def drop_chunks(connection: Connection, table: str, before: datetime) -> None:
    """Drop the chunks whose every row is older than a time: no row of them is touched. Plain tables have none."""
    if is_hypertable(connection, table):
        list(statements.drop_chunks(connection, name=table, before=before))


def reclaim(connection: Connection, table: str, before: datetime) -> None:
    """Give the room of deleted rows back: older chunks without any row go, the rest is vacuumed (in autocommit)."""
    if is_hypertable(connection, table):
        for chunk in list(statements.old_chunks(connection, name=table, before=before)):
            name = sql.Identifier(chunk["schema"], chunk["name"])
            if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone() is None:
                span = {"start": chunk["range_start"], "end": chunk["range_end"]}
                list(statements.drop_chunks_between(connection, name=table, **span))
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


def _create_extension(connection: Connection) -> bool:
    try:
        with connection.transaction():
            statements.create_extension(connection)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _hypertable(connection: Connection, table: str, chunk: timedelta) -> None:
    if not queries.table_exists(connection, name=table):
        return  # a migration that is still to run makes it
    list(statements.create_hypertable(connection, name=table, chunk=chunk))
    if statements.chunk_interval(connection, name=table) != chunk:
        list(statements.set_chunk_interval(connection, name=table, chunk=chunk))
