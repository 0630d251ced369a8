"""What people really have, by the command: stored right, or refused in one sentence, never stored wrong."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.support import recorded
from tests.support.candles import random_walk

from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database

Sep = Callable[..., "subprocess.CompletedProcess[str]"]
H1, M1 = Granularity.H1, Granularity.M1


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A writable copy of the inputs."""
    folder = tmp_path / "cases"
    shutil.copytree(recorded.beside("cases"), folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


@pytest.fixture
def sep(database: Database, tmp_path: Path) -> Sep:
    """Run the command on the test's database."""
    environment = {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)}

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "sep_trader", *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def refused(done: "subprocess.CompletedProcess[str]", *said: str) -> None:
    """One line, exit code 2, no traceback."""
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    for text in said:
        assert text in done.stderr


def test_a_local_time_is_asked_which(sep: Sep, cases: Path, database: Database) -> None:
    file = cases / "dukascopy-local-time.csv"
    refused(sep("data", "import", file, "-f", "dukascopy", "-i", "EUR_GBP", "-g", "M1"), "'Local time'", "--timezone")
    assert len(store.read(database, "EUR_GBP", M1)) == 0
    done = sep("data", "import", file, "-f", "dukascopy", "-i", "EUR_GBP", "-g", "M1", "--timezone", "+03:00")
    assert done.returncode == 0
    assert store.read(database, "EUR_GBP", M1).time[0] == 1_504_674_000  # 05:00 UTC


def test_spreads_in_points_are_prices(sep: Sep, cases: Path, database: Database) -> None:
    file = cases / "mt5-rates-spread-in-points.csv"
    assert sep("data", "import", file, "-f", "csv", "-i", "EUR_USD", "-g", "H1").returncode == 0
    assert store.read(database, "EUR_USD", H1).spread.tolist() == [0.00008, 0.00008, 0.00021]


def test_spreads_of_an_unknown_unit_stop_the_file(sep: Sep, tmp_path: Path) -> None:
    file = tmp_path / "EURUSD_H1.csv"
    file.write_text(
        "time,open,high,low,close,spread\n2025-04-16T22:00:00Z,1.1,1.1,1.1,1.1,8\n2025-04-16T23:00:00Z,1.1,1.1,1.1,1.1,9\n"
    )
    refused(sep("data", "import", file), "its spreads are around 8.5 at prices around 1.1: not price units")


def test_hours_are_not_minutes(sep: Sep, cases: Path, database: Database) -> None:
    file = cases / "EURUSD_H1.csv"
    done = sep("data", "import", file, "-f", "csv", "-i", "EUR_USD", "-g", "M1")
    refused(done, "its name says H1", "no two of its rows are nearer than an hour")
    assert len(store.read(database, "EUR_USD", M1)) == 0


def test_milliseconds_are_said(sep: Sep, cases: Path, database: Database) -> None:
    file = cases / "epoch-milliseconds.csv"
    refused(sep("data", "import", file, "-f", "csv", "-i", "EUR_USD", "-g", "D"), "milliseconds")
    done = sep("data", "import", file, "-f", "csv", "-i", "EUR_USD", "-g", "M1", "--time-format", "ms")
    assert done.returncode == 0
    assert store.read(database, "EUR_USD", M1).time.tolist() == [1_708_905_600, 1_708_905_660]


def test_only_fillers_are_left_out_and_each_is_listed(sep: Sep, cases: Path, database: Database) -> None:
    file = cases / "USDTRY_BID_M1.csv"
    done = sep("data", "import", file, "-f", "dukascopy", "-i", "USD_TRY", "-g", "M1", "--json")
    assert json.loads(done.stdout)["left_out"] == 1
    assert len(store.read(database, "USD_TRY", M1)) == 3
    with file.with_name(file.name + ".leftout.csv").open(newline="") as listed:
        [row] = list(csv.DictReader(listed))
    assert (row["line"], row["reason"][:23]) == ("4", "flat and without volume")


