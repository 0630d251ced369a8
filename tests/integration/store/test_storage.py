"""The storage budget and the daily maintenance on a real database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sep_trader.history.cache import RawCache
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.ops.maintenance import maintain
from sep_trader.store import candles as store
from sep_trader.store import rollups
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries
from sep_trader.store.storage import Area, Usage, measure

NOW = datetime(2026, 1, 15, tzinfo=UTC)
AGES = (10, 400, 800)


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> tuple[Database, RawCache]:
    """A day of M1 and of H1 candles of three ages, log lines of the same, and a raw cache of ten pages."""
    for age in AGES:
        begin = int((NOW - timedelta(days=age)).timestamp())
        store.load(database, candles(Granularity.M1, begin, 1_440))
        store.load(database, candles(Granularity.H1, begin, 24))
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO system_logs (time, level, component, event) VALUES (%s, 'info', 'ops', 'x')",
                (NOW - timedelta(days=age),),
            )
    cache = RawCache(tmp_path / "raw_cache", 10**9)
    zero = np.zeros(5_000)
    noise = np.random.default_rng(1).random(5_000)
    for page in range(10):
        time = page * 300_000 + 60 * np.arange(5_000, dtype=np.int64)
        quotes = QuoteCandles(
            "EUR_USD", Granularity.M1, time, noise, zero, zero, zero, zero, zero, zero, zero, np.ones(5_000, np.int64)
        )
        cache.put(quotes, page * 300_000, page * 300_000 + 300_000)
    return database, cache


def candles(granularity: Granularity, begin: int, count: int) -> Candles:
    price = np.full(count, 1.1)
    time = begin + granularity.seconds * np.arange(count, dtype=np.int64)
    return Candles("EUR_USD", granularity, time, price, price, price, price, price, np.ones(count, np.int64))


def usage(database: Database, cache: RawCache, **budgets_gb: float) -> Usage:
    with database.transaction() as connection:
        folders = {"raw_cache": cache.folder, "backups": cache.folder.parent / "backups"}
        return measure(connection, budgets_gb, folders, NOW.date())


def counts(database: Database) -> dict[str, int]:
    return {row.granularity: row.candles for row in store.coverage(database)}


def test_seven_areas_and_what_a_candle_costs(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    found = usage(database, cache)
    assert [a.name for a in found.areas] == [
        "candles", "signals", "executions", "configuration", "backups", "raw_cache", "growth_buffer",
    ]  # fmt: skip
    assert found.total.budget == 50 * 10**9
    assert found.area("raw_cache").used == cache.size() > 0
    assert all(found.area(name).used > 0 for name in ("candles", "signals", "executions", "configuration"))
    assert found.bytes_per_candle is not None
    assert 84 < found.bytes_per_candle < 400


def test_levels_and_days_to_full() -> None:
    assert [Area("x", used, 100).level for used in (79, 80, 94, 95)] == ["ok", "warning", "warning", "critical"]
    assert Area("x", 40, 100, 2.0).days_to_full == 30
    assert Area("x", 40, 100, 0.0).days_to_full is None


def test_retention_drops_old_candles_and_logs_only(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    report = maintain(database, lambda: usage(database, cache), cache.trim, candle_days=365, log_days=90, now=NOW)
    assert counts(database) == {"M1": 1_440, "H1": 24}
    with database.transaction() as connection:
        rows = connection.execute("SELECT event FROM system_logs ORDER BY time").fetchall()
    assert [r["event"] for r in rows] == ["x", "maintenance"]
    assert (report.made_room, report.warnings, report.full) == ([], [], False)
    assert cache.size() > 0
    again = maintain(database, lambda: usage(database, cache), cache.trim, candle_days=365, log_days=90, now=NOW)
    assert (again.candles_dropped, again.logs_dropped) == (0, 0)


def rolled_up(database: Database) -> None:
    """Assert that the hours and days made of minutes are those of the minutes that are stored."""
    minutes = store.read(database, "EUR_USD", Granularity.M1)
    for granularity in (Granularity.H1, Granularity.D):
        made, expected = rollups.read(database, "EUR_USD", granularity), resample(minutes, granularity)
        assert made.time.tolist() == expected.time.tolist()
        assert made.volume.tolist() == expected.volume.tolist()


def test_rollups_come_and_go_with_their_candles(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled

    def run(days: int, now: datetime, **budgets_gb: float) -> int:
        report = maintain(
            database, lambda: usage(database, cache, **budgets_gb), cache.trim, candle_days=days, log_days=0, now=now
        )
        rolled_up(database)
        return report.rollups_made

    assert run(0, NOW) > 3 * (24 + 288)
    assert run(0, NOW) > 0, "the newest day is made again"
    run(500, NOW)
    assert len(rollups.read(database, "EUR_USD", Granularity.H1)) == 2 * 24
    run(365, NOW - timedelta(days=34, hours=11, minutes=-20))  # cuts an hour of the second day of candles
    assert rollups.read(database, "EUR_USD", Granularity.H1).volume[0] == 40
    run(0, NOW, candles=1e-6)  # full: what is older than a year goes
    assert len(rollups.read(database, "EUR_USD", Granularity.H1)) == 24
    with database.transaction() as connection:
        table = next(row for row in queries.many(connection, "table_bytes", Row) if row["name"] == "candle_rollups")
    assert table["bytes"] > 0


def test_nothing_is_dropped_where_nothing_is_asked_for(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    maintain(database, lambda: usage(database, cache), cache.trim, candle_days=0, log_days=0, now=NOW)
    assert counts(database) == {"M1": 3 * 1_440, "H1": 3 * 24}


def test_growth_comes_from_the_samples(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO storage_samples VALUES ('2026-01-01', 'signals', 0), ('2026-01-11', 'signals', 1000)"
        )
    assert usage(database, cache).area("signals").growth == 100


def test_at_95_percent_the_raw_cache_goes_first_then_the_finest_old_candles(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    full = usage(database, cache).area("candles").used / 1e9
    measured: list[dict[str, int]] = []

    def measuring() -> Usage:
        measured.append({"cache": cache.size(), **counts(database)})
        return usage(database, cache, candles=full)

    report = maintain(database, measuring, cache.trim, candle_days=0, log_days=0, now=NOW)
    assert report.made_room[0].startswith("raw cache: freed")
    assert report.made_room[1].startswith("candles: dropped 2880 M1 candles before 2025-01-15")
    assert measured[1] == {"cache": 0, "M1": 3 * 1_440, "H1": 3 * 24}
    assert counts(database)["M1"] == 1_440, "newer than a year stays, whatever happens"
    with database.transaction() as connection:
        logs = connection.execute("SELECT count(*) AS n FROM system_logs WHERE event = 'x'").fetchone()
        assert logs is not None
        assert logs["n"] == len(AGES)


TRADE = """
INSERT INTO research_runs
SELECT gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 1, '', '', '{}', 1, 1, 'READY', '', '{}';
INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{}' FROM research_runs;
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    horizon, expires_at, status, reason_code)
VALUES (md5('1')::uuid, 'EUR_USD', 'm', 'M1', '2020-01-01', 1, 0.5, '{}', 0.001, '1 hour', '2020-01-02', 'EXECUTED',
    'FILLED');
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, trade_id, entry_price, entry_time, exit_time, exit_price)
VALUES (md5('1')::uuid, 'a', 'EUR_USD', '1', 'CLOSED', 1000, '2020-01-01', 1, 1.1, 1, 1.1, '2020-01-01', '2020-01-02',
    1.1);
