"""Times as text and as seconds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sep_trader.errors import InputError
from sep_trader.market.clock import format_rfc3339, from_epoch, parse_rfc3339

AT = datetime(2014, 5, 1, 12, 30, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-05-01T12:30:45Z", AT),
        ("2014-05-01t12:30:45z", AT),
        ("2014-05-01 12:30:45Z", AT),
        ("  2014-05-01T12:30:45Z\n", AT),
        ("2014-05-01T14:30:45+02:00", AT),
        ("2014-05-01T14:30:45+0200", AT),
        ("2014-05-01T07:30:45-05:00", AT),
        ("2014-05-01T12:30:45.5Z", AT + timedelta(microseconds=500_000)),
        ("2014-05-01T12:30:45.000001Z", AT + timedelta(microseconds=1)),
        ("2014-05-01T12:30:45.123456789Z", AT + timedelta(microseconds=123_456)),
    ],
)
def test_rfc3339_is_read_into_utc(text: str, expected: datetime) -> None:
    found = parse_rfc3339(text)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "2014-05-01", "2014-05-01T12:30:45", "2014-05-01T12:30Z", "2014-05-01T12:30:45.Z", "x2014-05-01T12:30:45Z",
     "2014-05-01T12:30:45.1234567890Z", "2014-05-01T12:30:45Zx"],
)  # fmt: skip
def test_what_is_no_rfc3339_is_named(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_rfc3339(text)
    assert refused.value.message == f"not an RFC 3339 time: '{text}'"
    assert refused.value.hint == "like 2014-05-01T00:00:00Z"


@pytest.mark.parametrize("text", ["2014-13-01T00:00:00Z", "2014-05-01T25:00:00Z", "2014-05-01T00:00:00+99:00"])
def test_a_time_that_cannot_be_is_named_with_its_reason(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_rfc3339(text)
    assert refused.value.message == f"not an RFC 3339 time: '{text}'"
    assert refused.value.hint not in ("", "None")


def test_whole_seconds_are_written_without_a_fraction() -> None:
    assert format_rfc3339(AT) == "2014-05-01T12:30:45Z"
    assert format_rfc3339(AT + timedelta(microseconds=7)) == "2014-05-01T12:30:45.000007Z"
    assert format_rfc3339(AT.astimezone(timezone(timedelta(hours=3)))) == "2014-05-01T12:30:45Z"


def test_seconds_since_the_epoch() -> None:
    assert from_epoch(1_398_947_445) == AT
    assert from_epoch(0.5).tzinfo is UTC
