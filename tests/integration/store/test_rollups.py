"""Rollups made in SQL equal `market.resample` of the stored M1 candles, whatever happened to those."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError, StoreError
from sep_trader.history.job import import_path
from sep_trader.market.calendar import is_open
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.store import candles as store
from sep_trader.store import rollups
from sep_trader.store import timescaledb as timescaledb_statements
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries
from sep_trader.store.timescaledb import community, statements
from sep_trader.store.timescaledb.hypertables import Hypertables, ensure_hypertables

M1 = Granularity.M1
COLUMNS = ("time", "open", "high", "low", "close", "spread", "volume")


def walk(start: str, days: int, *, instrument: str = "EUR_USD", seed: int = 1) -> Candles:
    """M1 candles of the market's open minutes, a tenth of them missing."""
    random = np.random.default_rng(seed)
    begin = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
    time = begin + 60 * np.arange(days * 1_440, dtype=np.int64)
    time = time[is_open(time) & (random.random(len(time)) > 0.1)]
    return random_walk(time, seed, pair=instrument)


def assert_equal(database: Database, *pairs: str) -> None:
    """Every rollup there is, and no other, is what `resample` makes of the stored M1 candles."""
    for pair in pairs:
        minutes = store.read(database, pair, M1)
        for granularity in rollups.GRANULARITIES:
            made, expected = rollups.read(database, pair, granularity), resample(minutes, granularity)
            for name in COLUMNS:
                assert np.array_equal(getattr(made, name), getattr(expected, name)), (pair, granularity, name)


def test_rollups_of_the_real_candles(database: Database, data_dir: Path) -> None:
    import_path(database, data_dir / "lean-oanda" / "minute", "lean")
    assert len(rollups.read(database, "EUR_USD", Granularity.H1)) == 0
    made = rollups.refresh(database)
    assert_equal(database, "EUR_USD", "NZD_USD")
    counts = [len(rollups.read(database, p, g)) for p in ("EUR_USD", "NZD_USD") for g in rollups.GRANULARITIES]
    assert sum(counts) == made
    assert counts[3] > 250
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM market_candles WHERE granularity <> 5").fetchone()
        assert row == {"n": 0}, "a rollup is never stored as a candle"
        assert queries.many(connection, "due_rollups", Row) == []


@pytest.mark.parametrize("start", ["2018-03-05", "2018-10-29"])
def test_over_a_change_of_clocks(database: Database, start: str) -> None:
    store.load(database, walk(start, 14))
    rollups.refresh(database)
    assert_equal(database, "EUR_USD")


def test_what_comes_later_is_made_again(database: Database) -> None:
    whole = walk("2018-01-01", 120)
    hole = (whole.time < whole.time[20_000]) | (whole.time > whole.time[20_500])
    store.load(database, whole.take(hole))
    rollups.refresh(database)
    store.load(database, whole)  # the gap is filled
    store.load(database, walk("2017-12-04", 7))  # earlier candles come
    store.load(database, walk("2018-01-01", 2, instrument="USD_JPY"))
    rollups.refresh(database)
    assert_equal(database, "EUR_USD", "USD_JPY")
    part = whole.take(slice(30_000, 30_001))
    store.load(database, replace(part, high=part.high + 1, volume=part.volume + 1), corrections="apply")
    rollups.refresh(database)
    assert_equal(database, "EUR_USD", "USD_JPY")
    assert rollups.read(database, "EUR_USD", Granularity.D).high.max() > 2


def test_live_candles_old_and_new(database: Database) -> None:
    now = int(datetime.now(UTC).timestamp()) // 60 * 60
    minutes = walk("2018-01-01", 5)
    recent = replace(minutes, time=now - 60 * np.arange(len(minutes), 0, -1))
    store.load(database, recent.take(slice(0, -1_000)))
    rollups.refresh(database)
    with database.transaction() as connection:
        store.upsert_live(connection, recent.take(slice(-500, None)))
    rollups.refresh(database)
    with database.transaction() as connection:
        store.upsert_live(connection, recent.take(slice(-1_000, -500)))  # late, but of the last day
        store.upsert_live(connection, replace(minutes.take(slice(0, 1)), time=recent.time[:1] - 864_000))
    assert rollups.refresh(database) > 0
    assert_equal(database, "EUR_USD")


def test_candles_changed_by_hand_need_everything(database: Database) -> None:
    store.load(database, walk("2018-01-01", 40))
    rollups.refresh(database)
    with database.transaction() as connection:
        connection.execute("DELETE FROM market_candles WHERE time < '2018-01-16 03:07+00'")
    rollups.refresh(database)
    with pytest.raises(AssertionError):
        assert_equal(database, "EUR_USD")
    rollups.refresh(database, everything=True)
    assert_equal(database, "EUR_USD")


def test_only_what_is_made_can_be_read(database: Database) -> None:
    with pytest.raises(InputError, match="there are no H2 rollups"):
        rollups.read(database, "EUR_USD", Granularity.H2)