INSERT INTO system_logs (time, level, component, event) VALUES ('2020-01-01', 'info', 'trader', 'order_filled');
"""


def test_at_80_percent_it_warns_and_drops_nothing(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    before, size = counts(database), cache.size()
    pressed = usage(database, cache, candles=usage(database, cache).area("candles").used / 1e9 / 0.85)
    report = maintain(database, lambda: pressed, cache.trim, candle_days=0, log_days=0, now=NOW)
    assert [w for w in report.warnings if w.startswith("candles has used ")]
    assert (report.made_room, report.full) == ([], False)
    assert (counts(database), cache.size()) == (before, size)
    with database.transaction() as connection:
        [row] = connection.execute("SELECT level, message FROM system_logs WHERE event = 'maintenance'").fetchall()
    assert row["level"] == "warning"
    assert "candles has used" in row["message"]


def test_a_full_volume_costs_no_signal_execution_or_log_of_a_trade(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    with database.transaction() as connection:
        connection.execute(TRADE.encode())
        logs = connection.execute("SELECT count(*) AS n FROM system_logs").fetchone()
        assert logs is not None
    every = dict.fromkeys(("candles", "signals", "executions", "configuration", "raw_cache"), 1e-9)
    report = maintain(database, lambda: usage(database, cache, **every), cache.trim, candle_days=0, log_days=0, now=NOW)
    assert report.full
    assert cache.size() == 0
    assert counts(database) == {"M1": 1_440, "H1": 24}
    with database.transaction() as connection:
        for table, rows in (("trading_signals", 1), ("trade_executions", 1), ("system_logs", logs["n"] + 1)):
            found = connection.execute(f"SELECT count(*) AS n FROM {table}".encode()).fetchone()
            assert found == {"n": rows}, table


def test_a_raw_cache_past_its_own_budget_is_trimmed_and_costs_no_candle(filled: tuple[Database, RawCache]) -> None:
    database, cache = filled
    size = cache.size()
    budget = size / 1e9
    report = maintain(
        database, lambda: usage(database, cache, raw_cache=budget), cache.trim, candle_days=0, log_days=0, now=NOW
    )
    assert len(report.made_room) == 1
    assert 0 < cache.size() <= 0.8 * size
    assert counts(database)["M1"] == 3 * 1_440
    oldest = cache.get("EUR_USD", Granularity.M1, 0)
    newest = cache.get("EUR_USD", Granularity.M1, 9 * 300_000)
    assert oldest is None
    assert newest is not None
