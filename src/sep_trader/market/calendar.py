"""The forex week and the broker's candle grid, in New York time: opens Sunday 17:00, closes Friday 17:00.

Sources: OANDA's hours of operation and its candle endpoint (daily alignment 17:00 America/New_York).
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sep_trader.market.clock import NEW_YORK
from sep_trader.market.granularity import Granularity

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

DAY = 86_400
HOUR = 3_600
_CLOSE_HOUR = 17
# 1970-01-01 was a Thursday; with days that start at 17:00 the trading day is named after the one it ends on.
_THURSDAY = 3
_FRIDAY = 4
_SUNDAY = 6


def new_york_offset(time: Int) -> Int:
    """Seconds to add to UTC to get New York's wall clock, for each time. Clocks change on whole hours only."""
    time = np.asarray(time, np.int64)
    if len(time) == 0:
        return np.zeros(0, np.int64)
    changes, offsets = clock_changes(_year_of(int(time.min())), _year_of(int(time.max())))
    return offsets[np.searchsorted(changes, time, side="right")]


@lru_cache(maxsize=64)
def clock_changes(first_year: int, last_year: int) -> tuple[Int, Int]:
    """When New York's clocks change in these years: int64[K] times, int64[K + 1] offsets before, between and after."""
    changes: list[int] = []
    offsets = [_offset(_new_year(first_year))]
    for year in range(first_year, last_year + 1):
        for month in range(1, 13):
            begin, end = (
                int(datetime(year + m // 13, (m - 1) % 12 + 1, 1, tzinfo=UTC).timestamp()) for m in (month, month + 1)
            )
            if _offset(begin) == _offset(end):
                continue
            before, low, high = _offset(begin), begin // HOUR, end // HOUR
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle * HOUR) == before else (low, middle)
            changes.append(high * HOUR)
            offsets.append(_offset(high * HOUR))
    return np.array(changes, np.int64), np.array(offsets, np.int64)


def _year_of(epoch: int) -> int:
    return datetime.fromtimestamp(epoch, UTC).year


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset(epoch: int) -> int:
    shift = datetime.fromtimestamp(epoch, UTC).astimezone(NEW_YORK).utcoffset()
    assert shift is not None  # noqa: S101 - an aware datetime has one
    return int(shift.total_seconds())


def candle_start(time: Int, granularity: Granularity) -> Int:
    """Start of the candle that contains each time, as the broker aligns them.

    Up to H1 the grid is that of UTC; H2 to D count from 17:00 New York, W from Friday 17:00, M from 17:00 before it.
    """
    time = np.asarray(time, np.int64)
    if granularity.seconds <= HOUR:
        return time - time % granularity.seconds
    offset = new_york_offset(time)
    shifted = time + offset + (24 - _CLOSE_HOUR) * HOUR  # wall clock that strikes midnight at 17:00 New York
    if granularity is Granularity.W:
        # The week that starts on Friday 17:00 starts on the shifted clock's Saturday 00:00.
        since = (shifted // DAY + _THURSDAY + 2) % 7 * DAY + shifted % DAY
    elif granularity is Granularity.M:
        months = shifted.astype("datetime64[s]").astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
        since = shifted - months
    else:
        since = shifted % DAY % granularity.seconds
    return time - since


def trading_day(time: Int) -> Int:
    """The trading day (17:00 to 17:00 New York) of each time, as days since the epoch of the date it ends on."""
    time = np.asarray(time, np.int64)
    return (time + new_york_offset(time) + (24 - _CLOSE_HOUR) * HOUR) // DAY


def is_open(time: Int) -> Bool:
    """Whether the market is open at each time: not at the weekend, not in the daily break, not on a holiday.

    The daily break is 16:59 to 17:05 New York, in which OANDA settles and quotes little or nothing. Before Christmas
    and New Year trading ends at 14:00. (Good Friday is traded: OANDA's hours of 2007 to 2018 have candles throughout.)
    """
    time = np.asarray(time, np.int64)
    local = time + new_york_offset(time)
    shifted = local + (24 - _CLOSE_HOUR) * HOUR
    day = shifted // DAY
    weekday = (day + _THURSDAY) % 7  # Monday is 0, of the date the trading day ends on
    minute = local % DAY // 60
    daily_break = (minute >= 16 * 60 + 59) & (minute < 17 * 60 + 5)
    closed, short = _special_days(day)
    early = np.isin(day, short) & (minute >= 14 * 60) & (minute < _CLOSE_HOUR * 60)
    return (weekday < 5) & ~daily_break & ~np.isin(day, closed) & ~early


@lru_cache(maxsize=65_536)
def kind_of_day(day: int) -> tuple[object, ...]:
    """What decides when the market is open in a UTC day: days of one kind have the same open minutes.

    day: days since the epoch. The kind is the weekday, New York's clock at both ends, and what is special about the two
    trading days that the UTC day touches.
    """
    begin = day * DAY
    offsets = new_york_offset(np.array([begin, begin + 6 * HOUR, begin + 7 * HOUR, begin + DAY - 1], np.int64)).tolist()
    trading = [int(d) for d in trading_day(np.array([begin, begin + DAY - 1], np.int64))]
    closed, short = _special_days(np.array(trading, np.int64))
    return (day % 7, *offsets, *(d in closed for d in trading), *(d in short for d in trading))


def _special_days(day: Int) -> tuple[list[int], list[int]]:
    """Trading days between the first and last given that are closed, and those that end early."""
    if len(day) == 0:
        return [], []
    years = range(_date(int(day.min())).year, _date(int(day.max())).year + 2)
    closed = [(d - _date(0)).days for year in years for d in holidays(year)]
    short = [(d - _date(0)).days for year in years for d in early_closes(year)]
    return closed, short


def holidays(year: int) -> list[date]:
    """Trading days on which nothing trades: New Year and Christmas, and the Monday after where they are a Sunday."""
    days = [date(year, 1, 1), date(year, 12, 25)]
    return days + [d + timedelta(days=1) for d in days if d.weekday() == _SUNDAY]


def early_closes(year: int) -> list[date]:
    """Trading days that end at 14:00 New York: the last before Christmas and before New Year."""
    return [_weekday_before(date(year, 12, 25)), _weekday_before(date(year + 1, 1, 1))]


def _weekday_before(day: date) -> date:
    before = day - timedelta(days=1)
    while before.weekday() > _FRIDAY:
        before -= timedelta(days=1)
    return before


def _date(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)
