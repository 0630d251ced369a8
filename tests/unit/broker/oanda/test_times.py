from datetime import UTC, datetime, timedelta, timezone

import pytest

from sep_trader.broker.oanda.times import format_ns, format_time, parse_ns, parse_time

RFC = "2026-09-23T21:14:07.570329138Z"
NS = 1790198047_570329138


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RFC, NS),
        ("1790198047.570329138", NS),
        ("2026-09-23T21:14:07Z", 1790198047_000000000),
        ("2026-09-23T21:14:07.5Z", 1790198047_500000000),
        ("2026-09-23T21:14:07.5703291389Z", NS),
        ("2026-09-23T23:14:07.570329138+02:00", NS),
        ("2026-09-23T17:14:07.570329138-04:00", NS),
        ("1790198047", 1790198047_000000000),
        ("0", 0),
        ("-1.5", -1_500000000),
        ("1969-12-31T23:59:58.500000000Z", -1_500000000),
    ],
)
def test_both_formats_are_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert parse_ns(text) == expected


@pytest.mark.parametrize("text", ["", "now", "12.x", "2026-09-23T21:14:07", "2026-13-01T00:00:00Z", "1e9", "1_0"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ns(text)


def test_a_datetime_keeps_the_microseconds() -> None:
    assert parse_time(RFC) == datetime(2026, 9, 23, 21, 14, 7, 570329, tzinfo=UTC)


def test_times_are_written_in_either_format() -> None:
    assert format_ns(NS) == RFC
    assert format_ns(NS, "UNIX") == "1790198047.570329138"
    assert format_ns(-1_500000000, "UNIX") == "-1.500000000"
    local = datetime(2026, 9, 23, 23, 14, 7, 570329, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(local) == "2026-09-23T21:14:07.570329000Z"
    assert format_time(local, "UNIX") == "1790198047.570329000"


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_time(datetime(2026, 9, 23))  # noqa: DTZ001
