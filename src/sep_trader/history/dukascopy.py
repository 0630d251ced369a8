"""Dukascopy's candle CSV: `Gmt time,Open,High,Low,Close,Volume`, one side (bid or ask) a file.

Times are `01.05.2014 00:00:00.000` or `2014-05-01 00:00:00`, UTC (exports in local time carry an offset, which is
read). A file named `..._BID_...` with its `..._ASK_...` beside it gives bid and ask; a file alone gives candles of its
side with spread 0, not recorded. Minutes without a price are exported flat with volume 0: they are passed over, for no
candle is invented. Volume is in millions of units, not prices, and is not taken.
"""

import re
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.sheet import Float, Int, Sheet, iso_of_rfc3339
from sep_trader.history.source import Parsed, Source, mid_candles, quote_candles, read_text
from sep_trader.market.candles import Candles, QuoteCandles

_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d)(?:\.\d+)?(?: GMT([+-]\d{4}))?")


def read(source: Source) -> Parsed:
    """Read one file, with the other side's where it lies beside it."""
    ask = ask_beside(source.path)
    sheet, time, prices, traded = _side(source.path)
    if ask is None:
        candles = mid_candles(source, time, prices, np.zeros(len(sheet)), np.zeros(len(sheet), np.int64))
        return _kept(sheet, candles, traded)
    other, ask_time, ask_prices, _ = _side(ask)
    if other.problems or other.refused:
        raise InputError(f"{ask} has {len(other.problems) + len(other.refused)} bad rows", "mend or remove it")
    if not np.array_equal(time, ask_time):
        raise InputError(f"{source.path} and {ask.name} have different times", "export both for the same span")
    quotes = quote_candles(source, time, prices, ask_prices, np.zeros(len(sheet), np.int64))
    return _kept(sheet, quotes, traded)


def ask_beside(path: Path) -> Path | None:
    """The ask file that belongs to a bid file, if it exists."""
    other = path.with_name(re.sub("BID", "ASK", path.name))
    return other if other != path and other.exists() else None


def _side(path: Path) -> tuple[Sheet, Int, list[Float], Float]:
    text = read_text(path)
    header = 0 if text[:1].isdigit() else 1
    sheet = Sheet.split(text, ";" if ";" in text.split("\n", 1)[0] else ",", 6, skip_lines=header)
    return sheet, sheet.times(0, _to_iso), [sheet.floats(i) for i in range(1, 5)], sheet.floats(5)


def _kept(sheet: Sheet, candles: Candles | QuoteCandles, traded: Float) -> Parsed:
    kept = [i for i in range(len(sheet)) if traded[i] != 0 or i in sheet.problems]
    return Parsed(
        candles.take(np.array(kept, np.int64)),
        [sheet.lines[i] for i in kept],
        [sheet.texts[i] for i in kept],
        {new: sheet.problems[old] for new, old in enumerate(kept) if old in sheet.problems},
        sheet.refused,
    )


def _to_iso(text: str) -> str:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return iso_of_rfc3339(text.strip().replace(" ", "T")[:19] + "Z")
    day, month, year, clock, offset = match.groups()
    if offset is None:
        return f"{year}-{month}-{day}T{clock}"
    return iso_of_rfc3339(f"{year}-{month}-{day}T{clock}{offset}")
