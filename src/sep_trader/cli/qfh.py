"""`sep qfh`: bits and window metrics of a candle file."""

import csv
import io
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import orjson
import typer
from rich.console import Console
from rich.table import Table

from sep_trader.errors import InputError
from sep_trader.market.clock import format_rfc3339, from_epoch, parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.qfh.bits import NO_BIT, encode_bits, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import check_window
from sep_trader.qfh.reference import METRICS, reference_metrics

app = typer.Typer(name="qfh", no_args_is_help=True, help="Bits and window metrics of candles.")

COLUMNS = ("time", "open", "high", "low", "close")
PRICES = COLUMNS[1:]
TABLE_WIDTH = 118


@app.callback()
def group() -> None:
    """Bits and window metrics of candles."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What the analysis needs of a candle file: start times in seconds, open and close."""

    time: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]

    @property
    def smallest_step(self) -> int:
        """Smallest time step in seconds; a minute where there is only one candle."""
        return int(np.diff(self.time).min()) if len(self.time) > 1 else 60


@app.command()
def metrics(
    file: Annotated[Path, typer.Argument(help="CSV with a header: time,open,high,low,close (times RFC 3339).")],
    encoder: Annotated[str, typer.Option(help="direction, body, magnitude or magnitude(M).")] = "direction",
    window: Annotated[int, typer.Option(help="Window length in bits, 8..512.")] = 32,
    granularity: Annotated[str, typer.Option(help="Such as M1; default: the file's smallest time step.")] = "",
    theta: Annotated[float, typer.Option(help="Share of null or rupture that is a collapse.")] = 0.3,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for every candle.")] = False,
    rows: Annotated[int, typer.Option(help="Rows of the table.", min=1)] = 20,
) -> None:
    """Compute the window metrics of a candle file, at every candle."""
    kind = Encoder.parse(encoder)
    check_window(window)
    if not 0.0 <= theta <= 1.0:
        raise InputError(f"theta {theta} is outside 0..1", "for example 0.3")
    seconds = Granularity.parse(granularity).seconds if granularity else 0
    series = read_series(file)
    if window > len(series.time):
        raise InputError(
            f"{file}: window {window} is longer than the series of {len(series.time)} candles",
            f"a window of {window} bits needs at least {window + kind.warmup} candles",
        )
    starts = session_starts(series.time, seconds or series.smallest_step)
    bits = encode_bits(series.open, series.close, starts, kind)
    values, collapse, valid = reference_metrics(bits, starts, window, theta=theta)
    if json:
        _print_json(series, bits, values, collapse, valid)
    else:
        first = max(0, len(bits) - rows)
        _print_table(f"{file.name}: {kind}, window {window}", first, series, bits, values, collapse, valid)


def read_series(path: Path) -> Series:
    """Read a candle file; raises InputError that names file, line and what was expected."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "give the path of a CSV file with candles") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f"{path} line 1: no column {', '.join(missing)}", f"a header with at least {','.join(COLUMNS)}"
        )
    place = {name: header.index(name) for name in COLUMNS}
    times: list[int] = []
    prices: list[tuple[float, ...]] = []
    try:
        for row in reader:
            if not row:
                continue
            where = f"{path} line {reader.line_num}"
            if len(row) != len(header):
                raise InputError(f"{where}: {len(row)} fields", f"expected {len(header)} as in the header")
            time = _time(where, row[place["time"]])
            if times and time <= times[-1]:
                what = "a duplicate of" if time == times[-1] else "before"
                raise InputError(f"{where}: time {row[place['time']]} is {what} the one above", "times must increase")
            times.append(time)
            prices.append(tuple(_price(where, name, row[place[name]]) for name in PRICES))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}", "expected comma-separated values") from None
    table = np.array(prices, dtype=np.float64).reshape(len(times), len(PRICES))
    return Series(np.array(times, dtype=np.int64), table[:, 0].copy(), table[:, 3].copy())


def _time(where: str, text: str) -> int:
    expected = "expected RFC 3339 with a zone and whole seconds, such as 2014-05-01T00:01:00Z"
    try:
        moment = parse_rfc3339(text)
    except InputError:
        raise InputError(f"{where}: time '{text}'", expected) from None
    if moment.microsecond:
        raise InputError(f"{where}: time '{text}'", expected)
    return int(moment.timestamp())


def _price(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise InputError(f"{where}: {name} '{text}'", "expected a finite price above 0")
    return value


Values = dict[str, npt.NDArray[np.float64]]
Mask = npt.NDArray[np.bool_]


def _print_json(series: Series, bits: npt.NDArray[np.int8], values: Values, collapse: Mask, valid: Mask) -> None:
    columns = [(name, values[name].tolist()) for name in METRICS]
    lines: list[bytes] = []
    flat = zip(series.time.tolist(), bits.tolist(), collapse.tolist(), valid.tolist(), strict=True)
    for at, (time, bit, collapsed, full) in enumerate(flat):
        row: dict[str, object] = {"time": format_rfc3339(from_epoch(time)), "bit": None if bit == NO_BIT else bit}
        row |= {name: column[at] if full else None for name, column in columns}
        row["collapse"] = collapsed if full else None
        lines.append(orjson.dumps(row))
    sys.stdout.write("".join(line.decode() + "\n" for line in lines))


def _print_table(
    title: str, first: int, series: Series, bits: npt.NDArray[np.int8], values: Values, collapse: Mask, valid: Mask
) -> None:
    table = Table(title=title, box=None, padding=(0, 1))
    for name in ("time", "bit", *METRICS, "collapse"):
        table.add_column(name, justify="left" if name == "time" else "right", no_wrap=True)
    for at in range(first, len(bits)):
        cells = [f"{values[name][at]:.3f}" if valid[at] else "-" for name in METRICS]
        bit = "-" if bits[at] == NO_BIT else str(bits[at])
        flag = ("yes" if collapse[at] else "no") if valid[at] else "-"
        table.add_row(format_rfc3339(from_epoch(int(series.time[at]))), bit, *cells, flag)
    console = Console()
    # A narrower terminal folds the lines; dropping columns would hide the metrics.
    Console(width=max(console.width, TABLE_WIDTH)).print(table)
