"""CSV with a header: any column names, by a mapping; times are RFC 3339 or seconds since the epoch.

Needed are time and either open, high, low, close (mid; spread and volume where given) or bid_open ... ask_close. A
column `instrument` must name the one pair that the candles are of.
"""

from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.sheet import Float, Int, Sheet, iso_of_rfc3339
from sep_trader.history.source import Parsed, Source, mid_candles, pair_in, quote_candles, read_text
from sep_trader.market.candles import Candles, QuoteCandles

_PRICES = ("open", "high", "low", "close")
_SIDED = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in _PRICES)
_KNOWN = ("time", *_PRICES, *_SIDED, "spread", "volume", "instrument")


def parse_mapping(text: str) -> dict[str, str]:
    """Read `time=Date,open=O`: our column name, then the file's. Raises InputError that names the bad part."""
    mapping = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        ours, equals, theirs = part.partition("=")
        if not equals or ours.strip() not in _KNOWN:
            raise InputError(f"not a column mapping: '{part}'", f"like time=Date, with one of {', '.join(_KNOWN)}")
        mapping[ours.strip()] = theirs.strip()
    return mapping


def read(source: Source, mapping: dict[str, str] | None = None) -> Parsed:
    """Read one CSV, plain or zipped. Raises InputError when the header lacks a needed column."""
    text = read_text(source.path)
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    names = [name.strip().strip('"').lower() for name in header.split(separator)]
    column = _columns(names, mapping or {}, source.path)
    sheet = Sheet.split(text, separator, max(column.values()) + 1, skip_lines=1)
    if "instrument" in column:
        _one_instrument(sheet, column["instrument"], source)
    time = sheet.times(column["time"], iso_of_rfc3339)
    volume: Int = sheet.integers(column["volume"]) if "volume" in column else np.zeros(len(sheet), np.int64)
    if "bid_open" in column:
        sides = [sheet.floats(column[name]) for name in _SIDED]
        candles: Candles | QuoteCandles = quote_candles(source, time, sides[:4], sides[4:], volume)
    else:
        prices = [sheet.floats(column[name]) for name in _PRICES]
        spread: Float = sheet.floats(column["spread"]) if "spread" in column else np.zeros(len(sheet))
        candles = mid_candles(source, time, prices, spread, volume)
    return Parsed(candles, sheet.lines, sheet.texts, sheet.problems, sheet.refused)


def _one_instrument(sheet: Sheet, column: int, source: Source) -> None:
    """Raise InputError where the column names another pair than the source's, or two pairs if the source has none."""
    wanted = source.instrument
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        pair = pair_in(row[column].replace("/", "_"))
        wanted = wanted or pair or "one pair"
        if pair != wanted:
            raise InputError(
                f"{source.path} holds '{row[column].strip()[:40]}' in line {line}, not {wanted} only",
                "one series a file",
            )


def _columns(names: list[str], mapping: dict[str, str], path: Path) -> dict[str, int]:
    column = {}
    for ours in _KNOWN:
        theirs = mapping.get(ours, ours).lower()
        if theirs in names:
            column[ours] = names.index(theirs)
        elif ours in mapping:
            raise InputError(f"{path} has no column '{mapping[ours]}'", f"its header has {', '.join(names)}")
    needed = ("time", *(_SIDED if "bid_open" in column else _PRICES))
    if missing := [name for name in needed if name not in column]:
        raise InputError(f"{path} has no column {', '.join(missing)}", "name it with --columns, like time=Date,open=O")
    return column