@pytest.mark.parametrize(
    ("version", "license", "expected"),
    [(None, None, False), ("2.19.3", "apache", False), ("2.19.3", "timescale", True), (None, "timescale", False)],
)
def test_the_license_decides(version: str | None, license: str | None, expected: bool) -> None:
    assert Hypertables(version, license).columnstore is expected


@pytest.fixture
def timescaledb(new_database_on: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Database]:
    """A database that knows time_bucket."""
    with new_database_on("timescaledb") as database:
        yield database


@pytest.mark.timescaledb
@pytest.mark.parametrize("granularity", rollups.GRANULARITIES)
def test_continuous_aggregates_select_the_same(timescaledb: Database, data_dir: Path, granularity: Granularity) -> None:
    """The Community build keeps what this statement selects; its SELECT runs on the Apache build as well."""
    import_path(timescaledb, data_dir / "lean-oanda" / "minute", "lean", "EUR_USD")
    store.load(timescaledb, walk("2018-10-29", 14))
    statement = statements.all[f"candles_{granularity.value.lower()}"].text
    match = re.fullmatch(r"CREATE MATERIALIZED VIEW .* AS\n(SELECT .*) WITH NO DATA;?", statement.strip(), re.DOTALL)
    assert match is not None
    expected = resample(store.read(timescaledb, "EUR_USD", M1), granularity)
    with timescaledb.transaction() as connection:
        rows = connection.execute(
            f"SELECT extract(epoch FROM time)::bigint AS time, open, high, low, close, spread, volume::bigint"
            f" FROM ({match.group(1)}) AS made ORDER BY time".encode()
        ).fetchall()
    assert len(rows) > 10
    for name in COLUMNS:
        assert [row[name] for row in rows] == getattr(expected, name).tolist(), name


@pytest.mark.timescaledb
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        *((name, {}) for name in community.AGGREGATES),
        ("columnstore", {}),
        ("refresh_policy", {"name": "market_candles"}),
        ("refresh", {"name": "market_candles"}),
        ("compression_policy", {"after": "14 days"}),
        ("remove_retention_policy", {"name": "market_candles"}),
        ("retention_policy", {"name": "market_candles", "after": "365 days"}),
    ],
)
def test_the_apache_build_understands_and_refuses_what_is_not_its(
    timescaledb: Database, name: str, parameters: dict[str, str]
) -> None:
    with (
        timescaledb.session() as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported, match='not supported under the current "apache" license'),
    ):
        statements.execute(connection, name, **parameters)


@pytest.mark.timescaledb
def test_on_the_community_build_migrations_use_its_features(
    timescaledb: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that the license is timescale, `sep db migrate` sets the columnstore up, which this build refuses."""
    monkeypatch.setattr(Hypertables, "columnstore", property(lambda self: self.version is not None))
    with pytest.raises(StoreError, match='not supported under the current "apache" license'):
        ensure_hypertables(timescaledb, 1)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match='not supported under the current "apache" license'):
        with timescaledb.transaction() as connection:
            connection.execute("CREATE TABLE candles_m5 ()")
        rollups.refresh(timescaledb)


def test_every_community_statement_is_tested() -> None:
    """What is listed above is all there is, but for what the next test runs."""
    tested = {*community.AGGREGATES, "columnstore", "refresh_policy", "refresh", "compression_policy",
              "remove_retention_policy", "retention_policy", "v_candle_rollups", "clear_rollups"}  # fmt: skip
    folder = Path(timescaledb_statements.__file__).parent
    files = [(folder / f"{name}.sql").read_text() for name in ("columnstore", "continuous_aggregates")]
    assert {name for text in files for name in re.findall(r"-- name: (\w+)", text)} == tested


def test_the_view_over_the_aggregates_is_the_view_over_the_rows(database: Database) -> None:
    """With tables in the aggregates' places: the same columns, so that it can take the other's place."""
    store.load(database, walk("2018-01-01", 2))
    assert rollups.refresh(database) > 0
    with database.transaction() as connection:
        statements.execute(connection, "clear_rollups")
        for name in community.AGGREGATES:
            connection.execute(
                f"CREATE TABLE {name} (instrument_id smallint, time timestamptz, open float8, high float8, low float8,"
                " close float8, spread float8, volume bigint)".encode()
            )
        connection.execute("INSERT INTO candles_h4 SELECT id, '2018-01-01 22:00+00', 1, 4, 0, 2, 5, 6 FROM instruments")
        statements.execute(connection, "v_candle_rollups")
    [candle] = rollups.read(database, "EUR_USD", Granularity.H4).close.tolist()
    assert candle == 2
    assert len(rollups.read(database, "EUR_USD", Granularity.D)) == 0


def test_with_continuous_aggregates_no_rows_are_made_and_no_notes_pile_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load(database, walk("2018-01-01", 2))
    refreshed: list[object] = []
    monkeypatch.setattr(Hypertables, "columnstore", True)
    monkeypatch.setattr(community, "refresh", refreshed.append)
    assert rollups.refresh(database) == 0
    assert len(refreshed) == 1
    with database.transaction() as connection:
        assert queries.many(connection, "due_rollups", Row) == []
    assert len(rollups.read(database, "EUR_USD", Granularity.H1)) == 0
