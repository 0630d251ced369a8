"""OANDA's two formats of a time, to the nanosecond: `2026-09-23T21:14:07.570329138Z` and `1509281144.757577547`."""

from datetime import UTC, datetime, timedelta
from typing import Literal

DatetimeFormat = Literal["RFC3339", "UNIX"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000


def parse_ns(text: str) -> int:
    """Read a time of either format as nanoseconds since the epoch, UTC. Raises ValueError for anything else.

    RFC 3339 times may carry up to nine decimals and end in Z or an offset; the decimals beyond nine are cut.
    """
    if "T" not in text:
        return _parse_unix(text)
    moment, offset_ns = _split_offset(text)
    whole, _, decimals = moment.partition(".")
    seconds = (datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    return seconds * _SECOND + _nanoseconds(decimals) - offset_ns


def parse_time(text: str) -> datetime:
    """Read a time of either format as aware UTC, cut to the microsecond. Raises ValueError for anything else."""
    return _EPOCH + timedelta(microseconds=parse_ns(text) // 1000)


def format_ns(moment_ns: int, style: DatetimeFormat = "RFC3339") -> str:
    """Write nanoseconds since the epoch in OANDA's format, with nine decimals."""
    seconds, nanoseconds = divmod(moment_ns, _SECOND)
    if style == "UNIX":
        sign = ""
        if moment_ns < 0:
            sign, (seconds, nanoseconds) = "-", divmod(-moment_ns, _SECOND)
        return f"{sign}{seconds}.{nanoseconds:09d}"
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def format_time(moment: datetime, style: DatetimeFormat = "RFC3339") -> str:
    """Write an aware datetime in OANDA's format. Raises ValueError for a naive one, whose zone nobody knows."""
    if moment.tzinfo is None:
        raise ValueError("a time for OANDA must carry its time zone")
    return format_ns((moment - _EPOCH) // timedelta(microseconds=1) * 1000, style)


def _parse_unix(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    whole, _, decimals = text.removeprefix("-").partition(".")
    if not whole.isdecimal():
        raise ValueError(f"not a time: {text!r}")
    return sign * (int(whole) * _SECOND + _nanoseconds(decimals))


def _nanoseconds(decimals: str) -> int:
    if decimals and not decimals.isdecimal():
        raise ValueError(f"not a fraction of a second: {decimals!r}")
    return int(decimals[:9].ljust(9, "0"))


def _split_offset(text: str) -> tuple[str, int]:
    if text.endswith("Z"):
        return text[:-1], 0
    sign_at = max(text.rfind("+"), text.rfind("-"))
    if sign_at <= text.index("T"):
        raise ValueError(f"a time without a time zone: {text!r}")
    offset = datetime.fromisoformat(f"2000-01-01T00:00:00{text[sign_at:]}").utcoffset()
    if offset is None:
        raise ValueError(f"not a time: {text!r}")
    return text[:sign_at], offset // timedelta(seconds=1) * _SECOND
