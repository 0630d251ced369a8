"""People query this database: every table, view and column says what it is."""

from sep_trader.market.granularity import Granularity
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
