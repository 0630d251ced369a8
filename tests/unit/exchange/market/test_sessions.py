from datetime import UTC, datetime, time

import pytest

from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.sessions import Sessions, next_cutoff


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-01-04 22:02:59", False),  # Sunday 17:02:59 in winter
        ("2026-01-04 22:03:00", True),
        ("2026-01-06 21:57:59", True),
        ("2026-01-06 21:58:00", False),  # daily break
        ("2026-01-06 22:03:00", True),
        ("2026-01-09 21:57:59", True),
        ("2026-01-09 21:58:00", False),  # Friday
        ("2026-01-10 12:00:00", False),
        ("2026-07-05 21:03:00", True),  # Sunday in summer
        ("2026-07-05 21:02:00", False),
        ("2026-03-08 21:03:00", True),  # the Sunday on which the clocks go forward
    ],
)
def test_the_week_in_new_york_time(when: str, is_open: bool) -> None:
    assert Sessions().is_open(ns(when)) is is_open


@pytest.mark.parametrize(
    ("when", "change"),
    [
        ("2026-01-05 12:00:00", "2026-01-05 21:58:00"),
        ("2026-01-05 21:58:00", "2026-01-05 22:03:00"),
        ("2026-01-09 21:58:00", "2026-01-11 22:03:00"),
        ("2026-03-06 22:00:00", "2026-03-08 21:03:00"),
    ],
)
def test_the_next_change_is_found(when: str, change: str) -> None:
    assert Sessions().next_change(ns(when)) == ns(change)


def test_hours_can_be_set_and_switched_off() -> None:
    assert Sessions(time(17, 5), time(16, 59)).is_open(ns("2026-01-06 21:58:30"))
    assert Sessions(always=True).is_open(ns("2026-01-10 12:00:00"))
    assert Sessions(always=True).next_change(0) is None


def test_the_cutoff_is_five_in_the_afternoon_across_daylight_saving() -> None:
    assert next_cutoff(ns("2026-03-07 21:00:00")) == ns("2026-03-07 22:00:00")
    assert next_cutoff(ns("2026-03-07 22:00:00")) == ns("2026-03-08 21:00:00")
    assert next_cutoff(ns("2026-11-01 10:00:00")) == ns("2026-11-01 22:00:00")
