"""Candle queries against the tape: any granularity, OANDA's alignment rules, and nothing that is still to come."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sep_trader.exchange.market.figures import SECOND, half_even, price_text, time_text
from sep_trader.exchange.market.tape import NO_ROWS, Ints, Rows, Tape
from sep_trader.market.clock import NEW_YORK
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument

MAX_COUNT = 5000
DEFAULT_COUNT = 500
_HOUR = 3600
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where days and weeks begin: an hour of the day in a zone, and a weekday (Monday 0)."""

    hour: int = 17
    zone: ZoneInfo = NEW_YORK
    weekday: int = _WEEKDAYS.index("Friday")


@dataclass(frozen=True, slots=True)
class CandleQuery:
    """A checked candle query; times in ns, `count` None when both ends are given."""

    granularity: Granularity = Granularity.S5
    price: str = "M"
    count: int | None = DEFAULT_COUNT
    start: int | None = None
    end: int | None = None
    include_first: bool = True
    smooth: bool = False
    alignment: Alignment = Alignment()


def weekday_number(name: str) -> int | None:
    """Monday 0 to Sunday 6 of a weekday's English name; None for another word."""
    return _WEEKDAYS.index(name) if name in _WEEKDAYS else None


def _midnights(lo: int, hi: int, align: Alignment) -> list[tuple[date, int]]:
    """(local date, start in seconds) of the aligned days that cover lo..hi and one more on each side."""
    day = datetime.fromtimestamp(lo, UTC).astimezone(align.zone).date() - timedelta(days=2)
    last = datetime.fromtimestamp(hi, UTC).astimezone(align.zone).date() + timedelta(days=2)
    found = []
    while day <= last:
        found.append((day, int(datetime.combine(day, time(align.hour), align.zone).timestamp())))
        day += timedelta(days=1)
    return found


def boundaries(granularity: Granularity, lo: int, hi: int, align: Alignment) -> Ints:
    """Candle starts (s) of a granularity above an hour, from at or before `lo` to beyond `hi`."""
    if granularity is Granularity.W:
        lo, hi = lo - 8 * 86_400, hi + 8 * 86_400
    elif granularity is Granularity.M:
        lo, hi = lo - 33 * 86_400, hi + 33 * 86_400
    days = _midnights(lo, hi, align)
    if granularity is Granularity.W:
        starts = [s for day, s in days if day.weekday() == align.weekday]
    elif granularity is Granularity.M:
        ahead = timedelta(days=1 if align.hour else 0)
        starts = [s for day, s in days if (day + ahead).day == 1]
    elif granularity is Granularity.D:
        starts = [s for _, s in days]
    else:
        starts = []
        for (_, start), (_, following) in pairwise(days):
            starts += range(start, following, granularity.seconds)
    return np.array(starts, np.int64)


def bucket_starts(granularity: Granularity, times: Ints, align: Alignment) -> Ints:
    """The start of the candle that each time (s) belongs to."""
    if granularity.seconds <= _HOUR:
        return times // granularity.seconds * granularity.seconds
    edges = boundaries(granularity, int(times.min()), int(times.max()), align)
    return edges[np.searchsorted(edges, times, side="right") - 1]


def bucket_end(granularity: Granularity, start: int, align: Alignment) -> int:
    """The end (s) of the candle that starts at `start`."""
    if granularity.seconds <= _HOUR:
        return start + granularity.seconds
    edges = boundaries(granularity, start, start + granularity.seconds, align)
    return int(edges[np.searchsorted(edges, start, side="right")])


def combine(rows: Rows, starts: Ints) -> Rows:
    """Merge rows with equal `starts` into one candle each."""
    if not len(rows):
        return NO_ROWS
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    last = np.append(first[1:], len(rows)) - 1
    columns = [starts[first]]
    for o in (1, 5):
        columns += [
            rows[first, o],
            np.maximum.reduceat(rows[:, o + 1], first),
            np.minimum.reduceat(rows[:, o + 2], first),
            rows[last, o + 3],
        ]
    return np.stack([*columns, np.add.reduceat(rows[:, 9], first)], axis=1)


