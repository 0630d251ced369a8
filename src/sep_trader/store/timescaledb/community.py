"""What only TimescaleDB's Community build has: columnstore, policies, continuous aggregates.

Called where `timescaledb.license` is `timescale`. The Apache build and plain PostgreSQL get the same from the daily
maintenance: retention by drop_chunks or DELETE, rollups by SQL (store/rollups.py). Only compression has no equivalent.
"""

from datetime import timedelta

from sep_trader.store.database import Connection
from sep_trader.store.timescaledb import statements

COMPRESS_AFTER = timedelta(days=14)
AGGREGATES = ("candles_m5", "candles_m15", "candles_m30", "candles_h1", "candles_h4", "candles_d")


def ensure(connection: Connection) -> None:
    """Compress old chunks and keep rollups as continuous aggregates, from now on; running it again changes nothing."""
    if not statements.value(connection, "compression_enabled", bool, name="market_candles"):
        statements.execute(connection, "columnstore")
    statements.execute(connection, "compression_policy", after=COMPRESS_AFTER)
    for name in AGGREGATES:
        getattr(statements, name)(connection)
        statements.execute(connection, "refresh_policy", name=name)
    statements.execute(connection, "clear_rollups")
    statements.execute(connection, "v_candle_rollups")


def refresh(connection: Connection) -> None:
    """Bring the continuous aggregates up to date. The connection must be in autocommit mode."""
    for name in AGGREGATES:
        statements.execute(connection, "refresh", name=name)


def set_retention(connection: Connection, table: str, days: int) -> None:
    """Let the server drop chunks that are older than some days; 0 keeps them all."""
    statements.execute(connection, "remove_retention_policy", name=table)
    if days:
        statements.execute(connection, "retention_policy", name=table, after=timedelta(days=days))
