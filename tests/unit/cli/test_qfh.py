"""`sep qfh metrics`, driven as a person does: a file in, lines out, one line of complaint for bad input."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from sep_trader.cli.main import app
from sep_trader.errors import InputError

KEYS = ["time", "bit", "null", "flip", "rupture", "up", "entropy", "coherence", "stability", "damping", "trend",
        "collapse"]  # fmt: skip
PRICES = ("open", "high", "low", "close")
BITS = (1, 1, 1, 0, 1, 1, 0, 0)


def _file(folder: Path, rows: list[str], header: str = "time,open,high,low,close") -> Path:
    path = folder / "candles.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def _rows() -> list[str]:
    closes = [100]
    for bit in BITS:
        closes.append(closes[-1] + 2 * bit - 1)
    return [f"2014-05-01T00:{minute:02}:00Z,{c},{c},{c},{c}" for minute, c in enumerate(closes)]


def _lines(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(app, ["qfh", "metrics", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_one_object_a_line_with_nulls_where_there_is_no_full_window(tmp_path: Path) -> None:
    lines = _lines(str(_file(tmp_path, _rows())), "--encoder", "direction", "--window", "8")
    assert [list(line) for line in lines] == [KEYS] * 9
    assert [line["bit"] for line in lines] == [None, *BITS]
    for line in lines[:8]:
        assert [line[key] for key in KEYS[2:]] == [None] * 10
    last = lines[8]
    assert (last["time"], last["flip"], last["up"], last["collapse"]) == ("2014-05-01T00:08:00Z", 3 / 7, 5 / 8, True)
    assert last["stability"] == pytest.approx(1 - 3 / 5)


def test_the_granularity_decides_where_a_session_ends(tmp_path: Path) -> None:
    rows = [*_rows(), "2014-05-01T00:30:00Z,1,1,1,1"]
    assert _lines(str(_file(tmp_path, rows)), "--window", "8")[-1]["bit"] is None
    assert _lines(str(_file(tmp_path, rows)), "--window", "8", "--granularity", "M5")[-1]["bit"] == 0


def test_other_columns_and_zones_are_fine(tmp_path: Path) -> None:
    rows = [f"7,{row.replace('Z', '+00:00')}" for row in _rows()]
    assert len(_lines(str(_file(tmp_path, rows, "Volume,Time,Open,High,Low,Close")), "--window", "8")) == 9


def test_bid_and_ask_are_read_as_the_mid_prices_of_the_named_pair(tmp_path: Path) -> None:
    sides = [row.split(",") for row in _rows()]
    rows = [",".join([time, *prices, *prices]) for time, *prices in sides]
    header = ",".join(["time", *(f"{side}_{name}" for side in ("bid", "ask") for name in PRICES)])
    found = _lines(str(_file(tmp_path, rows, header)), "--window", "8", "--pair", "EUR_USD")
    assert found == _lines(str(_file(tmp_path, _rows())), "--window", "8")


def test_bid_and_ask_of_an_unknown_pair_are_refused(tmp_path: Path) -> None:
    header = ",".join(["time", *(f"{side}_{name}" for side in ("bid", "ask") for name in PRICES)])
    rows = ["2014-05-01T00:00:00Z" + ",1" * 8]
    with pytest.raises(InputError, match="--pair EUR_USD"):
        _lines(str(_file(tmp_path, rows, header)), "--window", "8")


def test_other_column_names_are_mapped(tmp_path: Path) -> None:
    path = _file(tmp_path, _rows(), "Date,O,H,L,C")
    assert len(_lines(str(path), "--window", "8", "--columns", "time=Date,open=O,high=H,low=L,close=C")) == 9


def test_a_column_that_names_one_pair_needs_no_other_name(tmp_path: Path) -> None:
    rows = [f"{row},EUR_USD" for row in _rows()]
    path = _file(tmp_path, rows, "time,open,high,low,close,instrument")
    assert len(_lines(str(path), "--window", "8")) == 9
    path = _file(tmp_path, [*rows[:4], rows[4].replace("EUR", "GBP")], "time,open,high,low,close,instrument")
    with pytest.raises(InputError, match="'GBP_USD' in line 6, not EUR_USD only"):
        _lines(str(path), "--window", "8")


def test_without_json_a_table_of_the_last_rows(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["qfh", "metrics", str(_file(tmp_path, _rows())), "--window", "8", "--rows", "2"])
    assert "00:08:00Z" in result.stdout
    assert "00:06:00Z" not in result.stdout
    assert "coherence" in result.stdout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({3: "2014-05-01T00:03:00Z,1,1,1"}, "line 5: 4 fields"),
        ({3: "yesterday,1,1,1,1"}, "line 5: not a time: 'yesterday'"),
        ({3: "2014-05-01T00:03:00,1,1,1,1"}, "line 5: not a time: .* with a zone"),
        ({3: "2014-05-01T00:03:00Z,1,1,1,one"}, "line 5: close: not a number: 'one'"),
        ({3: "2014-05-01T00:03:00Z,nan,1,1,1"}, "line 5: open 'nan'"),
        ({3: "2014-05-01T00:03:00Z,1,1,0,1"}, "line 5: low '0'"),
        ({3: "2014-05-01T00:03:00Z,1,-1,1,1"}, "line 5: high '-1'"),
        ({3: "2014-05-01T00:02:00Z,1,1,1,1"}, "line 5: time .* a duplicate"),
        ({3: "2014-05-01T00:01:30Z,1,1,1,1"}, "line 5: time .* before"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, change: dict[int, str], expected: str) -> None:
    path = _file(tmp_path, [change.get(at, row) for at, row in enumerate(_rows())])
    with pytest.raises(InputError, match=rf"candles\.csv {expected}") as caught:
        _lines(str(path), "--window", "8")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--encoder", "up"], "direction, body, magnitude"),
        (["--window", "7"], r"window 7 is outside 8\.\.512"),
        (["--window", "513"], r"window 513 is outside 8\.\.512"),
        (["--window", "10"], "longer than the series of 9 candles"),
        (["--granularity", "M7"], "unknown granularity 'M7'"),
        (["--window", "8", "--theta", "1.5"], r"theta 1\.5 is outside 0\.\.1"),
    ],
)
def test_a_bad_option_says_what_is_allowed(tmp_path: Path, arguments: list[str], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        _lines(str(_file(tmp_path, _rows())), *arguments)


def test_a_missing_column_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"candles\.csv has no column low"):
        _lines(str(_file(tmp_path, _rows(), "time,open,high,close,volume")))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"empty\.csv is empty"):
        _lines(str(tmp_path / "empty.csv"))


def test_the_command_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    sep = Path(sys.executable).parent / "sep"
    done = subprocess.run([sep, "qfh", "metrics", tmp_path / "none.csv"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"no such file: {tmp_path / 'none.csv'}" in done.stderr
