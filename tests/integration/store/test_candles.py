"""Candles in and out of a real database."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.candles import START, random_walk

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.store import candles as store
from sep_trader.store.database import Database


def same(a: Candles, b: Candles) -> bool:
    names = ("time", "open", "high", "low", "close", "spread", "volume")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


def test_what_was_loaded_is_read_back_bit_by_bit(database: Database) -> None:
    candles = random_walk(45_000)
    assert store.load(database, candles) == store.LoadResult(inserted=45_000)
    assert same(store.read(database, "EUR_USD", Granularity.M1), candles)
    assert len(store.read(database, "EUR_USD", Granularity.M5)) == 0
    assert len(store.read(database, "USD_JPY", Granularity.M1)) == 0


def test_loading_again_changes_nothing(database: Database) -> None:
    candles = random_walk(3_000)
    store.load(database, candles)
    assert store.load(database, candles) == store.LoadResult(duplicates=3_000)
    assert same(store.read(database, "EUR_USD", Granularity.M1), candles)


def test_only_what_is_missing_is_added(database: Database) -> None:
    candles = random_walk(3_000)
    middle = np.ones(3_000, bool)
    middle[1_000:1_500] = False
    store.load(database, candles.take(middle))
    assert store.load(database, candles) == store.LoadResult(inserted=500, duplicates=2_500)
    assert same(store.read(database, "EUR_USD", Granularity.M1), candles)


@pytest.mark.parametrize("mode", ["report", "apply"])
def test_a_differing_candle_is_a_correction(database: Database, mode: store.Corrections) -> None:
    candles = random_walk(100)
    store.load(database, candles)
    close = candles.close.copy()
    close[40] = candles.high[40]
    changed = replace(candles, close=close)
    result = store.load(database, changed, corrections=mode)
    assert (result.inserted, result.duplicates, len(result.corrections)) == (0, 99, 1)
    [correction] = result.corrections
    assert correction.time == candles.time[40]
    assert (correction.old[3], correction.new[3]) == (candles.close[40], candles.high[40])
    assert same(store.read(database, "EUR_USD", Granularity.M1), changed if mode == "apply" else candles)
    with database.transaction() as connection:
        [row] = connection.execute("SELECT level, event, context FROM system_logs").fetchall()
    assert (row["level"], row["event"]) == ("warning", "candle_correction")
    [logged] = row["context"]["differing"]
    assert (row["context"]["candles"], row["context"]["applied"]) == (1, mode == "apply")
    assert logged["old"]["close"] == candles.close[40]
    assert logged["new"]["close"] == candles.high[40]


def test_ranges_and_newest(database: Database) -> None:
    candles = random_walk(1_000)
    store.load(database, candles)
    part = store.read(database, "EUR_USD", Granularity.M1, int(candles.time[10]), int(candles.time[20]))
    assert same(part, candles.take(slice(10, 20)))
    assert same(store.latest(database, "EUR_USD", Granularity.M1, 25), candles.take(slice(975, None)))
    assert same(store.latest(database, "EUR_USD", Granularity.M1, 5_000), candles)


def test_live_batches_of_several_pairs(database: Database) -> None:
    euro, cable = random_walk(2), random_walk(2, pair="GBP_USD", seed=2)
    with database.transaction() as connection:
        assert store.upsert_live(connection, [euro, cable]) == store.LoadResult(inserted=4)
        assert store.upsert_live(connection, cable) == store.LoadResult(duplicates=2)
        later = replace(random_walk(3), volume=np.array([euro.volume[0], 7_000, 5]))
        result = store.upsert_live(connection, later)
    assert (result.inserted, result.duplicates) == (1, 1)
    assert [c.new[5] for c in result.corrections] == [7_000]
    assert same(store.read(database, "GBP_USD", Granularity.M1), cable)
    assert store.read(database, "EUR_USD", Granularity.M1).volume[1] == euro.volume[1]


def test_coverage_names_pairs_and_granularities(database: Database) -> None:
    store.load(database, random_walk(10))
    store.load(database, random_walk(5, pair="USD_JPY"))
    rows = store.coverage(database)
    assert [(r.instrument, r.granularity, r.candles) for r in rows] == [
        ("EUR_USD", "M1", 10),
        ("USD_JPY", "M1", 5),
    ]
    assert rows[0].first.timestamp() == START
    assert rows[0].last.timestamp() == START + 9 * 60


def test_times_must_increase(database: Database) -> None:
    candles = random_walk(3)
    with pytest.raises(ValueError, match="increasing"):
        store.load(database, candles.take(np.array([0, 2, 1])))


def test_longer_candles_are_made_where_none_are_stored(database: Database) -> None:
    minutes = random_walk(3_000)
    store.load(database, minutes)
    whole = resample(minutes, Granularity.H1)
    made = store.read_or_make(database, "EUR_USD", Granularity.H1)
    assert same(made, whole.take(slice(1, -1)))  # the first hour began before the first minute, the last is not over
    assert same(store.latest_or_make(database, "EUR_USD", Granularity.H1, 5), made.take(slice(-5, None)))
    stored = replace(whole.take(slice(10, 12)), volume=np.array([7, 7]))  # the broker's own hours go before ours
    store.load(database, stored)
    again = store.read_or_make(database, "EUR_USD", Granularity.H1)
    assert np.array_equal(again.time, made.time)
    assert again.volume[9:11].tolist() == [7, 7] and again.volume[8] == made.volume[8]
    with database.transaction() as connection:
        assert store.pairs_with(connection, Granularity.H4) == ["EUR_USD"]
        assert store.pairs_with(connection, Granularity.S5) == []


def test_a_candle_that_knows_less_is_no_correction_and_one_that_knows_more_is(database: Database) -> None:
    candles = random_walk(50)
    poorer = replace(candles, spread=np.full(50, np.nan), volume=np.zeros(50, np.int64))
    store.load(database, candles)
    assert store.load(database, poorer) == store.LoadResult(duplicates=50)
    assert same(store.read(database, "EUR_USD", Granularity.M1), candles)
    store.load(database, replace(poorer, instrument="GBP_USD"))
    richer = replace(candles, instrument="GBP_USD")
    assert len(store.load(database, richer).corrections) == 50
    assert len(store.load(database, richer, corrections="apply").corrections) == 50
    assert same(store.read(database, "GBP_USD", Granularity.M1), richer)
