"""The owner's file of limits: TOML that says more than the environment's settings can, pair by pair. Pure.

    [limits]                       any limit of RiskLimits by its name
    [pairs.EUR_USD]                max_spread_pips, min_stop_pips, min_confidence, sides, hours
    [trips]                        daily_loss, weekly_loss, drawdown, margin_closeout: "reduce", "flatten" or "halt"
    [exits]                        break_even_at, trailing, least_step: multiples of the stop distance

News windows are CSV: time (RFC 3339), minutes before, minutes after, currencies separated by blanks, title.
"""

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.instrument import CURRENCIES, parse_pair
from sep_trader.risk.limits import Hours, NewsWindow, PairLimits, RiskLimits
from sep_trader.risk.protections import CHOSEN, CONSEQUENCES, Consequence, Protection

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SIDES = {"buy": frozenset({1}), "sell": frozenset({-1}), "both": frozenset({-1, 1})}
_SPAN = re.compile(r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? (?P<h1>\d\d):(?P<m1>\d\d)-(?P<h2>\d\d):(?P<m2>\d\d)")
_OF_FILE = {protection.name.lower(): protection for protection in CHOSEN}
_NUMBERS = {f.name: f.type for f in fields(RiskLimits) if f.name not in ("pairs", "news")}
_MAY_BE_NONE = ("min_stop_pips", "min_stop_spreads", "margin_headroom", "losing_streak", "cooldown_minutes")
_MOST_RISK = Decimal("0.05")
_EXITS = ("break_even_at", "trailing", "least_step")


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """What the owner decided: limits, what each protection does, and how exits follow the market."""

    limits: RiskLimits = field(default_factory=RiskLimits)
    consequences: Mapping[Protection, Consequence] = field(default_factory=lambda: CONSEQUENCES)
    exits: Mapping[str, Decimal] = field(default_factory=dict)


def read_terms(text: str, name: str, base: RiskLimits) -> RiskTerms:
    """Read the file over limits that it may override. Raises InputError that names the file, the key and what was
    expected."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is no TOML: {error}") from None
    unknown = sorted(content.keys() - {"limits", "pairs", "trips", "exits"})
    if unknown:
        raise InputError(f"{name}: unknown table [{unknown[0]}]", "expected limits, pairs, trips, exits")
    limits = replace(base, **_limits(dict(_items(content, "limits", name)), name))
    if limits.risk_per_trade > _MOST_RISK:
        raise InputError(f"{name} [limits] risk_per_trade is {limits.risk_per_trade}", f"at most {_MOST_RISK}")
    pairs = {
        _pair(key, name): _pair_limits(value, f"{name} [pairs.{key}]") for key, value in _items(content, "pairs", name)
    }
    trips = {**CONSEQUENCES, **dict(_trip(key, value, name) for key, value in _items(content, "trips", name))}
    exits = {key: _number(value, f"{name} [exits] {key}") for key, value in _items(content, "exits", name)}
    for key in exits:
        if key not in _EXITS:
            raise InputError(f"{name} [exits]: unknown key {key}", f"expected {', '.join(_EXITS)}")
    return RiskTerms(replace(limits, pairs=pairs), trips, exits)


def read_news(text: str, name: str) -> tuple[NewsWindow, ...]:
    """Read news windows from CSV with a header. Raises InputError that names file and line."""
    rows = csv.DictReader(io.StringIO(text))
    expected = ["time", "before", "after", "currencies", "title"]
    if rows.fieldnames != expected:
        raise InputError(f"{name}: the header is {rows.fieldnames}", f"expected {','.join(expected)}")
    return tuple(_news(row, f"{name} line {number}") for number, row in enumerate(rows, start=2))


def _news(row: Mapping[str, str | None], where: str) -> NewsWindow:
    try:
        moment = parse_rfc3339(row["time"] or "")
        before, after = (timedelta(minutes=int(row[key] or "")) for key in ("before", "after"))
    except ValueError:
        raise InputError(
            f"{where}: minutes are whole numbers", f"before={row['before']}, after={row['after']}"
        ) from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    currencies = frozenset((row["currencies"] or "").upper().split())
    if unknown := sorted(currencies - CURRENCIES):
        raise InputError(f"{where}: unknown currency {unknown[0]}")
    return NewsWindow(moment - before, moment + after, currencies, (row["title"] or "").strip() or "news")


def _items(content: Mapping[str, Any], table: str, name: str) -> Iterator[tuple[str, Any]]:
    value = content.get(table, {})
    if not isinstance(value, dict):
        raise InputError(f"{name}: {table} is no table", f"write it as [{table}]")
    return iter(value.items())


def _limits(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in content.items():
        kind = _NUMBERS.get(key)
        if kind is None:
            raise InputError(f"{name} [limits]: unknown limit {key}", f"expected {', '.join(sorted(_NUMBERS))}")
        number = _number(value, f"{name} [limits] {key}")
        if not number and key not in _MAY_BE_NONE:
            raise InputError(f"{name} [limits] {key} is 0: nothing would be traded", "expected a number above 0")
        if kind is int:
            if number != int(number):
                raise InputError(f"{name} [limits] {key} is {value}", "expected a whole number")
            found[key] = int(number)
        else:
            found[key] = number
    return found


def _number(value: object, where: str) -> Decimal:
    """A number that is 0 or more."""
    try:
        number = Decimal(str(value)) if isinstance(value, int | str | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number < 0:
        shown = str(value) if isinstance(value, Decimal) else repr(value)
        raise InputError(f"{where} is {shown}", "expected a number, 0 or more")
    return number


def _pair(text: str, name: str) -> str:
    try:
        return parse_pair(text)
    except InputError as error:
        raise InputError(f"{name} [pairs.{text}]: {error}") from None


def _pair_limits(content: Any, where: str) -> PairLimits:
    if not isinstance(content, dict):
        raise InputError(f"{where} is no table")
    found = PairLimits()
    for key, value in content.items():
        match key:
            case "max_spread_pips":
                found = replace(found, max_spread_pips=_number(value, f"{where} {key}"))
            case "min_stop_pips":
                found = replace(found, min_stop_pips=_number(value, f"{where} {key}"))
            case "min_confidence":
                found = replace(found, min_confidence=_number(value, f"{where} {key}"))
            case "sides" if value in _SIDES:
                found = replace(found, sides=_SIDES[value])
            case "sides":
                raise InputError(f"{where} sides is {value!r}", "buy, sell or both")
            case "hours":
                spans = value if isinstance(value, list) else [value]
                found = replace(found, hours=tuple(read_hours(span, where) for span in spans))
            case _:
                keys = ", ".join(f.name for f in fields(PairLimits))
                raise InputError(f"{where}: unknown key {key}", f"expected {keys}")
    return found


def read_hours(text: object, where: str) -> Hours:
    """Read a span such as `mon-fri 07:00-16:00` (UTC). Raises InputError."""
    match = _SPAN.fullmatch(text.lower()) if isinstance(text, str) else None
    hint = "write it as mon-fri 07:00-16:00, in UTC"
    if match is None or match["first"] not in _DAYS or (match["last"] or "mon") not in _DAYS:
        raise InputError(f"{where} hours is {text!r}", hint)
    first, last = _DAYS.index(match["first"]), _DAYS.index(match["last"] or match["first"])
    days = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
    start, end = int(match["h1"]) * 60 + int(match["m1"]), int(match["h2"]) * 60 + int(match["m2"])
    if not start < end <= 24 * 60 or int(match["m1"]) > 59 or int(match["m2"]) > 59:
        raise InputError(f"{where} hours is {text!r}: it ends before it begins, or after 24:00", hint)
    return Hours(frozenset(days), start, end)


def _trip(key: str, value: object, name: str) -> tuple[Protection, Consequence]:
    if key not in _OF_FILE:
        raise InputError(f"{name} [trips]: unknown protection {key}", f"expected {', '.join(sorted(_OF_FILE))}")
    if value not in list(Consequence):
        raise InputError(f"{name} [trips] {key} is {value!r}", "expected reduce, flatten or halt")
    return _OF_FILE[key], Consequence(str(value))
