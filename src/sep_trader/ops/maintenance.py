"""The daily maintenance: retention of candles and logs, rollups, the storage budget, a sample of every area's size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from sep_trader.ops.storage import StoredGranularity, critical, make_room, reclaim_space, warnings
from sep_trader.store import presence, rollups
from sep_trader.store.database import Database
from sep_trader.store.queries import queries
from sep_trader.store.storage import Usage
from sep_trader.store.timescaledb import community
from sep_trader.store.timescaledb.hypertables import drop_chunks, state

_EQUITY_BY_MINUTE = timedelta(days=7)
_EQUITY_BY_HOUR = timedelta(days=365)


@dataclass(slots=True)
class MaintenanceReport:
    """What was done, what to watch, and how the volume is used now."""

    usage: Usage
    candles_dropped: int = 0
    logs_dropped: int = 0
    equity_thinned: int = 0
    rollups_made: int = 0
    made_room: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether an area is still at 95 % or more."""
        return bool(critical(self.usage))

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "candles_dropped": self.candles_dropped,
            "logs_dropped": self.logs_dropped,
            "equity_thinned": self.equity_thinned,
            "rollups_made": self.rollups_made,
            "made_room": self.made_room,
            "warnings": self.warnings,
            "storage": self.usage.as_dict(),
        }


def maintain(
    database: Database,
    measure: Callable[[], Usage],
    trim_cache: Callable[[int], int],
    *,
    candle_days: int,
    log_days: int,
    now: datetime,
) -> MaintenanceReport:
    """Run the daily maintenance; running it again the same day is harmless. A retention of 0 days keeps everything."""
    candles = drop_candles(database, now - timedelta(days=candle_days)) if candle_days else 0
    logs = drop_logs(database, now - timedelta(days=log_days)) if log_days else 0
    with database.transaction() as connection:
        hourly, daily = now - _EQUITY_BY_MINUTE, now - _EQUITY_BY_HOUR
        thinned = queries.execute(connection, "thin_equity", hourly_before=hourly, daily_before=daily)
        if state(connection).columnstore:  # so that retention goes on where this job does not
            community.set_retention(connection, "market_candles", candle_days)
            community.set_retention(connection, "system_logs", log_days)
    made = rollups.refresh(database)
    if candles:
        reclaim_space(database, "candle_rollups", now - timedelta(days=candle_days))
    room = make_room(database, measure, trim_cache, candle_days, now)
    usage = measure()
    report = MaintenanceReport(usage, candles, logs, thinned, made, room, warnings(usage))
    with database.transaction() as connection:
        for area in usage.areas:
            queries.execute(connection, "record_storage", today=now.date(), area=area.name, bytes=area.used)
        _log(connection, report)
    return report


def drop_candles(database: Database, before: datetime) -> int:
    """Drop candles that began before a time, of every granularity; return how many."""
    with database.transaction() as connection:
        count = queries.value(connection, "candles_before", int, before=before)
        presence.noting(connection)
        drop_chunks(connection, "market_candles", before)  # which costs nothing; what is left is deleted by row
        left = sum(
            int(queries.execute(connection, "delete_candles", granularity=granularity.code, before=before))
            for granularity in queries.many(connection, "stored_granularities", StoredGranularity, before=before)
        )
        if count:
            presence.forget(connection, before)
            queries.execute(connection, "note_dropped_candles", before=before)
    if left:
        reclaim_space(database, "market_candles", before)
    return count


def drop_logs(database: Database, before: datetime) -> int:
    """Drop log lines older than a time; return how many."""
    with database.transaction() as connection:
        count = queries.value(connection, "logs_before", int, before=before)
        drop_chunks(connection, "system_logs", before)
        queries.execute(connection, "delete_logs", before=before)
    return count


def _log(connection: Any, report: MaintenanceReport) -> None:
    level = "error" if report.full else "warning" if report.warnings or report.made_room else "info"
    lines = [*report.made_room, *report.warnings] or ["retention and storage budget are in order"]
    queries.execute(
        connection,
        "insert_log",
        level=level,
        component="ops",
        event="maintenance",
        message="; ".join(lines),
        context=Jsonb(report.as_dict()),
        broker_time=None,
    )
