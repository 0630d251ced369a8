"""HistData's M1 ASCII files, zip or CSV: `20140501 000000;open;high;low;close;volume`, bid prices.

Times are Eastern Standard Time without daylight saving all year: five hours behind UTC. The files hold the bid side
only, so candles are bid candles and their spread is 0, not recorded.
"""

import re

import numpy as np

from sep_trader.history.sheet import Sheet
from sep_trader.history.source import Parsed, Source, mid_candles, read_text

EST_BEHIND_UTC_S = 5 * 3600
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d)(\d\d)(\d\d)")


def read(source: Source) -> Parsed:
    """Read one file."""
    sheet = Sheet.split(read_text(source.path), ";", 6)
    time = sheet.times(0, _to_iso) + EST_BEHIND_UTC_S
    prices = [sheet.floats(i) for i in range(1, 5)]
    candles = mid_candles(source, time, prices, np.zeros(len(sheet)), sheet.integers(5))
    return Parsed(candles, sheet.lines, sheet.texts, sheet.problems, sheet.refused)


def _to_iso(text: str) -> str:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = match.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"
