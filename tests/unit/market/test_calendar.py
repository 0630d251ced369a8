"""The broker's grid and the session calendar."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep_trader.market.calendar import candle_start, early_closes, holidays, is_open, new_york_offset, trading_day
from sep_trader.market.granularity import Granularity


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("granularity", "time", "start"),
    [
        # 17:00 New York is 21:00 UTC in summer and 22:00 in winter.
        ("D", "2014-05-01T20:59:59", "2014-04-30T21:00:00"),
        ("D", "2014-05-01T21:00:00", "2014-05-01T21:00:00"),
        ("D", "2014-01-15T21:59:59", "2014-01-14T22:00:00"),
        ("H4", "2014-05-01T00:59:59", "2014-04-30T21:00:00"),
        ("H4", "2014-05-01T01:00:00", "2014-05-01T01:00:00"),
        ("H4", "2014-01-15T01:59:59", "2014-01-14T22:00:00"),
        ("H1", "2014-05-01T13:59:00", "2014-05-01T13:00:00"),
        ("M15", "2014-05-01T13:59:00", "2014-05-01T13:45:00"),
        ("W", "2014-05-07T12:00:00", "2014-05-02T21:00:00"),
        ("M", "2014-05-07T12:00:00", "2014-04-30T21:00:00"),
    ],
)
def test_candles_start_where_the_broker_starts_them(granularity: str, time: str, start: str) -> None:
    assert candle_start(np.array([at(time)]), Granularity(granularity)).tolist() == [at(start)]


@given(st.integers(0, 2**31), st.sampled_from([g for g in Granularity if g.value not in ("W", "M")]))
def test_a_candle_contains_its_time_and_starts_once(time: int, granularity: Granularity) -> None:
    start = candle_start(np.array([time]), granularity)
    assert 0 <= time - start[0] < granularity.seconds + 3_600  # one day a year has 25 hours
    assert candle_start(start, granularity).tolist() == start.tolist()


@pytest.mark.parametrize(
    ("time", "open_"),
    [
        ("2014-05-02T20:58:00", True),  # Friday before the close
        ("2014-05-02T20:59:00", False),
        ("2014-05-03T12:00:00", False),
        ("2014-05-04T21:04:00", False),
        ("2014-05-04T21:05:00", True),  # Sunday 17:05 New York
        ("2014-05-06T21:00:00", False),  # the daily break
        ("2014-05-06T21:05:00", True),
        ("2014-12-25T12:00:00", False),
        ("2014-12-24T18:59:00", True),
        ("2014-12-24T19:00:00", False),  # 14:00 New York before Christmas
        ("2014-04-18T12:00:00", True),  # Good Friday is traded
        ("2015-01-01T12:00:00", False),
    ],
)
def test_the_week_the_break_and_the_holidays(time: str, open_: bool) -> None:
    assert is_open(np.array([at(time)])).tolist() == [open_]


def test_holidays_on_a_sunday_are_kept_on_monday() -> None:
    assert date(2016, 12, 26) in holidays(2016)
    assert date(2017, 1, 2) in holidays(2017)
    assert early_closes(2016) == [date(2016, 12, 23), date(2016, 12, 30)]


def test_offsets_follow_daylight_saving() -> None:
    times = np.array([at("2014-03-09T06:59:59"), at("2014-03-09T07:00:00"), at("2014-11-02T06:00:00")])
    assert (new_york_offset(times) / 3600).tolist() == [-5, -4, -5]
    assert trading_day(np.array([at("2014-05-04T21:00:00")])).tolist() == [at("2014-05-05T00:00:00") // 86_400]
    assert len(new_york_offset(np.zeros(0, np.int64))) == 0
