"""What a bundle's rows may be: checked one by one before the database sees them. Pure.

A signature says who made a row, not that it is sane: a NaN in a signed signal would stop a trader. Each check raises
InputError that names the file, the row and the field.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sep_trader.errors import InputError

MOST_ROWS = {
    "trading_signals.json": 20_000, "trading_pairs.json": 500, "models.json": 2_000, "research_runs.json": 2_000,
    "research_ledger.json": 1_000_000, "candles.json": 500_000,
}  # fmt: skip
"""By file."""
_PAIR = re.compile(r"[A-Z]{3}_[A-Z]{3}")
_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,100}")
_HASH = re.compile(r"[0-9a-f]{64}")
_GRANULARITIES = frozenset("S5 S10 S15 S30 M1 M2 M4 M5 M10 M15 M30 H1 H2 H3 H4 H6 H8 H12 D W M".split())
_SPAN = re.compile(r"(?:(\d{1,3}) days?)?\s*(?:(\d{1,4}):(\d\d):(\d\d)(?:\.\d+)?)?")
_LONGEST_HORIZON = timedelta(days=60)
_LONGEST_LIFE = timedelta(days=8)
"""From a signal's candle to its end: a weekly candle, and a day."""
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_LONGEST_TEXT = 20_000
_DEEPEST = 40

Row = Mapping[str, Any]


def checked(name: str, text: str, now: datetime) -> list[Any]:
    """The rows of a file of a bundle. now: nothing was made after it."""
    try:
        rows = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise InputError(f"{name}: it is nested too deep") from None
    except ValueError as error:
        raise InputError(f"{name}: no JSON: {error}") from None
    if not isinstance(rows, list):
        raise InputError(f"{name}: expected a list of rows")
    if len(rows) > MOST_ROWS[name]:
        raise InputError(f"{name}: {len(rows):,} rows, at most {MOST_ROWS[name]:,} are taken")
    check = _CHECKS[name]
    for number, row in enumerate(rows, 1):
        try:
            if name != "research_ledger.json" and not isinstance(row, dict):
                raise _Bad("", "expected an object")
            check(row, now)
        except _Bad as bad:
            raise InputError(f"{name}, row {number}: {bad}") from None
    return rows


class _Bad(Exception):
    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field} {text}".strip())


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _signal(row: Row, now: datetime) -> None:
    _uuid(row, "id")
    _matches(row, "pair", _PAIR)
    _matches(row, "model_id", _NAME)
    _one_of(row, "granularity", _GRANULARITIES)
    _one_of(row, "side", frozenset({-1, 1}))
    _one_of({"kind": "ENTRY", **row}, "kind", frozenset({"ENTRY", "EXIT"}))
    _number(row, "confidence", 0.0, 1.0)
    _number(row, "stop_distance", 1e-9, 1e6)
    if row.get("target_distance") is not None:
        _number(row, "target_distance", 1e-9, 1e6)
    candle, end = _time(row, "candle_time"), _time(row, "expires_at")
    if not timedelta(0) < end - candle <= _LONGEST_LIFE:
        raise _Bad("expires_at", f"is not within {_LONGEST_LIFE.days} days after its candle")
    if candle > now + timedelta(days=1):
        raise _Bad("candle_time", "lies in the future")
    horizon = _interval(row, "horizon")
    if not timedelta(0) < horizon <= _LONGEST_HORIZON:
        raise _Bad("horizon", f"is not within {_LONGEST_HORIZON.days} days")
    _plain(row, "metrics")


def _pair(row: Row, now: datetime) -> None:
    _matches(row, "pair", _PAIR)
    if not isinstance(row.get("enabled"), bool):
        raise _Bad("enabled", "is neither true nor false")
    if row.get("model_id") is not None:
        _matches(row, "model_id", _NAME)
    _one_of({"verdict": None, **row}, "verdict", frozenset({None, "READY", "NOT_READY", "UNDECIDABLE"}))
    if _time(row, "updated_at") > now + timedelta(minutes=5):
        raise _Bad("updated_at", "lies in the future")
    for name in ("judged_at", "enabled_at", "decayed_at"):
        if row.get(name) is not None:
            _time(row, name)
    for name in ("verdict_reason", "override_by", "override_reason", "disabled_reason", "changed_by", "change_reason"):
        _text(row, name)
    account = row.get("account")
    if account is not None:
        if not isinstance(account, dict):
            raise _Bad("account", "is no object")
        for name in ("e_value", "threshold"):
            if account.get(name) is not None:
                _number(account, name, 0.0, 1e300)
        _plain(row, "account")


