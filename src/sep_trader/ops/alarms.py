"""What is wrong now, as alarms: findings of the health check, the switch, and grave lines of the log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sep_trader.ops.health import Finding
from sep_trader.states import TradingState
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries


class Severity(StrEnum):
    """How much it matters (alert_states.severity)."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


_GRAVE = frozenset({"database", "trader", "disk"})
"""Findings that are critical; the others are warnings."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person must know. key: the same for the same thing."""

    key: str
    severity: Severity
    detail: str


@dataclass(frozen=True, slots=True)
class _Switch:
    state: TradingState
    reason: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class GraveLine:
    """A critical line of the log."""

    id: int
    time: datetime
    component: str
    event: str
    message: str


def of_findings(findings: Iterable[Finding]) -> list[Alarm]:
    """The findings that are not ok."""
    return [
        Alarm(one.alert, Severity.CRITICAL if one.alert in _GRAVE else Severity.WARNING, one.detail)
        for one in findings
        if not one.ok
    ]


def of_switch(connection: Connection) -> list[Alarm]:
    """HALTED and REDUCING, unless it is the state of an installation that nobody turned on yet."""
    switch = queries.only(connection, "trading_state", _Switch)
    if switch.state is TradingState.ACTIVE or switch.changed_by == "installation":
        return []
    grave = Severity.CRITICAL if switch.state is TradingState.HALTED else Severity.WARNING
    return [Alarm("switch", grave, f"trading is {switch.state}: {switch.reason} (by {switch.changed_by})")]


def grave_lines(connection: Connection, since: datetime) -> list[GraveLine]:
    """Critical lines of the log since a time, oldest first."""
    return queries.many(connection, "grave_logs", GraveLine, since=since)
