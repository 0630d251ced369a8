"""What file and folder names say: the pair, the candle length, the side."""

import re
from pathlib import Path
from typing import Literal

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair

Side = Literal["bid", "ask", "mid", "both"]
_PAIR = re.compile(r"(?<![A-Za-z])([A-Za-z]{3})[_/-]?([A-Za-z]{3})(?![A-Za-z])")
# M1, m15, H4, D1, W1, MN1; 1m, 15min, 4h, 1d; MetaTrader's EURUSD60.
_LETTER_FIRST = re.compile(r"(?<![A-Za-z0-9])(MN1|[SMHDW])(\d{0,2})(?![A-Za-z0-9])", re.IGNORECASE)
_NUMBER_FIRST = re.compile(
    r"(?<![A-Za-z0-9.])(\d{1,2})[ _-]?(s|sec|m|min|mins|minute|minutes|h|hr|hour|hours|d|day|w|week)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_METATRADER = re.compile(r"(?<![A-Za-z])[A-Za-z]{6}\.?[a-z]{0,3}(1440|10080|43200|240|60|30|15|5|1)(?![A-Za-z0-9])")
_MINUTES = {1: "M1", 5: "M5", 15: "M15", 30: "M30", 60: "H1", 240: "H4", 1440: "D", 10080: "W", 43200: "M"}
_WORDS = {"minute": "M1", "hourly": "H1", "hour": "H1", "daily": "D", "day": "D", "weekly": "W", "monthly": "M"}


def pair_in(text: str) -> str | None:
    """The currency pair that a name contains as a word, in any usual spelling; None without one."""
    for first, second in _PAIR.findall(text.replace(".", " ")):
        try:
            return parse_pair(f"{first}_{second}")
        except InputError:
            continue
    return None


def granularity_in(text: str) -> Granularity | None:
    """The candle length that a name states; None without one, or where it states two."""
    found = {_named(letter.upper(), number) for letter, number in _LETTER_FIRST.findall(text)}
    found |= {_named(unit[0].upper(), number) for number, unit in _NUMBER_FIRST.findall(text)}
    found |= {_MINUTES[int(number)] for number in _METATRADER.findall(text)}
    found |= {length for word, length in _WORDS.items() if re.search(rf"(?<![a-z]){word}(?![a-z])", text.lower())}
    lengths = {name for name in found if name in Granularity.__members__}
    return Granularity(lengths.pop()) if len(lengths) == 1 else None


def side_in(text: str) -> Literal["bid", "ask"] | None:
    """The side that a name states as a word: bid or ask; None without one."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
    sides = words & {"bid", "ask"}
    if sides == {"bid"}:
        return "bid"
    return "ask" if sides == {"ask"} else None


def other_side(path: Path) -> Path | None:
    """The file beside this one whose name differs in bid and ask only, if it exists."""
    side = side_in(path.name)
    if side is None:
        return None
    swapped = re.sub(rf"(?<![A-Za-z]){side}(?![A-Za-z])", _in_case, path.name, flags=re.IGNORECASE)
    other = path.with_name(swapped)
    return other if other != path and other.exists() else None


def _in_case(match: re.Match[str]) -> str:
    word = match[0]
    other = "ask" if word.lower() == "bid" else "bid"
    return other.upper() if word.isupper() else other.title() if word[0].isupper() else other


def _named(letter: str, number: str) -> str:
    if letter in ("MN", "MN1"):
        return "M"
    if letter in "DW":
        return letter if number in ("", "1") else ""
    return f"{letter}{number}" if number else ""
