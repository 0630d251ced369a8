"""Time zones of files: fixed offsets, named zones, and `ny+7`, the clock of most MetaTrader servers."""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sep_trader.errors import InputError

HINT = "such as UTC, +02:00, Europe/Athens, or ny+7 (New York plus seven hours, as most MetaTrader servers)"
_FIXED = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_NEW_YORK = re.compile(r"ny(?:([+-])(\d{1,2}))?", re.IGNORECASE)
# Words that people and platforms write; those without daylight saving are fixed.
_WORDS = {
    "utc": 0, "gmt": 0, "z": 0, "est": -5 * 3_600, "jst": 9 * 3_600, "msk": 3 * 3_600, "eet": "Europe/Athens",
    "eest": "Europe/Athens", "cet": "Europe/Berlin", "cest": "Europe/Berlin", "wet": "Europe/Lisbon",
    "bst": "Europe/London", "edt": "America/New_York", "et": "America/New_York",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of wall clocks. The clock shows the time of `region` plus `ahead` seconds; without a region, UTC's."""

    name: str
    region: str | None = None
    ahead: int = 0

    def __str__(self) -> str:
        return self.name


UTC_ZONE = Zone("UTC")
EST_ALL_YEAR = Zone("EST", ahead=-5 * 3_600)
USUAL = (UTC_ZONE, Zone("ny+7", "America/New_York", 7 * 3_600), EST_ALL_YEAR, Zone("ny", "America/New_York"),
         Zone("Europe/London", "Europe/London"), Zone("Europe/Berlin", "Europe/Berlin"),
         Zone("Europe/Athens", "Europe/Athens"), Zone("+02:00", ahead=7_200), Zone("+03:00", ahead=10_800),
         Zone("Asia/Tokyo", "Asia/Tokyo"), Zone("Australia/Sydney", "Australia/Sydney"))  # fmt: skip
"""Zones that candle files are usually written in, the likeliest first."""


def parse_zone(text: str) -> Zone:
    """Read a zone's name; raises InputError with examples."""
    name = text.strip()
    word = _WORDS.get(name.lower())
    if isinstance(word, int):
        return UTC_ZONE if word == 0 else Zone(name.upper(), ahead=word)
    if match := _FIXED.fullmatch(name):
        sign, hours, minutes = match.groups()
        seconds = (int(hours) * 60 + int(minutes or 0)) * (60 if sign == "+" else -60)
        if abs(seconds) <= 14 * 3_600 and int(minutes or 0) < 60:
            return Zone(f"{sign}{int(hours):02}:{minutes or '00'}", ahead=seconds) if seconds else UTC_ZONE
    elif match := _NEW_YORK.fullmatch(name):
        sign, hours = match.groups()
        ahead = int(hours or 0) * (-3_600 if sign == "-" else 3_600)
        if abs(ahead) <= 14 * 3_600:
            return Zone(name.lower(), "America/New_York", ahead)
    else:
        region = str(word or name)
        try:
            ZoneInfo(region)
            return Zone(region, region)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise InputError(f"unknown time zone '{text[:40]}'", HINT)


def zone_of_words(header: str) -> Zone | str | None:
    """The zone that a header's words name, as in `Gmt time`; `local` where they say a local time; None for no word."""
    words = re.findall(r"[a-z]+(?:[+-]\d+(?::\d\d)?)?", header.lower())
    if "local" in words:
        return "local"
    for word in words:
        if word in _WORDS or _FIXED.fullmatch(word):
            return parse_zone(word)
    return None
