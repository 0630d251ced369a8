"""`sep qfh`: bits and window metrics of a candle file."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from sep_trader.cli import render
from sep_trader.errors import InputError
from sep_trader.history import text_reader
from sep_trader.history.formats import TEXT_FORMATS, parse_mapping
from sep_trader.history.naming import pair_in
from sep_trader.history.source import Parsed, ReadOptions, Source
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair, standard_instrument
from sep_trader.qfh.bits import NO_BIT, encode_bits, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import check_window
from sep_trader.qfh.reference import METRICS, reference_metrics

if TYPE_CHECKING:
    from sep_trader.research.devices import Device

app = typer.Typer(name="qfh", no_args_is_help=True, help="Bits and window metrics of candles, and what sweeps run on.")

PRICES = ("open", "high", "low", "close")
SIDED_PRICES = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in PRICES)
TABLE_WIDTH = 118
ROW_HINT = "times: RFC 3339 with a zone and whole seconds, increasing; prices: finite and above 0"


@app.callback()
def group() -> None:
    """Bits and window metrics of candles, and what sweeps run on."""


@app.command()
def metrics(
    file: Annotated[Path, typer.Argument(help="CSV with a header: time,open,high,low,close (times RFC 3339).")],
    encoder: Annotated[str, typer.Option(help="direction, body, magnitude or magnitude(M).")] = "direction",
    window: Annotated[int, typer.Option(help="Window length in bits, 8..512.")] = 32,
    granularity: Annotated[str, typer.Option(help="Such as M1; default: the file's smallest time step.")] = "",
    theta: Annotated[float, typer.Option(help="Share of null or rupture that is a collapse.")] = 0.3,
    instrument: Annotated[
        str, typer.Option("--pair", help="The pair; default: the one that the file is named after.")
    ] = "",
    columns: Annotated[str, typer.Option(help="Our column names to the file's: time=Date,open=O,...")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for every candle.")] = False,
    rows: Annotated[int, typer.Option(help="Rows of the table.", min=1)] = 20,
) -> None:
    """Compute the window metrics of a candle file, at every candle."""
    kind = Encoder.parse(encoder)
    check_window(window)
    if not 0.0 <= theta <= 1.0:
        raise InputError(f"theta {theta} is outside 0..1", "for example 0.3")
    stated = Granularity.parse(granularity) if granularity else None
    candles = read_candles(file, instrument, stated, columns)
    if window > len(candles):
        raise InputError(
            f"{file}: window {window} is longer than the series of {len(candles)} candles",
            f"a window of {window} bits needs at least {window + kind.warmup} candles",
        )
    found = _rows(candles, kind, window, theta, stated.seconds if stated else _smallest_step(candles))
    if json:
        for row in found:
            render.print_json(row)
    else:
        names = ("time", "bit>", *(f"{name}>" for name in METRICS), "collapse>")
        cells = [[_cell(value) for value in row.values()] for row in list(found)[-rows:]]
        title = f"{file.name}: {kind}, window {window}"
        render.print_table(title, names, cells, tight=True, least_width=TABLE_WIDTH)


@app.command()
def devices(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell what sweeps run on here: the card, its driver, the compiled kernels, and a check of a second.

    The same sweep is run on the CPU and on the card; the exit code is 1 where they differ.
    """
    from sep_trader.research.devices import examine

    found = examine()
    if json:
        render.print_json(asdict(found))
    else:
        libraries = ", ".join(f"{name} {version or 'missing'}" for name, version in found.libraries.items())
        rows = [
            ["cpu", f"{found.cores} cores, {found.cpu_bar_sets_per_s / 1e9:.2f} G candles x sets a second"],
            ["card", found.card or f"none: {found.missing}"],
            ["driver", found.driver or "-"],
            ["libraries", libraries],
            ["kernels", "-" if found.compile_seconds is None else f"ready in {found.compile_seconds:.1f} s"],
            ["check", _check(found)],
        ]
        render.print_table("devices of the sweep", ("what", "found"), rows, tight=True)
    if found.check is False:
        raise typer.Exit(1)


