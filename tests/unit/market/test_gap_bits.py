"""Gaps of kept bits are the gaps of the candles themselves."""

import numpy as np
import pytest

from sep_trader.market.calendar import kind_of_day
from sep_trader.market.gaps import bits_of_days, expected, expected_count, find_gaps, gaps_of_bits
from sep_trader.market.granularity import Granularity

DAY = 86_400


@pytest.mark.parametrize("granularity", [Granularity.S30, Granularity.M1, Granularity.M15, Granularity.H1])
@pytest.mark.parametrize("start", ["2013-12-20", "2014-03-07", "2014-10-31", "2016-12-29"])
def test_gaps_of_bits_are_the_gaps_of_the_candles(granularity: Granularity, start: str) -> None:
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
