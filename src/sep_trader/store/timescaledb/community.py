"""What only TimescaleDB's Community build has: columnstore, policies, continuous aggregates.

Called where `timescaledb.license` is `timescale`. The Apache build and plain PostgreSQL get the same from the daily
maintenance: retention by drop_chunks or DELETE, rollups by SQL (store/rollups.py). Only the columnstore has no equal.
"""

from datetime import timedelta

from sep_trader.store.database import Connection
from sep_trader.store.timescaledb import statements

COMPRESS_AFTER = timedelta(days=14)
AGGREGATES = ("candles_m5", "candles_m15", "candles_m30", "candles_h1", "candles_h4", "candles_d")


def ensure(connection: Connection) -> None:
    """Compress old chunks and keep rollups as continuous aggregates, from now on; running it again changes nothing."""
    if not statements.compression_enabled(connection, name="market_candles"):
        statements.columnstore(connection)
    list(statements.compression_policy(connection, after=COMPRESS_AFTER))
    for name in AGGREGATES:
        getattr(statements, name)(connection)
        list(statements.refresh_policy(connection, name=name))
    statements.clear_rollups(connection)
    statements.v_candle_rollups(connection)


def refresh(connection: Connection) -> None:
    """Bring the continuous aggregates up to date. The connection must be in autocommit mode."""
    for name in AGGREGATES:
        statements.refresh(connection, name=name)


def set_retention(connection: Connection, table: str, days: int) -> None:
    """Let the server drop chunks that are older than some days; 0 keeps them all."""
    list(statements.remove_retention_policy(connection, name=table))
    if days:
        list(statements.retention_policy(connection, name=table, after=timedelta(days=days)))
