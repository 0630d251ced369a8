"""What every importer does with bad rows and bad files, by the command: good rows stay, bad ones are listed, exit 3."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sep_trader.errors import InputError
from sep_trader.history.job import import_path
from sep_trader.market.clock import format_rfc3339, from_epoch, parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database

START = int(parse_rfc3339("2014-05-01T10:00:00Z").timestamp())
# Minutes after START, open, high, low, close, and why the row is refused.
ROWS = (
    (0, "1.30000", "1.30010", "1.29990", "1.30005", None),
    (1, "1.30000", "1.29999", "1.29990", "1.29995", "high is below open or close"),
    (2, "1.30000", "1.30010", "1.30001", "1.30005", "low is above open or close"),
    (3, "-1.30000", "1.30010", "-1.30000", "1.30005", "a price is not positive"),
    (4.5, "1.30000", "1.30010", "1.29990", "1.30005", "time is not on the M1 grid"),
    (5, "1.300001", "1.30010", "1.29990", "1.30005", "a price has more than 5 decimals"),
    (6, "1.30000", "1.30010", "1.29990", "1.30005", None),
    (6, "1.30000", "1.30010", "1.29990", "1.30005", "duplicate time"),
    (2, "1.30000", "1.30010", "1.29990", "1.30005", "time is before that of the row above"),
    (7, "1.30000", "1.30010", "1.29990", "1.30005", None),
)  # fmt: skip
FUTURE = "time is in the future"
Row = tuple[float, str, str, str, str]


def at(minute: float) -> str:
    return format_rfc3339(from_epoch(START + int(minute * 60)))


def lean(folder: Path, rows: list[Row]) -> tuple[Path, int]:
    target = folder / "minute" / "eurusd" / "20140501_quote.zip"
    target.parent.mkdir(parents=True)
    day = START - START % 86_400
    lines = [
        f"{int((START + m * 60 - day) * 1_000)},{o},{h},{low},{c},0,{o},{h},{low},{c},0" for m, o, h, low, c in rows
    ]
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("20140501_eurusd_minute_quote.csv", "\n".join(lines))
    return target, 1


def histdata(folder: Path, rows: list[Row]) -> tuple[Path, int]:
    target = folder / "DAT_ASCII_EURUSD_M1_2014.csv"
    lines = []
    for m, *prices in rows:
        local = from_epoch(START - 5 * 3_600 + int(m * 60))
        lines.append(f"{local:%Y%m%d %H%M%S};{';'.join(prices)};0")
    target.write_text("\n".join(lines))
    return target, 1


def dukascopy(folder: Path, rows: list[Row]) -> tuple[Path, int]:
    target = folder / "EURUSD_Candlestick_1_M_BID.csv"
    lines = ["Gmt time,Open,High,Low,Close,Volume"]
    for m, *prices in rows:
        when = from_epoch(START + int(m * 60))
        lines.append(f"{when:%d.%m.%Y %H:%M:%S}.000,{','.join(prices)},1.5")
    target.write_text("\n".join(lines))
    return target, 2


def oanda(folder: Path, rows: list[Row]) -> tuple[Path, int]:
    target = folder / "EUR_USD.json"
    candles = [
        {"complete": True, "volume": 1, "time": at(m).replace("Z", ".000000000Z"),
         "mid": dict(zip("ohlc", prices, strict=True))}
        for m, *prices in rows
    ]  # fmt: skip
    target.write_text(json.dumps({"instrument": "EUR_USD", "granularity": "M1", "candles": candles}))
    return target, 1


def generic(folder: Path, rows: list[Row]) -> tuple[Path, int]:
    target = folder / "eurusd.csv"
    lines = ['"time","open","high","low","close"']
    target.write_text("\n".join([*lines, *(f'"{at(m)}",{",".join(p)}' for m, *p in rows)]))
    return target, 2


FORMATS: dict[str, Callable[[Path, list[Row]], tuple[Path, int]]] = {
    "lean": lean, "histdata": histdata, "dukascopy": dukascopy, "oanda-json": oanda, "csv": generic,
}  # fmt: skip


def sep(database: Database, home: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("sep")), *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("format", FORMATS)
def test_bad_rows_are_listed_and_good_ones_stay(database: Database, tmp_path: Path, format: str) -> None:
    rows: list[Row] = [row[:5] for row in ROWS]
    reasons = [row[5] for row in ROWS]
    if format != "lean":  # whose date is that of the file
        rows.append((60 * 24 * 365 * 200, "1.30000", "1.30010", "1.29990", "1.30005"))
        reasons.append(FUTURE)
    file, first_line = FORMATS[format](tmp_path, rows)
    done = sep(database, tmp_path, "data", "import", file, "--format", format, "--granularity", "M1", "--json")
    assert done.returncode == 3, done.stderr
    with file.with_name(file.name + ".rejected.csv").open(newline="") as listed:
        found = {int(row["line"]): row["reason"] for row in csv.DictReader(listed)}
    expected = {n: reason for n, reason in enumerate(reasons, start=first_line) if reason}
    assert found.keys() == expected.keys()
    for line, reason in expected.items():
        assert found[line].removeprefix("bid: ") == reason
    stored = store.read(database, "EUR_USD", Granularity.M1)
    assert [(t - START) / 60 for t in stored.time.tolist()] == [0, 6, 7]
    assert import_path(database, file, format, granularity=Granularity.M1).result == store.LoadResult(duplicates=3)


GOOD: list[Row] = [(m, "1.30000", "1.30010", "1.29990", "1.30005") for m in range(5)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_two_pairs_is_refused_as_a_whole(database: Database, tmp_path: Path, format: str) -> None:
    yen: list[Row] = [(m, "102.000", "102.010", "101.990", "102.005") for m in range(5, 9)]
    file, _ = FORMATS[format](tmp_path, [*GOOD, *yen])
    with pytest.raises(InputError, match="to 102 at 2014-05-01T10:05:00Z: not EUR_USD alone, nothing stored"):
        import_path(database, file, format, granularity=Granularity.M1)
    assert len(store.read(database, "EUR_USD", Granularity.M1)) == 0


def test_a_column_that_names_the_pair_is_believed(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    row = ",1.30000,1.30010,1.29990,1.30005"
    file.write_text(f"time,symbol,open,high,low,close\n{at(0)},EURUSD{row}\n{at(1)},GBP/USD{row}\n")
    command = ["data", "import", file, "--format", "csv", "-i", "EUR_USD", "-g", "M1", "--columns", "instrument=symbol"]
    done = sep(database, tmp_path, *command)
    assert done.returncode == 2
    assert "holds 'GBP/USD' in line 3, not EUR_USD only" in done.stderr
    assert len(store.read(database, "EUR_USD", Granularity.M1)) == 0
    file.write_text(f"time,instrument,open,high,low,close\n{at(0)},EURUSD{row}\n{at(1)},EUR/USD{row}\n")
    assert sep(database, tmp_path, *command[:-2]).returncode == 0
    assert len(store.read(database, "EUR_USD", Granularity.M1)) == 2


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_zip_among_good_ones(database: Database, data_dir: Path, tmp_path: Path, damage: str) -> None:
    """The files before it stay whole, and the same command goes on when it is mended."""
    source = data_dir / "lean-oanda" / "minute" / "eurusd"
    folder = tmp_path / "minute" / "eurusd"
    folder.mkdir(parents=True)
    names = sorted(f.name for f in source.iterdir())[:3]
    for name in names:
        (folder / name).write_bytes((source / name).read_bytes())
    whole = (folder / names[2]).read_bytes()
    damaged = whole[: len(whole) // 2] if damage == "cut" else whole[:2_000] + bytes(500) + whole[2_500:]
    (folder / names[2]).write_bytes(damaged)
    done = sep(database, tmp_path, "data", "import", tmp_path, "--format", "lean")
    assert done.returncode == 3
    assert f"{names[2]} is a damaged or cut-off zip".replace(" ", "") in "".join(done.stdout.split())
    assert len(done.stderr.strip().splitlines()) == 1
    before = len(store.read(database, "EUR_USD", Granularity.M1))
    (folder / names[2]).write_bytes(whole)
    report = import_path(database, tmp_path, "lean")
    assert report.result.duplicates == before > 2_000
    assert report.files[2].result.inserted > 100
