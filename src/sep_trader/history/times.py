"""Columns of times: recognise how they are written, and turn them into seconds since the epoch, UTC."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.sheet import Int
from sep_trader.history.zones import HINT, UTC_ZONE, Zone

if TYPE_CHECKING:
    import polars

FIRST, LAST = 31_536_000, 9_214_646_400
"""Times that can be of candles, 1971 to 2262, in seconds since the epoch; whether one is to come, the judge says."""
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_SAMPLE = 200
BAD = np.iinfo(np.int64).min
"""What stands for a time that could not be read."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How a column of times is written. pattern: a strptime format, or a unit of UNITS for numbers since the epoch."""

    pattern: str
    zoned: bool = False
    """Each time carries its own offset."""

    @property
    def is_number(self) -> bool:
        """Numbers since the epoch."""
        return self.pattern in UNITS


LOCAL = TimeFormat("datetime")
"""Times that a file holds as times, without an offset."""
_CLOCK = r"(?P<clock>[ T]\d{1,2}:\d\d(?P<second>:\d\d(?P<fraction>[.,]\d+)?)?)?"
_ZONE = r"(?P<zone> ?(?:GMT|UTC)?(?:Z|[+-]\d\d:?\d\d))?"
_SHAPES = (
    (re.compile(rf"\d{{4}}-\d\d-\d\d{_CLOCK}{_ZONE}", re.IGNORECASE), "%Y-%m-%d"),
    (re.compile(rf"\d{{4}}\.\d\d\.\d\d{_CLOCK}{_ZONE}", re.IGNORECASE), "%Y.%m.%d"),
    (re.compile(rf"\d{{4}}/\d\d/\d\d{_CLOCK}{_ZONE}", re.IGNORECASE), "%Y/%m/%d"),
    (re.compile(rf"\d\d\.\d\d\.\d{{4}}{_CLOCK}{_ZONE}", re.IGNORECASE), "%d.%m.%Y"),
    (re.compile(rf"(?P<first>\d{{1,2}})[/-](?P<middle>\d{{1,2}})[/-]\d{{4}}{_CLOCK}{_ZONE}", re.IGNORECASE), "day?"),
    (re.compile(r"\d{8} \d{6}(?P<fraction>[.,]\d+)?"), "%Y%m%d %H%M%S"),
    (re.compile(r"\d{8} \d{4}"), "%Y%m%d %H%M"),
    (re.compile(rf"\d{{8}}{_CLOCK}"), "%Y%m%d"),
)


def recognise(values: "polars.Series", what: str, *, day_first: bool | None = None) -> TimeFormat:
    """How the times of a column are written.

    what: the file and column, for the error. day_first: what 03/04/2020 means, where the format is known to say it.
    Raises InputError where no format fits, or 03/04/2020 could be either of two days in every row.
    """
    sample = [text for text in values.head(_SAMPLE).to_list() if text]
    if not sample:
        raise InputError(f"{what} holds no times", "is --format right?")
    # The form of most decides: one bad row does not.
    votes: dict[TimeFormat, int] = {}
    for text in sample:
        found = _recognise_one(text, values, day_first)
        if found is not None:
            votes[found] = votes.get(found, 0) + 1
    if not votes:
        raise InputError(f"{what} holds '{sample[0][:40]}', which is no known time", "give --time-format")
    best = max(votes, key=lambda one: votes[one])
    if best.pattern == "ambiguous":
        raise InputError(
            f"{what} holds '{sample[0][:40]}': day or month first?", "give --time-format, like '%d/%m/%Y %H:%M:%S'"
        )
    return best


def _recognise_one(text: str, values: "polars.Series", day_first: bool | None) -> TimeFormat | None:
    number = re.fullmatch(r"(\d+)(?:\.0*)?", text)
    if number and len(number[1]) != 8:
        digits = len(number[1])
        for unit, lengths in (("s", (8, 11)), ("ms", (12, 13)), ("us", (15, 16)), ("ns", (18, 19))):
            if lengths[0] <= digits <= lengths[1]:
                return TimeFormat(unit)
        return None
    for shape, date in _SHAPES:
        match = shape.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        pattern = date if date != "day?" else _day_or_month(values, day_first, "-" if "-" in text[:6] else "/")
        if pattern == "ambiguous":
            return TimeFormat(pattern)
        if parts.get("clock"):
            pattern += text[match.start("clock")] + "%H:%M" + (":%S" if parts.get("second") else "")
        if parts.get("fraction"):
            pattern += "%.f"
        return TimeFormat(pattern, zoned=bool(parts.get("zone")))
    return None


def _day_or_month(values: "polars.Series", day_first: bool | None, separator: str) -> str:
    if day_first is None:
        first = values.str.extract(r"^(\d{1,2})[/-]").cast(int, strict=False).max()
        middle = values.str.extract(r"^\d{1,2}[/-](\d{1,2})").cast(int, strict=False).max()
        if isinstance(first, int) and first > 12:
            day_first = True
        elif isinstance(middle, int) and middle > 12:
            day_first = False
        else:
            return "ambiguous"
    order = ("%d", "%m", "%Y") if day_first else ("%m", "%d", "%Y")
    return separator.join(order)