def _check(found: "Device") -> str:
    if found.check is None or found.card_seconds is None:
        return f"{found.trades:,} trades in {found.cpu_seconds * 1e3:.0f} ms on the CPU; nothing to compare with"
    said = "the same to the last bit" if found.check else "DIFFERENT: do not use the card"
    times = f"CPU {found.cpu_seconds * 1e3:.0f} ms, card {found.card_seconds * 1e3:.0f} ms"
    return f"{found.trades:,} trades {said}; {times}"


def read_candles(file: Path, instrument: str, granularity: Granularity | None, columns: str) -> Candles:
    """Read a candle file; every row must be good.

    Raises InputError that names the file, the first bad row's line, and what is wrong with the row.
    """
    pair = parse_pair(instrument) if instrument else pair_in(file.stem) or ""
    # The reader does not use the granularity; a file that does not state one has that of its smallest time step.
    source = Source(file, pair, granularity or Granularity.M1)
    parsed = text_reader.read(source, TEXT_FORMATS["csv"], ReadOptions(columns=parse_mapping(columns)))
    _check_rows(file, parsed)
    if isinstance(parsed.candles, Candles):
        return parsed.candles
    if not pair:
        raise InputError(f"{file}: mid prices of an unknown pair cannot be rounded", "give --pair EUR_USD")
    return parsed.candles.to_mid(standard_instrument(pair).display_precision)


def _check_rows(file: Path, parsed: Parsed) -> None:
    """Raise InputError for the first line that has something wrong."""
    flaws = [(row.line, row.reason) for row in parsed.refused]
    flaws += [(int(parsed.lines[at]), problem) for at, problem in parsed.problems.items()]
    unread = set(parsed.problems)
    flaws += [(int(parsed.lines[at]), flaw) for at, flaw in _bad_values(parsed.candles) if at not in unread]
    if flaws:
        line, flaw = min(flaws)
        raise InputError(f"{file} line {line}: {flaw}", ROW_HINT)


def _bad_values(candles: Candles | QuoteCandles) -> Iterator[tuple[int, str]]:
    """The index of every row with a bad price or a time out of order, and what is wrong."""
    for name in PRICES if isinstance(candles, Candles) else SIDED_PRICES:
        prices = getattr(candles, name)
        for at in np.flatnonzero(~(np.isfinite(prices) & (prices > 0.0))).tolist():
            yield at, f"{name} '{prices[at]:g}'"
    for at in (np.flatnonzero(np.diff(candles.time) <= 0) + 1).tolist():
        what = "a duplicate of" if candles.time[at] == candles.time[at - 1] else "before"
        yield at, f"time {format_rfc3339(from_epoch(int(candles.time[at])))} is {what} the one above"


def _smallest_step(candles: Candles) -> int:
    """The smallest time step in seconds; a minute where there is only one candle."""
    return int(np.diff(candles.time).min()) if len(candles) > 1 else 60


def _rows(candles: Candles, kind: Encoder, window: int, theta: float, seconds: int) -> Iterator[dict[str, object]]:
    """A JSON object for every candle; its metrics are None where no full window ends."""
    starts = session_starts(candles.time, seconds)
    bits = encode_bits(candles.open, candles.close, starts, kind)
    values, collapse, valid = reference_metrics(bits, starts, window, theta=theta)
    columns = [(name, values[name].tolist()) for name in METRICS]
    flat = zip(candles.time.tolist(), bits.tolist(), collapse.tolist(), valid.tolist(), strict=True)
    for at, (time, bit, collapsed, full) in enumerate(flat):
        row: dict[str, object] = {"time": format_rfc3339(from_epoch(time)), "bit": None if bit == NO_BIT else bit}
        row |= {name: column[at] if full else None for name, column in columns}
        yield row | {"collapse": collapsed if full else None}


def _cell(value: object) -> object:
    """A value for the table: three decimals for what is not a whole number."""
    return f"{value:.3f}" if isinstance(value, float) else value
