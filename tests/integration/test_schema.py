"""People query this database: every table, view and column says what it is."""

from datetime import UTC, datetime, timedelta

from sep_trader.market.granularity import Granularity
from sep_trader.risk.days import broker_day
from sep_trader.store.database import Database

UNEXPLAINED = """
SELECT c.relname || coalesce('.' || a.attname, '') AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'
WHERE c.relkind IN ('r', 'v') AND c.relname <> 'schema_migrations'
    AND (obj_description(c.oid, 'pg_class') IS NULL
        OR (a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL))
ORDER BY 1
"""
DESIGN = {
    "market_candles", "system_logs", "trading_signals", "trade_executions", "trading_pairs", "performance_metrics",
    "system_config", "trading_state", "v_open_trades", "v_active_pairs", "v_recent_signals", "v_daily_performance",
    "v_database_info",
}  # fmt: skip


def test_everything_has_a_comment(database: Database) -> None:
    with database.transaction() as connection:
        assert [r["name"] for r in connection.execute(UNEXPLAINED)] == []


def test_the_designs_tables_and_views_are_there_and_answer(database: Database) -> None:
    with database.transaction() as connection:
        for name in DESIGN:
            connection.execute(f"SELECT * FROM {name} LIMIT 1")


def test_granularity_codes_are_the_enums(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute("SELECT code, name, seconds FROM granularities ORDER BY code").fetchall()
    assert [(r["code"], r["name"], r["seconds"]) for r in rows] == [(g.code, g.value, g.seconds) for g in Granularity]


def test_the_brokers_day_is_the_same_in_the_database_and_in_the_limits(database: Database) -> None:
    """Every hour of two weeks around each change of the clocks in New York, and the moments beside 17:00."""
    around = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
    moments = [start + timedelta(hours=n, seconds=s) for start in around for n in range(336) for s in (-1, 0)]
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT broker_day(at) AS day FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS m (at, n) ORDER BY n",
            [moments],
        ).fetchall()
    assert [r["day"] for r in rows] == [broker_day(moment) for moment in moments]
