"""What a candle file looks like: format, pair, length, zone, side, and the command that imports it."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from sep_trader.errors import InputError
from sep_trader.history import lean, oanda_json, parquet, times
from sep_trader.history.contradictions import clock_error, length_of_step, price_range, step_of
from sep_trader.history.formats import TEXT_FORMATS, Format, columns_of
from sep_trader.history.naming import Side, granularity_in, other_side, pair_in, side_in
from sep_trader.history.source import ReadOptions, Source, read_bytes, read_text
from sep_trader.history.table import Table, read_table
from sep_trader.history.text_reader import parse
from sep_trader.history.zones import USUAL, UTC_ZONE, Zone, zone_of_words
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity

LINES = 60_000
"""Of the file's beginning; two months of minutes."""
_STEPS = 3


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file seems to be. None: it does not show. evidence: a sentence each on what was concluded from what."""

    path: Path
    format: str
    instrument: str | None
    granularity: Granularity | None
    timezone: str | None
    side: Side | None
    delimiter: str | None = None
    price_scale: float = 1.0
    rows: int = 0
    first: int | None = None
    last: int | None = None
    evidence: tuple[str, ...] = ()
    ask: Path | None = None
    time_format: str | None = None
    needs_timezone: bool = False

    @property
    def command(self) -> str:
        """The command that imports the file; what a person must fill in is in capitals."""
        parts = ["sep", "data", "import"]
        parts += ["--bid", str(self.path), "--ask", str(self.ask)] if self.ask else [str(self.path)]
        parts += ["-f", self.format, "-i", self.instrument or "PAIR"]
        parts += ["-g", self.granularity.value if self.granularity else "LENGTH"]
        if self.needs_timezone:
            parts += ["--timezone", self.timezone or "ZONE"]
        if self.time_format:
            parts += ["--time-format", self.time_format]
        if self.price_scale != 1.0:
            parts += ["--price-scale", f"{self.price_scale:g}"]
        return shlex.join(parts)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "file": str(self.path),
            "format": self.format,
            "instrument": self.instrument,
            "granularity": self.granularity.value if self.granularity else None,
            "timezone": self.timezone,
            "side": self.side,
            "delimiter": self.delimiter,
            "price_scale": self.price_scale,
            "rows": self.rows,
            "first": None if self.first is None else format_rfc3339(from_epoch(self.first)),
            "last": None if self.last is None else format_rfc3339(from_epoch(self.last)),
            "evidence": list(self.evidence),
            "command": self.command,
        }


def sniff(path: Path) -> Sniffed:
    """Look at a file. Raises InputError for a file that holds no candles."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name a file, or import the folder with -f auto")
    data = read_bytes(path) if path.suffix.lower() != ".zip" else b""
    if data[:4] == b"PAR1":
        return _table(path, "parquet", parquet.table_of(Source(path, "", Granularity.M1)))
    if data.lstrip()[:1] in (b"{", b"["):
        return _json(path)
    if path.suffix.lower() == ".zip" and _is_lean(path):
        [source] = lean.sources(path, None, None)
        return Sniffed(path, "lean", source.instrument, source.granularity, "UTC", "both")
    text = read_text(path)
    cut = "\n".join(text.splitlines()[:LINES])
    return _text(path, cut, text.count("\n") + (not text.endswith("\n")))


def _is_lean(path: Path) -> bool:
    try:
        return bool(lean.sources(path, None, None)) and path.parent.name not in ("histdata",)
    except InputError:
        return False


def _json(path: Path) -> Sniffed:
    answers = oanda_json.answers_in(Source(path, "", Granularity.M1))
    first: dict[str, Any] = answers[0] if answers else {}
    instrument = pair_in(str(first.get("instrument", ""))) or pair_in(path.stem)
    length = str(first.get("granularity", ""))
    granularity = Granularity(length) if length in Granularity.__members__ else granularity_in(path.stem)
    candles = [one for answer in answers for one in answer["candles"] if isinstance(one, dict)]
    keys = {key for one in candles for key in one}
    side: Side = "both" if {"bid", "ask"} <= keys else "bid" if "bid" in keys else "ask" if "ask" in keys else "mid"
    return Sniffed(path, "oanda-json", instrument, granularity, "UTC", side, rows=len(candles))


def _text(path: Path, text: str, lines: int) -> Sniffed:
    table = read_table(text, None, name=str(path))
    format = _format(path, table)
    if not table.names:  # the rows' width is the format's
        table = read_table(text, None, len(format.order) or None, name=str(path))
    return replace(_table(path, format.name, table), rows=lines - bool(table.names))


def _format(path: Path, table: Table) -> Format:
    """The preset by header, shape of the first time and name."""
    names = {name.lower().strip("<>") for name in table.names}
    first = str(table.columns[0][0]) if len(table) else ""
    if not table.names:
        dotted = len(first) == 10 and first[4:5] == "."
        dense = len(first) == 15 and first[:8].isdigit() and first[8] == " "
        guess = "mt4" if dotted else "histdata" if dense else "dukascopy" if first[2:3] == "." else None
        if guess is None:
            raise InputError(f"{path} has no header and no known shape", f"its first line is '{table.first_line[:60]}'")
        return TEXT_FORMATS[guess]
    if names & {"tickvol", "tick_volume", "real_volume"}:
        return TEXT_FORMATS["mt5"]
    if {"bidopen", "askopen"} & {n.replace(" ", "") for n in names} and "/" in first:
        return TEXT_FORMATS["fxcm"]
    if names & {"gmt time", "local time"} or (names >= {"timestamp", "open"} and first.isdigit() and len(first) == 13):
        return TEXT_FORMATS["dukascopy"]
    return TEXT_FORMATS["csv"]


