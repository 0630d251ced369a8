"""Gaps: what the calendar expects and is not there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sep_trader.market.gaps import Gap, expected, find_gaps, subtract
from sep_trader.market.granularity import Granularity

WEDNESDAY = 1_399_420_800  # 2014-05-07T00:00:00Z
SUNDAY_OPEN = WEDNESDAY - 3 * 86_400 + 21 * 3_600
M1 = Granularity.M1


def test_a_full_day_has_no_gap_and_the_daily_break_is_none() -> None:
    times = expected(WEDNESDAY, WEDNESDAY + 86_400, M1)
    assert len(times) == 1_440 - 6
    assert find_gaps(times, M1, WEDNESDAY, WEDNESDAY + 86_400) == []


def test_a_weekend_is_no_gap() -> None:
    week = expected(WEDNESDAY, WEDNESDAY + 7 * 86_400, M1)
    assert find_gaps(week, M1, WEDNESDAY, WEDNESDAY + 7 * 86_400) == []
    assert len(week) == 5 * (1_440 - 6)


def test_missing_minutes_are_found_at_both_ends_and_in_the_middle() -> None:
    times = WEDNESDAY + 60 * np.array([2, 3, 6])
    assert find_gaps(times, M1, WEDNESDAY, WEDNESDAY + 480) == [
        Gap(WEDNESDAY, WEDNESDAY + 120, 2),
        Gap(WEDNESDAY + 240, WEDNESDAY + 360, 2),
        Gap(WEDNESDAY + 420, WEDNESDAY + 480, 1),
    ]


def test_what_the_broker_was_asked_for_is_marked() -> None:
    times = WEDNESDAY + 60 * np.array([0, 3])
    [gap] = find_gaps(times, M1, WEDNESDAY, WEDNESDAY + 240, [(WEDNESDAY, WEDNESDAY + 240)])
    assert gap.asked
    [gap] = find_gaps(times, M1, WEDNESDAY, WEDNESDAY + 240, [(WEDNESDAY, WEDNESDAY + 100)])
    assert not gap.asked


def test_longer_candles_are_expected_where_any_of_their_hours_is_open() -> None:
    days = expected(WEDNESDAY - 7 * 86_400, WEDNESDAY, Granularity.D)
    assert len(days) == 5
    assert SUNDAY_OPEN in days.tolist()
    assert len(expected(WEDNESDAY, WEDNESDAY + 86_400, Granularity.H1)) == 24


minutes = st.sets(st.integers(0, 2_879), max_size=200)


@given(minutes)
def test_gaps_and_candles_together_are_what_was_expected(present: set[int]) -> None:
    times = WEDNESDAY + 60 * np.array(sorted(present), np.int64)
    wanted = set(expected(WEDNESDAY, WEDNESDAY + 2 * 86_400, M1).tolist())
    gaps = find_gaps(times, M1, WEDNESDAY, WEDNESDAY + 2 * 86_400)
    missing = [t for g in gaps for t in range(g.start, g.end, 60)]
    assert sorted(missing) == sorted(wanted - set(times.tolist()))
    assert sum(g.missing for g in gaps) == len(missing)


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@given(spans)
def test_subtracting_spans_leaves_what_none_covers(known: list[tuple[int, int]]) -> None:
    left = {t for a, b in subtract((5, 45), known) for t in range(a, b)}
    assert left == set(range(5, 45)) - {t for a, b in known for t in range(a, b)}
