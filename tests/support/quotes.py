"""A tape written by hand: the quotes of a story, for tests and for replaying a situation."""

from collections.abc import Mapping, Sequence

import numpy as np

from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.tape import HIGH_AT, LOW_AT, NO_ROWS, Points, Rows

_HOUR = 3600
_MS = 1_000_000
Quote = tuple[float, str, str]
"""Seconds since the epoch, bid, ask."""
Candle = tuple[int, tuple[str, str, str, str], tuple[str, str, str, str]]
"""Start in seconds since the epoch, bid o h l c, ask o h l c."""


class ScriptedQuotes:
    """A source of the tape from lists, oldest first: quotes, or one-minute candles, by instrument."""

    chunk_seconds = _HOUR

    def __init__(
        self, quotes: Mapping[str, Sequence[Quote]], candles: Mapping[str, Sequence[Candle]] | None = None
    ) -> None:
        self._points: dict[str, Points] = {}
        for name, script in quotes.items():
            time = np.array([int(at * 1000) * _MS for at, _, _ in script], np.int64)
            bid = np.array([_ticks(name, quote[1]) for quote in script], np.int64)
            ask = np.array([_ticks(name, quote[2]) for quote in script], np.int64)
            self._points[name] = Points(time, bid, ask)
        for name, minutes in (candles or {}).items():
            offsets = [0, LOW_AT * SECOND, HIGH_AT * SECOND, 60 * SECOND - _MS]
            time = np.array([start * SECOND + offset for start, _, _ in minutes for offset in offsets], np.int64)
            bids, asks = ([candle[1] for candle in minutes], [candle[2] for candle in minutes])
            bid, ask = (
                np.array([_ticks(name, ohlc[i]) for ohlc in side for i in (0, 2, 1, 3)], np.int64)
                for side in (bids, asks)
            )
            self._points[name] = Points(time, bid, ask, candles=True)
        self.instruments = tuple(self._points)

    def points(self, instrument: str, number: int) -> Points | None:
        """The quotes of an hour."""
        every = self._points[instrument]
        lo, hi = np.searchsorted(every.time, [number * _HOUR * SECOND, (number + 1) * _HOUR * SECOND])
        if lo == hi:
            return None
        return Points(every.time[lo:hi], every.bid[lo:hi], every.ask[lo:hi], every.candles)

    def following(self, number: int) -> int | None:
        """The next hour with quotes."""
        later = [n for points in self._points.values() for n in _hours(points) if n > number]
        return min(later, default=None)

    def preceding(self, instrument: str, number: int) -> int | None:
        """The hour before with quotes of the instrument."""
        return max((n for n in _hours(self._points[instrument]) if n < number), default=None)

    def hours(self, instrument: str) -> Rows:
        """There are no recorded hours."""
        return NO_ROWS


def _hours(points: Points) -> list[int]:
    return [int(n) for n in np.unique(points.time // (_HOUR * SECOND))]


def _ticks(name: str, price: str) -> int:
    return round(float(price) * 10 ** (3 if name.endswith("JPY") else 5))
