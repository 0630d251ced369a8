"""Gaps of kept bits are the gaps of the candles themselves."""

import numpy as np
import pytest

from sep_trader.market import gaps
from sep_trader.market.calendar import kind_of_day
from sep_trader.market.gaps import bits_of_days, expected, expected_count, find_gaps, gaps_of_bits
from sep_trader.market.granularity import Granularity

DAY = 86_400


@pytest.mark.parametrize("granularity", [Granularity.S30, Granularity.M1, Granularity.M15, Granularity.H1])
@pytest.mark.parametrize("start", ["2013-12-20", "2014-03-07", "2014-10-31", "2016-12-29"])
def test_gaps_of_bits_are_the_gaps_of_the_candles(granularity: Granularity, start: str) -> None:
    gaps._KINDS.clear()  # what an earlier test left
    begin = int(np.datetime64(start, "s").astype(np.int64))
    random = np.random.default_rng(1)
    time = expected(begin, begin + 10 * DAY, granularity)
    time = time[random.random(len(time)) > 0.1]
    time = time[(time < begin + 4 * DAY) | (time > begin + 6 * DAY)]  # days without any
    first, end = int(time[0]), int(time[-1]) + granularity.seconds
    asked = [(first - 7, first + DAY), (first + DAY, first + 2 * DAY), (first + 8 * DAY, end)]
    days, bits = bits_of_days(time, granularity.seconds)
    wanted, runs = gaps_of_bits(days, bits, granularity, first, end, asked)
    assert wanted == expected_count(first, int(time[-1]) + 1, granularity)
    assert runs.as_gaps() == find_gaps(time, granularity, first, end, asked)
    assert 0 < runs.asked.sum() < len(runs)


def test_days_of_one_kind_have_the_same_open_minutes() -> None:
    minutes: dict[tuple[object, ...], bytes] = {}
    for day in range(15_000, 17_500):
        open_ = (expected(day * DAY, (day + 1) * DAY, Granularity.M15) - day * DAY).tobytes()
        assert minutes.setdefault(kind_of_day(day), open_) == open_
    assert 10 < len(minutes) < 60


def test_days_of_one_kind_are_computed_once() -> None:
    gaps._KINDS.clear()
    monday, next_monday = 16_202, 16_209
    first = gaps._expected_bits(monday, Granularity.M15)
    assert gaps._expected_bits(next_monday, Granularity.M15) is first
    assert first.dtype == np.bool_
    assert first.shape == (96,)
    # Open but for the break at 17:00 New York: 21:00 UTC in May is the 85th quarter of an hour.
    assert np.flatnonzero(~first).tolist() == [84]
    assert gaps._expected_bits(monday, Granularity.H1).shape == (24,)
    assert len(gaps._KINDS) == 2
    # Saturday is closed, on Sunday the market opens at 17:00 New York: 21:00 UTC in May.
    assert not gaps._expected_bits(16_207, Granularity.H1).any()
    assert np.flatnonzero(gaps._expected_bits(16_208, Granularity.H1)).tolist() == [21, 22, 23]


def test_bits_of_a_day_that_is_cut() -> None:
    gaps._KINDS.clear()
    monday = 16_202 * DAY
    days, bits = bits_of_days(np.array([monday + 3600, monday + 3 * 3600]), 3600)
    assert days.tolist() == [16_202]
    assert bits.dtype == np.bool_
    wanted, runs = gaps_of_bits(
        days, bits, Granularity.H1, monday + 3600, monday + 5 * 3600, [(monday, monday + 4 * 3600)]
    )
    assert wanted == 4
    assert [(g.start - monday, g.end - monday, g.missing, g.asked) for g in runs.as_gaps()] == [
        (2 * 3600, 3 * 3600, 1, True), (4 * 3600, 5 * 3600, 1, False),
    ]  # fmt: skip
    # Days that are not asked for, before and after, change nothing.
    more_days, more_bits = np.array([16_201, 16_202, 16_203]), np.concatenate([~bits, bits, ~bits])
    again = gaps_of_bits(more_days, more_bits, Granularity.H1, monday + 3600, monday + 5 * 3600, [])
    assert (again[0], again[1].start.tolist()) == (wanted, runs.start.tolist())
    none, empty = gaps_of_bits(days, np.ones((1, 24), np.bool_), Granularity.H1, monday, monday + DAY, [])
    assert (none, len(empty)) == (24, 0)
    assert empty.start.dtype == empty.end.dtype == empty.missing.dtype == np.int64
    assert empty.asked.dtype == np.bool_
