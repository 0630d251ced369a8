"""What is kept beside the candles says what the candles say, whoever changes them."""

from datetime import timedelta

import numpy as np
import psycopg
import pytest
from tests.support.candles import START, minutes, random_walk

from sep_trader.market.calendar import is_open
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import expected_count, find_gaps
from sep_trader.market.granularity import Granularity
from sep_trader.ops.maintenance import drop_candles
from sep_trader.store import candles as store
from sep_trader.store import presence
from sep_trader.store.database import Database

M1 = Granularity.M1


def holes(count: int, seed: int = 1) -> np.ndarray:
    """Open minutes in a row, a tenth of them missing."""
    time = minutes(count)
    return time[is_open(time) & (np.random.default_rng(seed).random(count) > 0.1)]


def check(database: Database) -> None:
    """Coverage is what reading every candle gives."""
    for one in store.coverage(database):
        time = store.read(database, one.instrument, one.granularity).time
        first, end = int(time[0]), int(time[-1]) + one.granularity.seconds
        assert (one.candles, one.first, one.last) == (len(time), from_epoch(first), from_epoch(int(time[-1])))
        assert one.expected == expected_count(first, int(time[-1]) + 1, one.granularity)
        gaps = find_gaps(time, one.granularity, first, end, [])
        assert (one.gaps, one.missing) == (len(gaps), sum(gap.missing for gap in gaps)) and one.unasked == one.missing


def believed(database: Database) -> bool:
    with database.transaction() as connection:
        return presence.believed(connection)


def test_every_way_in_is_noted(database: Database) -> None:
    whole = random_walk(holes(6_000))
    store.load(database, whole.take(slice(0, 3_000)))
    store.load(database, whole.take(slice(2_000, 4_000)))  # some are there: through staging
    with database.transaction() as connection:
        store.upsert_live(connection, whole.take(slice(4_000, 4_003)))
        store.upsert_live(connection, random_walk(3, pair="GBP_USD"))
    for granularity in (Granularity.S5, Granularity.H1, Granularity.H4, Granularity.D):
        time = START // 86_400 * 86_400 + 75_600 + granularity.seconds * np.arange(400, dtype=np.int64)
        store.load(database, random_walk(time, granularity=granularity))
    assert believed(database)
    check(database)
    assert len(store.coverage(database)) == 6


def test_dropped_candles_are_forgotten(database: Database) -> None:
    store.load(database, random_walk(holes(6_000)))
    store.load(database, random_walk(holes(2_000, 2), pair="GBP_USD"))
    assert drop_candles(database, from_epoch(START + 90_000)) > 0
    assert believed(database)
    check(database)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM market_candles WHERE volume % 7 = 0",
        "UPDATE market_candles SET time = time + interval '1 minute'"
        " WHERE time = (SELECT max(time) FROM market_candles)",
        "INSERT INTO market_candles SELECT time + interval '40 days', open, high, low, close, spread, volume,"
        " instrument_id, granularity FROM market_candles",
    ],
)
def test_a_change_by_somebody_else_is_noticed(database: Database, statement: str) -> None:
    store.load(database, random_walk(holes(4_000)))
    with psycopg.connect(database.url, autocommit=True) as person:
        person.execute(statement.encode())
    assert not believed(database)
    check(database)
    assert believed(database)
    store.load(database, random_walk(holes(4_500)))
    check(database)


def test_emptied_by_hand_there_is_nothing(database: Database) -> None:
    store.load(database, random_walk(100))
    with psycopg.connect(database.url, autocommit=True) as person:
        person.execute("TRUNCATE market_candles")
    assert store.coverage(database) == []


def test_values_that_change_by_hand_cost_no_recount(database: Database) -> None:
    store.load(database, random_walk(100))
    with psycopg.connect(database.url, autocommit=True) as person:
        person.execute("UPDATE market_candles SET close = close WHERE volume > 0")
    assert believed(database)


def test_chunks_dropped_behind_our_back_are_noticed(database: Database, server_kind: str) -> None:
    """No trigger sees it, but the first candle is another one."""
    store.load(database, random_walk(holes(6_000)))
    before = from_epoch(START + 2 * 86_400)
    with psycopg.connect(database.url, autocommit=True) as person:
        if server_kind == "timescaledb":
            person.execute("SELECT drop_chunks('market_candles', older_than => %s::timestamptz)", (before,))
        else:  # what a plain table has in its place
            person.execute("SET session_replication_role = replica")
            person.execute("DELETE FROM market_candles WHERE time < %s", (before - timedelta(days=1),))
    assert believed(database)
    check(database)