def stated(text: str) -> TimeFormat:
    """The format that a person stated: a unit, or a strptime format. Raises InputError for neither."""
    if text in UNITS:
        return TimeFormat(text)
    if "%" not in text:
        raise InputError(f"not a time format: '{text[:40]}'", f"a strptime format, or one of {', '.join(UNITS)}")
    return TimeFormat(text, zoned="%z" in text)


def unit_is_unstated(found: TimeFormat) -> bool:
    """Numbers of another unit than seconds, which a person or a format must state."""
    return found.is_number and found.pattern != "s"


def unit_word(found: TimeFormat) -> str:
    """The unit of numbers in words."""
    return _UNIT_WORDS[found.pattern]


def to_epoch(values: "polars.Series", how: TimeFormat, zone: Zone | None) -> tuple[Int, dict[int, str]]:
    """Seconds since the epoch, UTC, of a column of texts, and by index what is wrong with a row.

    zone: of times that carry no offset. Raises InputError where it is needed and missing.
    """
    if how.is_number:
        counted, wrong = _numbers(values, how)
        return (counted, wrong) if zone is None or zone == UTC_ZONE else (from_clock(counted, zone), wrong)
    texts = values
    if how.zoned:
        texts = texts.str.replace(r"(?i) ?(?:GMT|UTC)?(Z|[+-]\d\d:?\d\d)$", " $1").str.replace(r"(?i) Z$", " +00:00")
        pattern = how.pattern if "%z" in how.pattern else how.pattern + " %z"
        parsed = texts.str.to_datetime(pattern, strict=False, time_unit="us", time_zone="UTC")
    else:
        if zone is None:
            raise InputError("the times name no time zone", f"give --timezone, {HINT}")
        parsed = _local_to_utc(texts.str.to_datetime(how.pattern, strict=False, time_unit="us"), zone)
    microseconds = parsed.dt.epoch("us")
    problems: dict[int, str] = {}
    unread = microseconds.is_null()
    whole = microseconds.fill_null(0).to_numpy()
    for index in unread.arg_true().to_list():
        problems[index] = f"not a time: '{(values[index] or '')[:40]}'"
    for index in np.flatnonzero(whole % 1_000_000).tolist():
        problems.setdefault(index, f"not a whole second: '{values[index][:40]}'")
    time = np.where(unread.to_numpy(), BAD, whole // 1_000_000).astype(np.int64)
    return time, problems | _out_of_bounds(time, values, problems)


def carries_zone(values: "polars.Series") -> bool:
    """Whether a column of times says their zone."""
    return getattr(values.dtype, "time_zone", None) is not None


def datetimes_to_epoch(values: "polars.Series", zone: Zone | None) -> tuple[Int, dict[int, str]]:
    """As `to_epoch`, of a column that holds times already."""
    import polars as pl

    dtype = values.dtype
    if isinstance(dtype, pl.Date):
        values = values.cast(pl.Datetime("us"))
    if getattr(dtype, "time_zone", None) is None:
        if zone is None:
            raise InputError("the times name no time zone", f"give --timezone, {HINT}")
        values = _local_to_utc(values.cast(pl.Datetime("us")), zone)
    whole = values.dt.epoch("us").fill_null(0).to_numpy()
    problems = dict.fromkeys(values.is_null().arg_true().to_list(), "no time")
    for index in np.flatnonzero(whole % 1_000_000).tolist():
        problems.setdefault(index, f"not a whole second: {values[index]}")
    return (whole // 1_000_000).astype(np.int64), problems


def _local_to_utc(parsed: "polars.Series", zone: Zone) -> "polars.Series":
    shifted = parsed - timedelta(seconds=zone.ahead) if zone.ahead else parsed
    if zone.region is None:
        return shifted
    # Where the clock is put back, an hour comes twice: the market is closed then in the zones that do so at night of a
    # Sunday, and elsewhere the first is taken. An hour that is left out is no time.
    local = shifted.dt.replace_time_zone(zone.region, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def from_clock(time: Int, zone: Zone) -> Int:
    """UTC of seconds that count a zone's wall clock; BAD where its clock never shows that."""
    import polars as pl

    bad = time == BAD
    local = pl.Series(np.where(bad, 0, time) * 1_000_000).cast(pl.Datetime("us"))
    utc = _local_to_utc(local, zone).dt.epoch("s")
    return np.where(bad | utc.is_null().to_numpy(), BAD, utc.fill_null(0).to_numpy()).astype(np.int64)


def _numbers(values: "polars.Series", how: TimeFormat) -> tuple[Int, dict[int, str]]:
    import polars as pl

    numbers = values.str.strip_suffix(".0").cast(pl.Int64, strict=False)
    unit = UNITS[how.pattern]
    raw = numbers.fill_null(0).to_numpy()
    unread = numbers.is_null().to_numpy()
    problems = {i: f"not a time: '{(values[i] or '')[:40]}'" for i in np.flatnonzero(unread).tolist()}
    for index in np.flatnonzero(raw % unit).tolist():
        problems.setdefault(index, f"not a whole second: '{values[index][:40]}'")
    time = np.where(unread, BAD, raw // unit).astype(np.int64)
    return time, problems | _out_of_bounds(time, values, problems)


def _out_of_bounds(time: Int, values: "polars.Series", known: dict[int, str]) -> dict[int, str]:
    bad = np.flatnonzero((time < FIRST) | (time > LAST)).tolist()
    return {i: f"a time out of bounds (1971 to 2262): '{(values[i] or '')[:40]}'" for i in bad if i not in known}