def _model(row: Row, now: datetime) -> None:
    _matches(row, "id", _NAME)
    _matches(row, "pair", _PAIR)
    _one_of(row, "granularity", _GRANULARITIES)
    _uuid(row, "run_id")
    _time(row, "created_at")
    if not isinstance(row.get("artifact"), dict):
        raise _Bad("artifact", "is no object")
    _plain(row, "artifact", longest=2_000_000)


def _run(row: Row, now: datetime) -> None:
    _uuid(row, "id")
    _matches(row, "pair", _PAIR)
    _one_of(row, "granularity", _GRANULARITIES)
    _one_of(row, "verdict", frozenset({"READY", "NOT_READY", "UNDECIDABLE"}))
    for name in ("first_candle", "last_candle"):
        _time(row, name)
    _text(row, "reason")


def _candle(row: Row, now: datetime) -> None:
    _matches(row, "instrument", _PAIR)
    _one_of(row, "granularity", _GRANULARITIES)
    if _time(row, "time") > now + timedelta(minutes=5):
        raise _Bad("time", "lies in the future")
    low, high = _number(row, "low", 1e-9, 1e9), _number(row, "high", 1e-9, 1e9)
    for name in ("open", "close"):
        if not low <= _number(row, name, 1e-9, 1e9) <= high:
            raise _Bad(name, "lies outside low and high")
    if row.get("spread") is not None:
        _number(row, "spread", 0.0, 1e6)
    _number(row, "volume", 0, 2**31 - 1)


def _ledger(row: Any, now: datetime) -> None:
    good = isinstance(row, list) and len(row) == 2 and type(row[0]) is int and 0 < row[0] < 2**62
    if not good or not isinstance(row[1], str) or not _HASH.fullmatch(row[1]):
        raise _Bad("", "expected a number and a SHA-256")


_CHECKS: dict[str, Callable[[Any, datetime], None]] = {
    "trading_signals.json": _signal, "trading_pairs.json": _pair, "models.json": _model, "research_runs.json": _run,
    "candles.json": _candle, "research_ledger.json": _ledger,
}  # fmt: skip


def _number(row: Row, name: str, least: float, most: float) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Bad(name, "is no number")
    if not math.isfinite(value) or not least <= value <= most:
        raise _Bad(name, f"is not between {least:g} and {most:g}")
    return float(value)


def _time(row: Row, name: str) -> datetime:
    value = row.get(name)
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not _EARLIEST <= found <= _LATEST:
        raise _Bad(name, "is no time between 1990 and 2100 with its zone")
    return found


def _interval(row: Row, name: str) -> timedelta:
    """An interval as PostgreSQL writes it."""
    value = row.get(name)
    found = _SPAN.fullmatch(value) if isinstance(value, str) and value.strip() else None
    if found is None:
        raise _Bad(name, "is no span of days and hours")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _uuid(row: Row, name: str) -> None:
    try:
        UUID(str(row.get(name)))
    except ValueError:
        raise _Bad(name, "is no UUID") from None


def _matches(row: Row, name: str, pattern: re.Pattern[str]) -> None:
    value = row.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _Bad(name, "is not of the form that it has")


def _one_of(row: Row, name: str, allowed: frozenset[Any]) -> None:
    value = row.get(name)
    if isinstance(value, bool | list | dict) or value not in allowed:
        raise _Bad(name, "is none of the values that it can have")


def _text(row: Row, name: str) -> None:
    value = row.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value):
        raise _Bad(name, f"is no text of at most {_LONGEST_TEXT} characters")


def _plain(row: Row, name: str, longest: int = _LONGEST_TEXT) -> None:
    """JSON that is finite, not deep, and not long."""
    left = [(row.get(name), 0)]
    count = 0
    while left:
        value, depth = left.pop()
        count += 1
        if depth > _DEEPEST or count > longest:
            raise _Bad(name, "is nested too deep, or too long")
        if isinstance(value, dict):
            left += [(one, depth + 1) for one in value.values()]
            if any("\0" in key or len(key) > 200 for key in value):
                raise _Bad(name, "has a key that is none")
        elif isinstance(value, list):
            left += [(one, depth + 1) for one in value]
        elif isinstance(value, str):
            if "\0" in value or len(value) > longest:
                raise _Bad(name, "has a text that is none")
        elif isinstance(value, float) and not math.isfinite(value):
            raise _Bad(name, "has a number that is not finite")