def test_incomplete_candles_and_noise_behind_the_decimals(sep: Sep, cases: Path, database: Database) -> None:
    first = sep("data", "import", cases / "pandas-complete-USDJPY_H1.csv", "-f", "csv", "-g", "H1", "--json")
    assert (json.loads(first.stdout)["inserted"], json.loads(first.stdout)["left_out"]) == (2, 1)
    second = json.loads(
        sep("data", "import", cases / "USD_JPY_H1.json", "-f", "oanda-json", "-g", "H1", "--json").stdout
    )
    assert (second["inserted"], second["duplicates"], second["corrections"]) == (1, 2, 0)
    assert store.read(database, "USD_JPY", H1).close.tolist() == [128.39, 128.41, 128.85]


@pytest.mark.parametrize(
    "setting",
    ["datestyle = 'German, DMY'", "timezone = 'Asia/Tokyo'", "search_path = 'nowhere'", "client_encoding = 'LATIN1'",
     "standard_conforming_strings = off", "intervalstyle = 'sql_standard'", "extra_float_digits = '-5'"],
)  # fmt: skip
def test_settings_of_the_database_do_not_leak(sep: Sep, database: Database, setting: str) -> None:
    store.load(database, random_walk(3))
    with psycopg.connect(database.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    assert sep("status").returncode == 0
    assert sep("data", "status", "--json").returncode == 0
    turned = sep("trade", "state", "halted", "--by", "Ünal", "--reason", "it's \\ odd")
    assert turned.returncode == 0, turned.stderr
    [row] = json.loads(sep("trade", "changes", "--json").stdout)["changes"][:1]
    assert (row["changed_by"], row["reason"]) == ("Ünal", "it's \\ odd")


def test_an_encoding_that_cannot_work_is_refused(database: Database, tmp_path: Path) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    url = database.url.replace(f"/{psycopg.conninfo.conninfo_to_dict(database.url)['dbname']}?", "/ascii?")
    environment = {**os.environ, "SEP_DATABASE_URL": url, "SEP_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "sep_trader", "db", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (4, 1), done.stderr
    assert "SQL_ASCII" in done.stderr


def test_both_sides_and_crossed_quotes(sep: Sep, database: Database, tmp_path: Path) -> None:
    """FXCM's two files: crossed by up to two pips is stored with spread 0 and counted, beyond is refused."""
    bid = ["DateTime,Open,High,Low,Close"]
    ask = list(bid)
    for minute, crossed in enumerate((0, 0, 1, 16, 25, 0)):
        when = f"05/14/2012 10:{minute:02}:00"
        bid.append(f"{when},1.60000,1.60050,1.59950,1.60010")
        close = 1.60010 + (0.00020 if crossed == 0 else -crossed * 0.00001)
        ask.append(f"{when},1.60020,1.60070,1.59970,{close:.5f}")
    ask.pop(2)
    (tmp_path / "gbpusd-m1-bid-2012.csv").write_text("\n".join(bid))
    (tmp_path / "gbpusd-m1-ask-2012.csv").write_text("\n".join(ask))
    files = ("--bid", tmp_path / "gbpusd-m1-bid-2012.csv", "--ask", tmp_path / "gbpusd-m1-ask-2012.csv")
    done = sep("data", "import", *files, "-f", "fxcm", "-i", "GBP_USD", "-g", "M1", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert (report["inserted"], report["crossed"], report["refused"], report["left_out"]) == (4, 2, 1, 1)
    assert store.read(database, "GBP_USD", M1).spread.tolist() == [0.0002, 0.0, 0.0, 0.0002]
    strict = sep("data", "import", *files, "-f", "fxcm", "-i", "GBP_USD", "-g", "M1", "--crossed-pips", 0, "--json")
    assert json.loads(strict.stdout)["refused"] == 3
    # Found by their names, too.
    again = sep("data", "import", tmp_path, "-f", "fxcm", "--json")
    assert json.loads(again.stdout)["duplicates"] == 4


def test_the_other_side_of_stored_quotes_is_recognised(sep: Sep, database: Database, tmp_path: Path) -> None:
    candles = random_walk(200)
    for name, shift in (("one", 0.0), ("other", 0.00012)):
        rows = ["time,open,high,low,close"]
        columns = np.column_stack([candles.open, candles.high, candles.low, candles.close]) + shift
        for time, bars in zip(candles.time.tolist(), columns.tolist(), strict=True):
            rows.append(",".join([str(time), *(f"{price:.5f}" for price in bars)]))
        (tmp_path / f"{name}.txt").write_text("\n".join(rows))
    options = ("-f", "tradingview", "-i", "EUR_USD", "-g", "M1")
    assert sep("data", "import", tmp_path / "one.txt", *options).returncode == 0
    done = sep("data", "import", tmp_path / "other.txt", *options)
    told = " ".join(done.stdout.split())
    assert "1.2 pip above them, as the other side of the same quotes is" in told
    with database.transaction() as connection:
        [logged] = connection.execute("SELECT message, context FROM system_logs").fetchall()
    assert logged["context"]["candles"] == 200
    assert len((tmp_path / "other.txt.differs.csv").read_text().splitlines()) == 201


def test_force_is_recorded(sep: Sep, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "eurusd_H1.csv"
    file.write_text(
        "\n".join(["time,open,high,low,close", *(f"{1_400_000_040 + 60 * n},1.3,1.3,1.3,1.3" for n in range(5))])
    )
    refused(sep("data", "import", file, "-g", "M1"), "its name says H1, not M1", "--force REASON")
    assert sep("data", "import", file, "-g", "M1", "--force", "the name is old").returncode == 0
    with database.transaction() as connection:
        [row] = connection.execute("SELECT event, message FROM system_logs").fetchall()
    assert row["event"] == "import_forced" and row["message"].endswith("its name says H1, not M1: the name is old")


def test_what_sniff_says_imports(sep: Sep, database: Database, tmp_path: Path) -> None:
    """MetaTrader's server clock, read off the weeks; the command that it prints is run as it stands."""
    from tests.property.test_imports import SUMMER, series, written

    original = series(SUMMER)
    path = written(tmp_path, original, "mt5", "ny+7", 1).rename(tmp_path / "EURUSD_M15.csv")
    found = json.loads(sep("data", "sniff", path, "--json").stdout)
    assert {key: found[key] for key in ("format", "instrument", "granularity", "timezone", "side")} == {
        "format": "mt5", "instrument": "EUR_USD", "granularity": "M15", "timezone": "ny+7", "side": "bid",
    }  # fmt: skip
    assert sep(*found["command"].split()[1:]).returncode == 0
    assert store.read(database, "EUR_USD", Granularity.M15).time.tolist() == original.time.tolist()
    shown = sep("data", "sniff", path).stdout
    assert "--timezone ny+7" in shown and all(len(line) <= 120 for line in shown.splitlines()[:-1])


@pytest.mark.parametrize(
    ("format", "known"), [("csv", True), ("parquet", True), ("lean", True), ("csv", False), ("parquet", False)]
)
def test_what_is_exported_is_imported(sep: Sep, database: Database, tmp_path: Path, format: str, known: bool) -> None:
    candles = random_walk(500)
    if not known:
        candles = replace(candles, spread=np.where(np.arange(500) % 3, candles.spread, np.nan))
    store.load(database, candles)
    target = tmp_path / ("lean" if format == "lean" else f"EURUSD_M1.{format}")
    assert sep("data", "export", target, "-i", "EUR_USD", "-f", format).returncode == 0
    with database.transaction() as connection:
        connection.execute("TRUNCATE market_candles")
    done = sep("data", "import", target, "-f", format)
    assert done.returncode == 0, done.stderr
    again = store.read(database, "EUR_USD", M1)
    assert np.array_equal(again.time, candles.time)
    assert np.array_equal(again.spread, candles.spread, equal_nan=True)
    for name in ("open", "high", "low", "close"):
        off = np.abs(getattr(again, name) - getattr(candles, name)).max()
        assert off == 0 if format != "lean" else off <= 1.01e-5, name


def test_load_gives_other_libraries_what_is_stored(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    import sep_trader

    candles = random_walk(600)
    store.load(database, candles)
    monkeypatch.setenv("SEP_DATABASE_URL", database.url)
    found = sep_trader.load("EUR_USD", "M1", "2014-05-13T17:00:00Z", "2014-05-13T18:00:00Z")
    assert len(found) == 60
    frame = sep_trader.load("EUR_USD", "M1", kind="polars")
    assert frame["close"].to_list() == candles.close.tolist()
    assert sep_trader.load("EUR_USD", "M1", kind="arrow").num_rows == 600
    hours = sep_trader.load("EUR_USD", "H1")  # made of minutes
    assert len(hours) == 9 and hours.volume.sum() < candles.volume.sum()


def test_longer_candles_are_made_of_minutes_for_training(sep: Sep, database: Database) -> None:
    store.load(database, random_walk(60_000))
    done = sep("train", "EUR_USD", "-g", "H1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["spreads"]["candles"] >= 998


def test_no_pair_is_ready_without_a_spread(sep: Sep, database: Database, tmp_path: Path) -> None:
    """One market with a planted pattern, as mid prices only: NOT READY by rule, whatever the figures say."""
    market = tmp_path / "market"
    done = sep(
        "exchange", "market", "--out", market, "--pairs", "EUR_USD,NZD_USD", "--days", 60, "--seed", 3, "--edge", 0.6
    )
    assert done.returncode == 0, done.stderr
    assert sep("data", "import", market, "-f", "lean").returncode == 0
    with database.transaction() as connection:
        connection.execute("UPDATE market_candles SET spread = 'NaN'")
    results = json.loads(sep("train-all", "--json").stdout)["results"]
    assert [one["verdict"] for one in results] == ["NOT_READY", "NOT_READY"]
    assert all("NO_SPREAD" in one["reasons"] for one in results)
    pairs = json.loads(sep("status", "--json").stdout)["pairs"]
    assert all("NO_SPREAD" in one["reasons"] for one in pairs)
    # It is the missing spread that is in the way: with next to none declared, the pattern is found.
    declared = json.loads(sep("train-all", "--spread-pips", 0.1, "--json").stdout)["results"]
    assert [one["verdict"] for one in declared] == ["READY", "READY"], [one["reason"] for one in declared]
    assert all("spread declared: 0.1 pip" in one["reason"] for one in declared)
    dear = json.loads(sep("train", "EUR_USD", "--spread-pips", 5, "--json").stdout)["results"]
    assert (dear[0]["verdict"], dear[0]["trades"]) == ("UNDECIDABLE", 0), "nothing pays 5 pips in training"
    assert dear[0]["reasons"] == ["TOO_FEW_TRADES", "BELOW_THRESHOLD"], "nor is what was booked before kept"


@pytest.mark.parametrize("text", ["hello", "hello\nworld\n", "a,b,c\n1,2,3\n"])
def test_what_is_no_candle_file_is_said(sep: Sep, tmp_path: Path, text: str) -> None:
    (tmp_path / "README.txt").write_text(text)
    refused(sep("data", "sniff", "README.txt"), "README.txt", "does not look like candles")


def test_a_header_alone_is_said(sep: Sep, tmp_path: Path) -> None:
    (tmp_path / "EURUSD_H1.csv").write_text("time,open,high,low,close\n")
    done = sep("data", "import", "EURUSD_H1.csv")
    assert done.returncode == 0 and "it has a header and no rows" in done.stdout