def _between(tape: Tape, instrument: str, query: CandleQuery, start: int, end: int, now: int) -> Rows:
    """Candles whose parts lie in [start, end) seconds, as seen at `now`."""
    granularity = query.granularity
    base = 5 if granularity.seconds < 60 else 60
    rows = tape.rows(instrument, base, start, end, now)
    if granularity.seconds >= _HOUR:
        hours = tape.source.hours(instrument)
        seen = np.unique(rows[:, 0] // _HOUR)
        fits = (hours[:, 0] >= start) & (hours[:, 0] < end) & ((hours[:, 0] + _HOUR) * SECOND <= now)
        hours = hours[fits & ~np.isin(hours[:, 0] // _HOUR, seen)]
        if len(hours):
            rows = np.concatenate([hours, rows])
            rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return combine(rows, bucket_starts(granularity, rows[:, 0], query.alignment)) if len(rows) else rows


def _exhausted(tape: Tape, instrument: str, start: int) -> bool:
    """Whether nothing is recorded before `start`."""
    hours = tape.source.hours(instrument)
    if len(hours) and hours[0, 0] < start:
        return False
    return tape.source.preceding(instrument, start // tape.source.chunk_seconds + 1) is None


def find_candles(tape: Tape, instrument: str, query: CandleQuery, now: int) -> Rows:
    """Answer a query with rows as seen at `now` (ns). The last row may still be forming."""
    seconds, align = query.granularity.seconds, query.alignment
    end = now // SECOND + 1 if query.end is None else min(-(-query.end // SECOND), now // SECOND + 1)
    if query.start is not None:
        begin = query.start // SECOND
        begin = int(bucket_starts(query.granularity, np.array([begin], np.int64), align)[0])
        span = (query.count or 0) * seconds * 2 + 4 * 86_400
        stop = end if query.count is None else min(end, begin + span)
        rows = _between(tape, instrument, query, begin, stop, now)
        while query.count is not None and len(rows) < query.count + 1 and stop < end:
            span *= 4
            stop = min(end, begin + span)
            rows = _between(tape, instrument, query, begin, stop, now)
        if not query.include_first and len(rows) and rows[0, 0] == begin:
            rows = rows[1:]
        return rows if query.count is None else rows[: query.count]
    count = query.count or DEFAULT_COUNT
    span = count * seconds * 3 // 2 + 4 * 86_400
    while True:
        begin = int(bucket_starts(query.granularity, np.array([max(end - span, 0)], np.int64), align)[0])
        rows = _between(tape, instrument, query, begin, end, now)
        if len(rows) >= count or begin <= 0 or _exhausted(tape, instrument, begin):
            return rows[-count:]
        span *= 4


def candles_body(instrument: Instrument, query: CandleQuery, rows: Rows, now: int) -> dict[str, Any]:
    """Rows as the candles endpoint writes them; `complete` is false for a candle whose end is after `now`."""
    precision = instrument.display_precision
    if query.smooth and len(rows) > 1:
        rows = rows.copy()
        rows[1:, 1], rows[1:, 5] = rows[:-1, 4], rows[:-1, 8]
        for o in (1, 5):
            rows[:, o + 1] = np.maximum(rows[:, o + 1], rows[:, o])
            rows[:, o + 2] = np.minimum(rows[:, o + 2], rows[:, o])
    values = rows.tolist()
    last_end = bucket_end(query.granularity, values[-1][0], query.alignment) if values else 0
    candles = []
    for row in values:
        candle: dict[str, Any] = {"complete": True, "volume": row[9], "time": time_text(row[0] * SECOND)}
        if "B" in query.price:
            candle["bid"] = _ohlc(row[1:5], precision)
        if "M" in query.price:
            candle["mid"] = _ohlc([half_even(b + a, 2) for b, a in zip(row[1:5], row[5:9], strict=True)], precision)
        if "A" in query.price:
            candle["ask"] = _ohlc(row[5:9], precision)
        candles.append(candle)
    if candles and last_end * SECOND > now:
        candles[-1]["complete"] = False
    return {"instrument": instrument.name, "granularity": str(query.granularity), "candles": candles}


def _ohlc(values: list[int], precision: int) -> dict[str, str]:
    return {key: price_text(value, precision) for key, value in zip("ohlc", values, strict=True)}
