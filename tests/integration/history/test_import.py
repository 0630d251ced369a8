"""Imports into a real database, by the library and by the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sep_trader.history.job import import_path
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database

GOOD = "2014-05-01T00:0{}:00Z,1.3,1.3,1.3,1.3"
BAD = "2014-05-01T00:05:00Z,1.3,1.2,1.3,1.3"


def sep(database: Database, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("sep")), *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


def test_the_real_files_hold_what_their_readme_says(database: Database, data_dir: Path) -> None:
    report = import_path(database, data_dir / "lean-oanda", "lean")
    assert (report.result.inserted, report.refused, report.result.corrections) == (182_617, 0, ())
    rows = {(r.instrument, r.granularity): r.candles for r in store.coverage(database)}
    assert rows == {
        ("EUR_USD", "M1"): 18_184, ("EUR_USD", "H1"): 74_439, ("NZD_USD", "M1"): 15_543, ("NZD_USD", "H1"): 74_451,
    }  # fmt: skip
    again = import_path(database, data_dir / "lean-oanda", "lean", "EUR_USD", Granularity.H1)
    assert (again.result.inserted, again.result.duplicates) == (0, 74_439)


def test_refused_rows_give_exit_code_3_and_the_good_ones_stay(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "eurusd.csv"
    file.write_text("\n".join(["time,open,high,low,close", GOOD.format(0), BAD, GOOD.format(6)]) + "\n")
    done = sep(database, tmp_path, "data", "import", file, "--format", "csv", "--granularity", "M1", "--json")
    assert done.returncode == 3
    assert "1 rows were refused, the others are stored" in done.stderr
    report = json.loads(done.stdout)
    assert (report["inserted"], report["refused"]) == (2, 1)
    assert Path(report["files"][0]["rejected_file"]).read_text().splitlines()[1].startswith("3,high is below")
    assert len(store.read(database, "EUR_USD", Granularity.M1)) == 2


def test_wrong_input_is_one_line_and_changes_nothing(database: Database, tmp_path: Path, data_dir: Path) -> None:
    hour = data_dir / "lean-oanda" / "hour" / "eurusd.zip"
    for arguments, message in (
        (["nowhere.csv", "--format", "csv"], "no such file or folder"),
        ([hour, "--format", "xml"], "unknown format 'xml'"),
        ([hour, "--format", "histdata"], "is --format right?"),
        ([hour, "--format", "lean", "--instrument", "USD_JPY"], "is of EUR_USD, not USD_JPY"),
        ([data_dir / "lean-oanda" / "tick" / "eurusd" / "20140501_quote.zip", "--format", "lean"], "holds ticks"),
        ([hour, "--format", "lean", "--corrections", "perhaps"], "report or apply"),
    ):
        done = sep(database, tmp_path, "data", "import", *arguments)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert store.coverage(database) == []


def test_status_gaps_storage_and_plan_by_command(database: Database, data_dir: Path, tmp_path: Path) -> None:
    import_path(database, data_dir / "lean-oanda", "lean", "NZD_USD", Granularity.M1)
    [row] = json.loads(sep(database, tmp_path, "data", "status", "--json").stdout)
    assert (row["candles"], row["missing"]) == (15_543, row["unasked"])
    gaps = json.loads(sep(database, tmp_path, "data", "gaps", "-i", "NZD_USD", "--json").stdout)
    assert sum(gap["missing"] for gap in gaps) == row["missing"]
    assert len(gaps) == row["gaps"]
    storage = json.loads(sep(database, tmp_path, "storage", "--json").stdout)
    assert len(storage["areas"]) == 7
    plan = ["storage", "plan", "--pairs", "28", "--granularities", "M1", "--years", "2", "--json"]
    answer = json.loads(sep(database, tmp_path, *plan).stdout)
    assert [row["granularity"] for row in answer["granularities"]] == ["M1", "rollups"]
    minutes, made = answer["granularities"]
    assert minutes["candles"] == pytest.approx(28 * 2 * 372_000, rel=0.01)
    assert made["candles"] == pytest.approx(0.32 * minutes["candles"], rel=0.01)
    assert answer["bytes"] == minutes["bytes"] + made["bytes"]
    assert 3e9 < answer["bytes"] < 3.5e9
    assert answer["fits"] is True
    done = sep(database, tmp_path, "maintenance", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["candles_dropped"] == 0
