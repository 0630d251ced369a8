"""What the storage budget commands: warn at 80 %, drop at 95 %, in a stated order, and never a trade's record.

Order: raw cache; then candles older than the retention, finest granularity first, and with the M1 candles the rollups
made of them. Signals, executions, transactions and logs of trades are never dropped for room.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sep_trader.market.granularity import Granularity
from sep_trader.store import presence, rollups
from sep_trader.store.database import Database
from sep_trader.store.queries import queries
from sep_trader.store.storage import ACT_AT, WARN_AT, Area, Usage
from sep_trader.store.timescaledb.hypertables import reclaim

# With no retention set, candles are kept for good; when the volume fills, those of the last year are.
EMERGENCY_RETENTION_DAYS = 365


def warnings(usage: Usage) -> list[str]:
    """A line for each area, and the whole, that has used 80 % or more."""
    pressed = [a for a in (*usage.areas, usage.total) if a.share >= WARN_AT]
    return [f"{a.name} has used {a.share:.0%} of its {a.budget / 1e9:g} GB" for a in pressed]


@dataclass(frozen=True, slots=True)
class StoredGranularity:
    """A granularity of which candles are stored."""

    code: int
    name: str


def make_room(
    database: Database,
    measure: Callable[[], Usage],
    trim_cache: Callable[[int], int],
    retention_days: int,
    now: datetime,
) -> list[str]:
    """Drop in the stated order until nothing is at 95 %; return what was done, a line each.

    trim_cache: reduces the raw cache to a number of bytes and returns the bytes freed.
    """
    done: list[str] = []
    usage = measure()
    cache = usage.area("raw_cache")
    if cache.share >= ACT_AT and not _pressed(usage):
        freed = trim_cache(int(cache.budget * WARN_AT))
        done.append(f"raw cache: freed {freed} bytes")
    if not _pressed(usage):
        return done
    if cache.used:
        done.append(f"raw cache: freed {trim_cache(0)} bytes")
        usage = measure()
    before = now - timedelta(days=retention_days or EMERGENCY_RETENTION_DAYS)
    with database.transaction() as connection:
        granularities = queries.many(connection, "stored_granularities", StoredGranularity, before=before)
    for granularity in granularities:
        if not _pressed(usage):
            break
        with database.transaction() as connection:
            presence.noting(connection)
            count = queries.execute(connection, "delete_candles", granularity=granularity.code, before=before)
            presence.forget(connection, before, Granularity.from_code(granularity.code))
            queries.execute(connection, "note_dropped_candles", before=before)
        reclaim_space(database, "market_candles", before)
        if granularity.code == rollups.M1.code:
            rollups.refresh(database)
            reclaim_space(database, "candle_rollups", before)
        done.append(f"candles: dropped {count} {granularity.name} candles before {before:%Y-%m-%d}")
        usage = measure()
    return done


def reclaim_space(database: Database, table: str, before: datetime) -> None:
    """VACUUM a table, and drop its older chunks that hold no row: their space goes back to the volume."""
    with database.session() as connection:
        reclaim(connection, table, before)


def _pressed(usage: Usage) -> bool:
    """Whether candles, or the volume as a whole, are at 95 %."""
    return any(a.share >= ACT_AT for a in (usage.area("candles"), usage.total))


def critical(usage: Usage) -> list[Area]:
    """The areas, and the whole, at 95 % or more."""
    return [a for a in (*usage.areas, usage.total) if a.share >= ACT_AT]
