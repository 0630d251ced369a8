"""Missing candles: what the calendar says should be there and is not. Closed hours are no gaps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sep_trader.market.calendar import candle_start, is_open
from sep_trader.market.granularity import Granularity

Int = npt.NDArray[np.int64]
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


def find_gaps(time: Int, granularity: Granularity, start: int, end: int, asked: list[Span] | None = None) -> list[Gap]:
    """The gaps of start <= time < end, given the starts of the candles that are there, in order.

    asked: spans that the broker was asked for.
    """
    time = time[(time >= start) & (time < end)]
    # Between which neighbours more than one candle's length lies; the ends of the span count as neighbours.
    begins = np.concatenate([[start], time + 1])
    ends = np.concatenate([time, [end]])
    wide = ends - begins >= granularity.seconds - 1
    found = []
    for begin, stop in zip(begins[wide].tolist(), ends[wide].tolist(), strict=True):
        missing = expected(begin, stop, granularity)
        found += [
            Gap(int(run[0]), int(run[-1]) + granularity.seconds, len(run), _covered(run, granularity, asked or []))
            for run in _runs(missing, granularity)
        ]
    return found


def expected(start: int, end: int, granularity: Granularity) -> Int:
    """Starts of the candles with start <= time < end in which the market is open at some time."""
    step = min(granularity.seconds, _SAMPLE_S)
    points = np.arange(-(-start // step) * step, end, step, dtype=np.int64)
    starts = np.unique(candle_start(points[is_open(points)], granularity))
    return starts[(starts >= start) & (starts < end)]


def expected_count(start: int, end: int, granularity: Granularity) -> int:
    """How many candles the calendar expects with start <= time < end."""
    return len(expected(start, end, granularity))


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


def _runs(missing: Int, granularity: Granularity) -> list[Int]:
    """Cut where closed hours lie between missing candles."""
    if len(missing) == 0:
        return []
    cuts = np.flatnonzero(np.diff(missing) > granularity.seconds) + 1
    return np.split(missing, cuts)


def _covered(run: Int, granularity: Granularity, asked: list[Span]) -> bool:
    return not subtract((int(run[0]), int(run[-1]) + granularity.seconds), asked)
