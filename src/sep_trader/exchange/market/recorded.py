"""Recorded quotes: zips in the Lean layout, days of ticks or of one-minute bid and ask candles, and long hour candles.

Layout: `minute/eurusd/20140501_quote.zip`, `tick/eurusd/20140501_quote.zip`, `hour/eurusd.zip`; one CSV each, in UTC.
"""

import io
import re
import zipfile
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.tape import HIGH_AT, LOW_AT, NO_ROWS, OPEN_AT, Ints, Points, Rows
from sep_trader.exchange.market.terms import offered
from sep_trader.market.instrument import parse_pair

DAY = 86_400
_MS = 1_000_000
_DAY_FILE = re.compile(r"(\d{8})_quote\.zip")


class RecordedQuotes:
    """Days of recorded quotes as a source of the tape; a day with ticks is played tick by tick, else by its candles.

    `skipped` counts rows that no exchange could have quoted: a bid above the ask, or no positive price.
    """

    chunk_seconds = DAY

    def __init__(self, paths: list[Path], instruments: list[str] | None = None) -> None:
        """Find the files. Raises InputError for a missing path or a layout without quotes."""
        self._days: dict[str, dict[int, tuple[str, Path]]] = {}
        self._hours: dict[str, Path] = {}
        self._hour_rows: dict[str, Rows] = {}
        self.skipped = 0
        for path in paths:
            self._add(path)
        wanted = [parse_pair(name) for name in instruments] if instruments else sorted(self._days)
        self.instruments = tuple(name for name in wanted if name in self._days)
        if not self.instruments:
            where = ", ".join(map(str, paths))
            raise InputError(f"no recorded quotes in {where}", "name a folder with minute/ or tick/ zips")
        self._numbers = {name: sorted(self._days[name]) for name in self.instruments}
        self._all = sorted({number for numbers in self._numbers.values() for number in numbers})

    @property
    def first_second(self) -> int:
        """Start of the first recorded day, seconds since the epoch."""
        return self._all[0] * DAY

    def _add(self, path: Path) -> None:
        if not path.exists():
            raise InputError(f"no such file or folder: {path}", "name the data folder, such as lean-oanda")
        for file in sorted(path.rglob("*.zip")) if path.is_dir() else [path]:
            day = _DAY_FILE.fullmatch(file.name)
            kind = file.parent.parent.name if day else file.parent.name
            if day and kind in ("minute", "tick"):
                number = int(datetime.strptime(day[1], "%Y%m%d").replace(tzinfo=UTC).timestamp()) // DAY
                days = self._days.setdefault(parse_pair(file.parent.name), {})
                if number not in days or kind == "tick":
                    days[number] = (kind, file)
            elif kind == "hour":
                self._hours[parse_pair(file.stem)] = file
            elif not path.is_dir():
                raise InputError(
                    f"not a quote file in the Lean layout: {file}", "like minute/eurusd/20140501_quote.zip"
                )

    def following(self, number: int) -> int | None:
        """The next day with quotes of any instrument."""
        at = bisect_right(self._all, number)
        return self._all[at] if at < len(self._all) else None

    def preceding(self, instrument: str, number: int) -> int | None:
        """The day before with quotes of the instrument."""
        numbers = self._numbers[instrument]
        at = bisect_left(numbers, number)
        return numbers[at - 1] if at else None

    def points(self, instrument: str, number: int) -> Points | None:
        """Read a day. Raises InputError that names the file if it cannot be read."""
        kind, file = self._days[instrument].get(number, ("", Path()))
        if not kind:
            return None
        table = _read(file, 3 if kind == "tick" else 11)
        scale = 10 ** offered(instrument).display_precision
        time = (number * DAY * SECOND) + table[:, 0].astype(np.int64) * _MS
        prices = np.rint(table[:, 1:] * scale).astype(np.int64)
        if kind == "tick":
            return self._ticks(time, prices)
        return self._candles(time, prices)

    def _ticks(self, time: Ints, prices: Ints) -> Points:
        good = (prices[:, 0] > 0) & (prices[:, 0] <= prices[:, 1])
        self.skipped += int(np.count_nonzero(~good))
        return Points(time[good], prices[good, 0], prices[good, 1])

    def _candles(self, time: Ints, prices: Ints) -> Points:
        bid, ask = prices[:, 0:4], prices[:, 5:9]
        good = np.logical_and((bid > 0).all(axis=1), (bid <= ask).all(axis=1))
        self.skipped += int(np.count_nonzero(~good))
        order = [0, 2, 1, 3]
        offsets = np.array([OPEN_AT, LOW_AT, HIGH_AT, 60], np.int64) * SECOND - np.array([0, 0, 0, _MS])
        return Points(
            (time[good, None] + offsets).ravel(), bid[good][:, order].ravel(), ask[good][:, order].ravel(), candles=True
        )

    def hours(self, instrument: str) -> Rows:
        """The recorded hour candles, read once."""
        if instrument not in self._hour_rows:
            file = self._hours.get(instrument)
            self._hour_rows[instrument] = NO_ROWS if file is None else _read_hours(file, instrument)
        return self._hour_rows[instrument]


def _text(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(archive.namelist()[0]).decode("ascii")
    except (OSError, zipfile.BadZipFile, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}", str(error)) from None


def _read(file: Path, columns: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    try:
        table = np.loadtxt(io.StringIO(_text(file)), delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise InputError(f"malformed row in {file}", str(error)) from None
    if table.shape[1] != columns or (np.diff(table[:, 0]) < 0).any():
        raise InputError(f"{file} does not hold {columns} columns in order of time", "see the Lean layout")
    return table


def _read_hours(file: Path, instrument: str) -> Rows:
    records = [line.split(",") for line in _text(file).splitlines()]
    scale = 10 ** offered(instrument).display_precision
    try:
        stamps = [f"{r[0][:4]}-{r[0][4:6]}-{r[0][6:8]}T{r[0][9:]}" for r in records]
        time = np.array(stamps, dtype="datetime64[s]").astype(np.int64)
        prices = np.rint(np.array([r[1:11] for r in records], dtype=np.float64) * scale).astype(np.int64)
    except (ValueError, IndexError) as error:
        raise InputError(f"malformed row in {file}", str(error)) from None
    rows = np.column_stack([time, prices[:, 0:4], prices[:, 5:9], np.full(len(time), 4)])
    good = (rows[:, 1] > 0) & (rows[:, 1] <= rows[:, 5])
    return rows[good]
