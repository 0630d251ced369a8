"""Lean's zips of bid and ask candles: `minute/eurusd/20140501_quote.zip`, `hour/eurusd.zip`, `daily/eurusd.zip`.

A minute file has milliseconds since UTC midnight of the date in its name, an hour file `YYYYMMDD HH:MM`; then follow
bid open, high, low, close, last bid size, ask open, high, low, close, last ask size. A size of 0 was not recorded.
"""

import re
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.naming import pair_in
from sep_trader.history.sheet import Sheet
from sep_trader.history.source import Parsed, Source, quote_candles, read_text
from sep_trader.market.granularity import Granularity

_FOLDERS = {"minute": Granularity.M1, "hour": Granularity.H1, "second": None, "tick": None, "daily": Granularity.D}
_WIDTH = 11
_LONG_TIME = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d:\d\d)")


def sources(path: Path, instrument: str | None, granularity: Granularity | None) -> list[Source]:
    """The candle files under a folder, or the file itself, of the series asked for (None: any).

    Instrument and granularity are read from the names (`minute/eurusd/...`) and, for a single file, may be given
    instead. Raises InputError when nothing is found, and for ticks, which are no candles.
    """
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.is_file():
        return [_single(path, instrument, granularity)]
    found = []
    for file in sorted(path.rglob("*.zip")):
        pair, length = _pair(file), _length(file)
        if pair is None or length is None:
            continue
        if (instrument or pair) == pair and (granularity or length) is length:
            found.append(Source(file, pair, length))
    if not found:
        wanted = " ".join(str(x) for x in (instrument, granularity) if x) or "candle"
        raise InputError(f"no {wanted} zips under {path}", "expected minute/eurusd/*.zip or hour/eurusd.zip")
    return found


def read(source: Source) -> Parsed:
    """Read one zip, in the order of its rows."""
    sheet = Sheet.split(read_text(source.path), ",", _WIDTH)
    if source.granularity is Granularity.M1:
        milliseconds = sheet.integers(0)
        for index in np.flatnonzero((milliseconds % 1000 != 0) | (milliseconds >= 86_400_000)).tolist():
            sheet.problems.setdefault(index, f"not milliseconds of a day: {sheet.rows[index][0]}")
        time = _date_of(source.path) + milliseconds // 1000
    else:
        time = sheet.times(0, _to_iso)
    bid, ask = ([sheet.floats(i) for i in range(first, first + 4)] for first in (1, 6))
    candles = quote_candles(source, time, bid, ask, np.zeros(len(sheet), np.int64))
    return Parsed(candles, sheet.lines, sheet.texts.__getitem__, sheet.problems, sheet.refused)


def _single(path: Path, instrument: str | None, granularity: Granularity | None) -> Source:
    if "tick" in path.parts:
        raise InputError(f"{path} holds ticks, not candles", "import the minute or hour files")
    pair, length = _pair(path), _length(path)
    if instrument and pair and instrument != pair:
        raise InputError(f"{path} is of {pair}, not {instrument}", "leave out --instrument, or name the right file")
    if granularity and length and granularity is not length:
        raise InputError(f"{path} holds {length} candles, not {granularity}", "leave out --granularity")
    instrument, granularity = instrument or pair, granularity or length
    if instrument is None or granularity is None:
        raise InputError(f"cannot tell the pair and granularity of {path}", "give --instrument and --granularity")
    return Source(path, instrument, granularity)


def _pair(path: Path) -> str | None:
    return pair_in(path.stem) or pair_in(path.parent.name)


def _length(path: Path) -> Granularity | None:
    for name in (path.parent.name, path.parent.parent.name):
        if name in _FOLDERS:
            return _FOLDERS[name]
    return None


def _date_of(path: Path) -> int:
    name = path.name
    try:
        return int(np.datetime64(f"{name[:4]}-{name[4:6]}-{name[6:8]}", "s").astype(np.int64))
    except ValueError:
        raise InputError(f"'{name}' does not begin with a date", "minute files are named 20140501_quote.zip") from None


def _to_iso(text: str) -> str:
    match = _LONG_TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    year, month, day, clock = match.groups()
    return f"{year}-{month}-{day}T{clock}:00"