def _table(path: Path, name: str, table: Table) -> Sniffed:
    format = TEXT_FORMATS.get(name, TEXT_FORMATS["csv"])
    column = columns_of(table.names, {}, format.order)
    evidence: list[str] = []
    instrument = pair_in(path.stem) or pair_in(path.parent.name)
    if "instrument" in column and len(table):
        instrument = pair_in(str(table.columns[column["instrument"]][0])) or instrument
    side = _side(path, format, column)
    ask = other_side(path) if side_in(path.name) == "bid" and side != "both" else None
    zone, needs, time_format = _zone_of_header(table, column, format, evidence)
    usual = {zone: _times(path, table, format, zone, time_format)} if zone else {}
    if zone is None:
        usual = {z: t for z in USUAL if (t := _times(path, table, format, z, time_format)) is not None}
    some = next((t for t in usual.values() if t is not None), None)
    step = step_of(some) if some is not None else None
    seen = length_of_step(step) if step else None
    granularity = seen or granularity_in(path.stem)
    if seen and step:
        evidence.append(f"rows are {step} s apart: {seen}")
    if zone is None and granularity is not None:
        fitting = [z for z, t in usual.items() if t is not None and clock_error(t, granularity) == 0]
        zone = fitting[0] if fitting else None
        evidence.append(
            f"the weeks begin and end with the market's in {' or '.join(map(str, fitting[:3]))}"
            if fitting
            else "the times name no zone, and the file shows no two weekends to tell it by"
        )
    elif zone is not None and granularity is not None and some is not None and clock_error(some, granularity):
        evidence.append("the weeks do not begin and end with the market's: is the zone right?")
    time = usual.get(zone) if zone else some
    scale = _scale(path, table, format, instrument, zone, time_format, evidence)
    return Sniffed(
        path, name, instrument, granularity, str(zone) if zone else None, side, table.delimiter or None, scale,
        len(table),
        int(time[0]) if time is not None and len(time) else None,
        int(time[-1]) if time is not None and len(time) else None,
        tuple(evidence), ask, time_format, needs,
    )  # fmt: skip


def _side(path: Path, format: Format, column: dict[str, int]) -> Side:
    if "bid_open" in column and "ask_open" in column:
        return "both"
    if "bid_open" in column or "ask_open" in column:
        return "bid" if "bid_open" in column else "ask"
    return side_in(path.name) or format.side


def _zone_of_header(
    table: Table, column: dict[str, int], format: Format, evidence: list[str]
) -> tuple[Zone | None, bool, str | None]:
    """The zone that the file or its format says, whether --timezone must be given, and --time-format where needed."""
    at = column.get("time", column.get("date"))
    if at is None or len(table) == 0:
        return None, False, None
    values = table.columns[at]
    if values.dtype.is_temporal():
        return (UTC_ZONE, False, None) if times.carries_zone(values) else (None, True, None)
    if "clock" in column:
        values = values + " " + table.columns[column["clock"]]
    header = table.names[at] if table.names else ""
    words = zone_of_words(header)
    how = times.recognise(values.cast(str), f"the column '{header}'", day_first=format.day_first)
    if how.zoned:
        evidence.append("each time carries its offset")
        return UTC_ZONE, False, None
    if how.is_number:
        unit = None if how.pattern in format.numbers else how.pattern
        evidence.append(f"times are {times.unit_word(how)} since 1970")
        return (None, True, unit) if format.server_clock else (UTC_ZONE, False, unit)
    if isinstance(words, Zone):
        evidence.append(f"the header says '{header}'")
        return words, False, None
    if words != "local" and format.timezone is not None:
        evidence.append(f"{format.name} writes {format.timezone}")
        return format.timezone, False, None
    return None, True, None


def _times(
    path: Path, table: Table, format: Format, zone: Zone, time_format: str | None
) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
    fresh = replace_problems(table)
    try:
        source = Source(path, pair_in(path.stem) or "EUR_USD", Granularity.M1)
        parsed = parse(source, fresh, format, ReadOptions(timezone=zone, time_format=time_format))
    except InputError:
        return None
    good = np.ones(len(parsed.lines), bool)
    good[list(parsed.problems)] = False
    return np.asarray(parsed.candles.time[good], np.int64)


def _scale(
    path: Path, table: Table, format: Format, instrument: str | None, zone: Zone | None, time_format: str | None,
    evidence: list[str],
) -> float:  # fmt: skip
    if instrument is None or len(table) == 0:
        return 1.0
    column = columns_of(table.names, {}, format.order)
    at = column.get("close", column.get("bid_close", column.get("ask_close")))
    if at is None:
        return 1.0
    prices = replace_problems(table).floats(at, "close")
    prices = prices[np.isfinite(prices)]
    if len(prices) == 0:
        return 1.0
    low, high = price_range(instrument)
    price = float(np.median(prices))
    if low <= price <= high:
        return 1.0
    for power in range(1, 7):
        if low <= price / 10**power <= high:
            evidence.append(f"prices around {price:g} are {instrument}'s times {10**power}")
            return float(10**power)
    evidence.append(f"prices around {price:g} are not {instrument}'s")
    return 1.0


def replace_problems(table: Table) -> Table:
    """The same table without what was found wrong with it so far."""
    return replace(table, problems={}, refused=[])


def to_json(found: Sniffed) -> str:
    """As JSON text."""
    return orjson.dumps(found.as_dict()).decode()
