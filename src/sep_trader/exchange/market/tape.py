"""The tape: what was quoted, when, as a pure function of time; a source delivers it in chunks, the exchange plays it.

Everything here is whole ticks and nanoseconds since the epoch, except `Rows`, whose first column is seconds.
A recorded candle stands for four quotes: its open, its low, its high and its close.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sep_trader.exchange.market.figures import SECOND

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
"""Candles, one a row: start (s), bid o h l c, ask o h l c (ticks), number of prices."""
NO_ROWS: Rows = np.empty((0, 10), np.int64)
_CACHED_ROWS = 1024
# Offsets (seconds) of a recorded candle's quotes within its minute; the close comes a millisecond before its end.
OPEN_AT, LOW_AT, HIGH_AT = 0, 20, 40

EVERYONE, LONG_SIDE, SHORT_SIDE = 0, 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Quotes of one instrument in one chunk, oldest first. `candles`: they are groups of open, low, high, close."""

    time: Ints
    bid: Ints
    ask: Ints
    candles: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The events of one chunk over all instruments, oldest first.

    side: EVERYONE for a plain quote. Within a recorded candle nobody knows which extreme came first, so that each side
    meets its adverse extreme first: a LONG_SIDE event concerns long trades and buy orders, a SHORT_SIDE one the others.
    SHORT_SIDE events are not published as prices.
    """

    time: Ints
    instrument: Ints
    bid: Ints
    ask: Ints
    side: Ints


class ChunkSource(Protocol):
    """Where a tape comes from: numbered chunks of equal length (number = start // chunk_seconds)."""

    instruments: tuple[str, ...]
    chunk_seconds: int

    def points(self, instrument: str, number: int) -> Points | None:
        """The quotes of a chunk, or None where there are none."""

    def following(self, number: int) -> int | None:
        """The first chunk after `number` with data of any instrument."""

    def preceding(self, instrument: str, number: int) -> int | None:
        """The last chunk before `number` with data of the instrument."""

    def hours(self, instrument: str) -> Rows:
        """Recorded hour candles that reach further back than the quotes do."""


def aggregate(time: Ints, bid: Ints, ask: Ints, seconds: int) -> Rows:
    """Candles of `seconds` out of quotes; stretches without a quote have no row."""
    if not len(time):
        return NO_ROWS
    bucket = time // (seconds * SECOND) * seconds
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(time)) - 1
    columns = [bucket[first]]
    for side in (bid, ask):
        columns += [side[first], np.maximum.reduceat(side, first), np.minimum.reduceat(side, first), side[last]]
    return np.stack([*columns, last - first + 1], axis=1)


def expand(points: Points) -> tuple[Ints, Ints, Ints, Ints]:
    """Events of an instrument's chunk: time, bid, ask, side."""
    if not points.candles:
        return points.time, points.bid, points.ask, np.zeros(len(points.time), np.int64)
    # open | low for longs, high for shorts | low for shorts, high for longs | close
    pick, sides = [0, 1, 2, 1, 2, 3], [EVERYONE, LONG_SIDE, SHORT_SIDE, SHORT_SIDE, LONG_SIDE, EVERYONE]
    when = [0, 1, 1, 2, 2, 3]
    group = np.arange(len(points.time) // 4)[:, None] * 4
    index, at = (group + pick).ravel(), (group + when).ravel()
    return points.time[at], points.bid[index], points.ask[index], np.tile(np.array(sides, np.int64), len(group))


class Tape:
    """Quotes of all instruments over time, read chunk by chunk and cached; nothing after the asked time is shown."""

    def __init__(self, source: ChunkSource) -> None:
        self.source = source
        self.instruments = source.instruments
        self._points: OrderedDict[tuple[str, int], Points | None] = OrderedDict()
        self._rows: OrderedDict[tuple[str, int, int], Rows] = OrderedDict()

    def block_after(self, ns: int) -> Block | None:
        """The events after a time up to the end of the first chunk that has any; None when the tape has ended."""
        number: int | None = ns // SECOND // self.source.chunk_seconds
        while number is not None:
            block = self._block(number, ns)
            if block is not None:
                return block
            number = self.source.following(number)
        return None

    def _block(self, number: int, after: int) -> Block | None:
        parts = []
        for index, name in enumerate(self.instruments):
            points = self._chunk(name, number)
            if points is not None:
                time, bid, ask, side = expand(points)
                parts.append((time, np.full(len(time), index, np.int64), bid, ask, side))
        if not parts:
            return None
        time, which, bid, ask, side = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(time, kind="stable")
        order = order[np.searchsorted(time[order], after, side="right") :]
        if not len(order):
            return None
        return Block(time[order], which[order], bid[order], ask[order], side[order])

    def last_before(self, instrument: str, ns: int) -> tuple[int, int, int] | None:
        """The newest quote at or before a time: (time, bid, ask); None if there is none."""
        number: int | None = ns // SECOND // self.source.chunk_seconds
        while number is not None:
            points = self._chunk(instrument, number)
            if points is not None:
                at = int(np.searchsorted(points.time, ns, side="right")) - 1
                if at >= 0:
                    return int(points.time[at]), int(points.bid[at]), int(points.ask[at])
            number = self.source.preceding(instrument, number)
        return None

    def rows(self, instrument: str, seconds: int, start: int, end: int, now: int) -> Rows:
        """Candles of `seconds` (a divisor of the chunk) starting in [start, end) seconds, as seen at `now` (ns).

        The candle in which `now` lies is there with what has been quoted of it so far.
        """
        length = self.source.chunk_seconds
        parts = []
        number: int | None = min(end - 1, now // SECOND) // length
        while number is not None and (number + 1) * length > start:
            parts.append(self._visible(instrument, number, seconds, now))
            number = self.source.preceding(instrument, number)
        rows = np.concatenate(parts[::-1]) if parts else NO_ROWS
        return rows[(rows[:, 0] >= start) & (rows[:, 0] < end)]

    def _visible(self, instrument: str, number: int, seconds: int, now: int) -> Rows:
        key = (instrument, number, seconds)
        rows = self._rows.get(key)
        points = None
        if rows is None:
            points = self._chunk(instrument, number)
            rows = NO_ROWS if points is None else aggregate(points.time, points.bid, points.ask, seconds)
            self._rows[key] = rows
            if len(self._rows) > _CACHED_ROWS:
                self._rows.popitem(last=False)
        known = rows[(rows[:, 0] + seconds) * SECOND <= now]
        if len(known) == len(rows):
            return rows
        points = points or self._chunk(instrument, number)
        if points is None:
            return rows
        lo, hi = np.searchsorted(points.time, [int(rows[len(known), 0]) * SECOND, now + 1])
        forming = aggregate(points.time[lo:hi], points.bid[lo:hi], points.ask[lo:hi], seconds)
        return np.concatenate([known, forming])

    def _chunk(self, instrument: str, number: int) -> Points | None:
        key = (instrument, number)
        if key in self._points:
            self._points.move_to_end(key)
            return self._points[key]
        points = self._points[key] = self.source.points(instrument, number)
        if len(self._points) > 2 * len(self.instruments) + 8:
            self._points.popitem(last=False)
        return points
