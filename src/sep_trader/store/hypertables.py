"""Hypertables where the server has TimescaleDB; elsewhere the same tables stay plain, with the same SQL around them."""

from dataclasses import dataclass
from datetime import timedelta

import psycopg

from sep_trader.errors import StoreError
from sep_trader.store import community
from sep_trader.store.database import Connection, Database, first_line
from sep_trader.store.queries import queries

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
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
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
    if state(connection).version is None:
        return False
    statement = "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s"
    return connection.execute(statement, (table,)).fetchone() is not None


def _create_extension(connection: Connection) -> bool:
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION timescaledb")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _hypertable(connection: Connection, table: str, chunk: timedelta) -> None:
    if connection.execute("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)", (table,)).fetchone() is None:
        return  # a migration that is still to run makes it
    # The default index on time would cost a third of the loading rate, and no query here needs it.
    connection.execute(
        "SELECT create_hypertable(%s::regclass, 'time', chunk_time_interval => %s, create_default_indexes => false,"
        " migrate_data => true, if_not_exists => true)",
        (table, chunk),
    )
    current = connection.execute(
        "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = %s", (table,)
    ).fetchone()
    if current is None or current["time_interval"] != chunk:
        connection.execute("SELECT set_chunk_time_interval(%s::regclass, %s)", (table, chunk))
