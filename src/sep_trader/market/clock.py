"""Conversions between aware UTC datetimes, seconds since the epoch and RFC 3339 text, without reading any clock."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sep_trader.errors import InputError

NEW_YORK = ZoneInfo("America/New_York")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time with up to nine fractional digits (cut to microseconds) into an aware UTC datetime.

    Raises InputError that names the value.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise InputError(f"not an RFC 3339 time: '{text}'", "like 2014-05-01T00:00:00Z")
    date, clock, fraction, zone = match.groups()
    micro = (fraction or "").ljust(6, "0")[:6]
    offset = "+00:00" if zone in "Zz" else zone
    try:
        return datetime.fromisoformat(f"{date}T{clock}.{micro}{offset}").astimezone(UTC)
    except ValueError as error:
        raise InputError(f"not an RFC 3339 time: '{text}'", str(error)) from None


def format_rfc3339(when: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC: whole seconds without a fraction."""
    text = when.astimezone(UTC).isoformat(timespec="microseconds" if when.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def from_epoch(seconds: float) -> datetime:
    """The aware UTC datetime of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
