"""Missing candles: what the calendar says should be there and is not. Closed hours are no gaps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sep_trader.market.calendar import DAY, candle_start, is_open, kind_of_day
from sep_trader.market.granularity import Granularity

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Span = tuple[int, int]
# The finest that is looked at to tell whether a longer candle has open hours: finer than any break of the market.
_SAMPLE_S = 900


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive missing candles: start of the first, end of the last (both seconds, UTC), and how many are missing.

    `asked`: the broker was asked for the whole span and has none of them.
    """

    start: int
    end: int
    missing: int
    asked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class GapRuns:
    """Gaps as columns of one length, as the fields of Gap."""

    start: Int
    end: Int
    missing: Int
    asked: Bool

    def __len__(self) -> int:
        return len(self.start)

    def as_gaps(self) -> list[Gap]:
        """The same, one by one."""
        columns = (self.start.tolist(), self.end.tolist(), self.missing.tolist(), self.asked.tolist())
        return [Gap(*row) for row in zip(*columns, strict=True)]


def find_gaps(time: Int, granularity: Granularity, start: int, end: int, asked: list[Span] | None = None) -> list[Gap]:
    """The gaps of start <= time < end, given the starts of the candles that are there, in order.

    asked: spans that the broker was asked for.
    """
    return find_gap_runs(time, granularity, start, end, asked).as_gaps()


def find_gap_runs(
    time: Int, granularity: Granularity, start: int, end: int, asked: list[Span] | None = None
) -> GapRuns:
    """The gaps as `find_gaps` finds them, as columns."""
    wanted = expected(start, end, granularity)
    merged = _merged(asked or [])
    there = time[(time >= start) & (time < end)]
    at = np.searchsorted(there, wanted)
    present = np.zeros(len(wanted), bool)
    inside = at < len(there)
    present[inside] = there[at[inside]] == wanted[inside]
    return _runs(wanted[~present], granularity, merged)


def expected(start: int, end: int, granularity: Granularity) -> Int:
    """Starts of the candles with start <= time < end in which the market is open at some time."""
    step = min(granularity.seconds, _SAMPLE_S)
    points = np.arange(-(-start // step) * step, end, step, dtype=np.int64)
    opened = points[is_open(points)]
    # A grid of the sample's step has one point a candle, in order.
    starts = opened if step == granularity.seconds else np.unique(candle_start(opened, granularity))
    return starts[(starts >= start) & (starts < end)]


def expected_count(start: int, end: int, granularity: Granularity) -> int:
    """How many candles the calendar expects with start <= time < end."""
    return len(expected(start, end, granularity))


def bits_of_days(time: Int, width: int) -> tuple[Int, Bool]:
    """Which candles are there, a row for each UTC day with any: days since the epoch int64[D], bool[D, slots a day].

    time: increasing starts of candles. width: seconds of a slot, which divide the day and every start.
    """
    days, row = np.unique(time // DAY, return_inverse=True)
    bits = np.zeros((len(days), DAY // width), bool)
    bits[row, time % DAY // width] = True
    return days, bits


def gaps_of_bits(
    days: Int, bits: Bool, granularity: Granularity, start: int, end: int, asked: list[Span]
) -> tuple[int, GapRuns]:
    """What the calendar expects with start <= time < end, and the gaps, from the days of `bits_of_days`.

    Equal to `expected_count` and `find_gaps` of the same candles; it takes the days' bits in place of the times.
    """
    first, last = start // DAY, (end - 1) // DAY
    wanted = np.stack([_expected_bits(day, granularity) for day in range(first, last + 1)])
    there = np.zeros_like(wanted)
    inside = (days >= first) & (days <= last)
    there[days[inside] - first] = bits[inside]
    flat, present = wanted.reshape(-1), there.reshape(-1)
    origin = first * DAY
    flat[: -(-(start - origin) // granularity.seconds)] = False
    flat[-(-(end - origin) // granularity.seconds) :] = False
    missing = origin + np.flatnonzero(flat & ~present) * granularity.seconds
    merged = _merged(asked)
    return int(np.count_nonzero(flat)), _runs(missing, granularity, merged)


def _expected_bits(day: int, granularity: Granularity) -> Bool:
    """The candles that the calendar expects in a UTC day; days of one kind share them."""
    return _bits_of_kind(kind_of_day(day), granularity, day)


_KINDS: dict[tuple[object, Granularity], Bool] = {}


def _bits_of_kind(kind: object, granularity: Granularity, day: int) -> Bool:
    key = (kind, granularity)
    if key not in _KINDS:
        row = np.zeros(DAY // granularity.seconds, bool)
        row[(expected(day * DAY, (day + 1) * DAY, granularity) - day * DAY) // granularity.seconds] = True
        _KINDS[key] = row
    return _KINDS[key]


def _merged(spans: list[Span]) -> list[Span]:
    """The same spans in order, those that touch made one."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def subtract(span: Span, known: list[Span]) -> list[Span]:
    """What of a span no known span covers, in order."""
    start, end = span
    left = []
    for begin, stop in sorted(known):
        if stop <= start or begin >= end:
            continue
        if begin > start:
            left.append((start, begin))
        start = max(start, stop)
    if start < end:
        left.append((start, end))
    return left


def _runs(missing: Int, granularity: Granularity, merged: list[Span]) -> GapRuns:
    """Cut where closed hours or candles lie between missing candles. merged: spans that the broker was asked for."""
    if len(missing) == 0:
        none = np.zeros(0, np.int64)
        return GapRuns(none, none, none, np.zeros(0, bool))
    first = np.flatnonzero(np.concatenate([[True], np.diff(missing) > granularity.seconds]))
    last = np.concatenate([first[1:], [len(missing)]]) - 1
    start, end = missing[first], missing[last] + granularity.seconds
    spans = np.array(merged, np.int64).reshape(-1, 2)
    at = np.searchsorted(spans[:, 0], start, side="right") - 1
    covered = np.zeros(len(start), bool)
    begun = at >= 0
    covered[begun] = spans[at[begun], 1] >= end[begun]
    return GapRuns(start, end, last - first + 1, covered)
