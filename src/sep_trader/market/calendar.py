"""The forex week and the broker's candle grid, in New York time: opens Sunday 17:00, closes Friday 17:00.

Sources: OANDA's hours of operation and its candle endpoint (daily alignment 17:00 America/New_York).
"""

from datetime import UTC, date, datetime, timedelta

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


def new_york_offset(time: Int) -> Int:
    """Seconds to add to UTC to get New York's wall clock, for each time. Clocks change on whole hours only."""
    hours, inverse = np.unique(np.asarray(time, np.int64) // HOUR, return_inverse=True)
    offsets = [_offset(int(h) * HOUR) for h in hours]
    return np.array(offsets, np.int64)[inverse] if len(hours) else np.zeros(0, np.int64)


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

    The daily break is the five minutes from 16:59 New York, in which OANDA settles and quotes little or nothing.
    """
    time = np.asarray(time, np.int64)
    local = time + new_york_offset(time)
    shifted = local + (24 - _CLOSE_HOUR) * HOUR
    day = shifted // DAY
    weekday = (day + _THURSDAY) % 7  # Monday is 0, of the date the trading day ends on
    minute = local % DAY // 60
    daily_break = (minute >= 16 * 60 + 59) & (minute < 17 * 60 + 5)
    return (weekday < 5) & ~daily_break & ~_on_holiday(day)


def _on_holiday(day: Int) -> Bool:
    if len(day) == 0:
        return np.zeros(0, bool)
    years = range(_date(int(day.min())).year, _date(int(day.max())).year + 1)
    closed = [(d - date(1970, 1, 1)).days for year in years for d in holidays(year)]
    return np.isin(day, closed)


def holidays(year: int) -> list[date]:
    """Dates of the trading days on which forex does not trade or hardly does: New Year, Good Friday, Christmas."""
    return [date(year, 1, 1), easter(year) - timedelta(days=2), date(year, 12, 25)]


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of Nature, 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + weekday - 7 * ((a + 11 * h + 22 * weekday) // 451) + 114, 31)
    return date(year, month, day + 1)


def _date(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)
