"""What a candle file looks like: format, pair, length, zone, side, and the command that imports it."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history import lean, oanda_json, parquet, times
from sep_trader.history.contradictions import clock_error, length_of_step, scale_of, step_of
from sep_trader.history.formats import TEXT_FORMATS, Format, columns_of
from sep_trader.history.naming import Side, granularity_in, other_side, pair_in, side_in
from sep_trader.history.sheet import Int
from sep_trader.history.source import Source, read_bytes, read_text
from sep_trader.history.table import Table, read_table
from sep_trader.history.text_reader import zone_said
from sep_trader.history.zones import USUAL, UTC_ZONE, Zone
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity

LINES = 60_000
"""Of the file's beginning; two months of minutes."""


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
        return bool(lean.sources(path, None, None))
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


@dataclass(frozen=True, slots=True)
class _Clock:
    """How a table's times are to be read. wall: what they show as they stand; zone: None where nothing says it.

    stated: the file or its format says the zone, so that --timezone is not needed. unit: --time-format of numbers.
    """

    wall: Int
    zone: Zone | None
    stated: bool
    unit: str | None = None


def _table(path: Path, name: str, table: Table) -> Sniffed:
    format = TEXT_FORMATS.get(name, TEXT_FORMATS["csv"])
    column = columns_of(table.names, {}, format.order)
    if not ({"open", "bid_open", "ask_open"} & column.keys() and {"time", "date"} & column.keys()):
        begins = f"it begins '{table.first_line[:60]}'; name columns with sep data import --columns"
        raise InputError(f"{path} does not look like candles", begins)
    evidence: list[str] = []
    instrument = pair_in(path.stem) or pair_in(path.parent.name)
    if "instrument" in column and len(table):
        instrument = pair_in(str(table.columns[column["instrument"]][0])) or instrument
    side = _side(path, format, column)
    clock = _clock(path, table, column, format, evidence)
    step = step_of(clock.wall)
    seen = length_of_step(step) if step else None
    if seen:
        evidence.append(f"rows are {step} s apart: {seen}")
    granularity = seen or granularity_in(path.stem)
    clock = _by_weeks(clock, granularity, evidence)
    time = times.from_clock(clock.wall, clock.zone or UTC_ZONE)
    return Sniffed(
        path,
        name,
        instrument,
        granularity,
        str(clock.zone) if clock.zone else None,
        side,
        table.delimiter or None,
        _scale(table, column, instrument, evidence),
        len(table),
        int(time[0]) if len(time) and clock.zone else None,
        int(time[-1]) if len(time) and clock.zone else None,
        tuple(evidence),
        other_side(path) if side_in(path.name) == "bid" and side != "both" else None,
        clock.unit,
        not clock.stated,
    )


def _side(path: Path, format: Format, column: dict[str, int]) -> Side:
    if "bid_open" in column and "ask_open" in column:
        return "both"
    if "bid_open" in column or "ask_open" in column:
        return "bid" if "bid_open" in column else "ask"
    return side_in(path.name) or format.side


def _clock(path: Path, table: Table, column: dict[str, int], format: Format, evidence: list[str]) -> _Clock:
    """The times of a table as they stand, and the zone that the file or its format says."""
    none = _Clock(np.zeros(0, np.int64), None, stated=True)
    at = column.get("time", column.get("date"))
    if at is None or len(table) == 0:
        return none
    values, header = table.columns[at], table.names[at] if table.names else ""
    if values.dtype.is_temporal():
        aware = times.carries_zone(values)
        wall, problems = times.datetimes_to_epoch(values, UTC_ZONE)
        how, said = times.LOCAL, UTC_ZONE if aware else None
    else:
        values = (values + " " + table.columns[column["clock"]] if "clock" in column else values).cast(str)
        how = times.recognise(values, f"{path}: the column '{header}'", day_first=format.day_first)
        wall, problems = times.to_epoch(values, how, UTC_ZONE)
        said = UTC_ZONE if how.zoned else zone_said(how, header, format)[0]
    good = np.ones(len(wall), bool)
    good[list(problems)] = False
    if how.zoned:
        evidence.append("each time carries its offset")
    elif how.is_number:
        evidence.append(f"times are {times.unit_word(how)} since 1970")
    elif said is not None:
        evidence.append(f"the header says '{header}'" if said != format.timezone else f"{format.name} writes {said}")
    unit = how.pattern if how.is_number and how.pattern not in format.numbers else None
    return _Clock(wall[good], said, said is not None, unit)


def _by_weeks(clock: _Clock, granularity: Granularity | None, evidence: list[str]) -> _Clock:
    """Where nothing says the zone, the first usual one in which the weeks begin and end when the market does."""
    if granularity is None or len(clock.wall) == 0:
        return clock
    if clock.zone is not None:
        if clock_error(times.from_clock(clock.wall, clock.zone), granularity):
            evidence.append("the weeks do not begin and end with the market's: is the zone right?")
        return clock
    fitting = [zone for zone in USUAL if clock_error(times.from_clock(clock.wall, zone), granularity) == 0]
    evidence.append(
        f"the weeks begin and end with the market's in {' or '.join(map(str, fitting[:3]))}"
        if fitting
        else "the times name no zone, and the file shows no two weekends to tell it by"
    )
    return replace(clock, zone=fitting[0] if fitting else None)


def _scale(table: Table, column: dict[str, int], instrument: str | None, evidence: list[str]) -> float:
    """By what the prices must be divided to be the pair's; 1 where that is not known."""
    at = column.get("close", column.get("bid_close", column.get("ask_close")))
    if instrument is None or at is None:
        return 1.0
    prices = replace(table, problems={}).floats(at, "close")
    prices = prices[np.isfinite(prices)]
    if len(prices) == 0:
        return 1.0
    price = float(np.median(prices))
    scale = scale_of(instrument, price)
    if scale != 1:
        whose = f"{instrument}'s times {scale}" if scale else f"not {instrument}'s"
        evidence.append(f"prices around {price:g} are {whose}")
    return float(scale or 1)
