"""What is wrong now, as alarms: findings of the health check, and grave lines of the log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sep_trader.ops.finding import Finding, Severity
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

_GRAVE = frozenset({"database", "trader", "disk", "disk_root"})
"""Findings that are critical where they do not say how grave they are; the others are warnings."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person must know. key: the same for the same thing. once: told once, however long it lasts."""

    key: str
    severity: Severity
    detail: str
    once: bool = False


@dataclass(frozen=True, slots=True)
class GraveLine:
    """A critical line of the log."""

    id: int
    time: datetime
    component: str
    event: str
    message: str


def of_findings(findings: Iterable[Finding]) -> list[Alarm]:
    """The findings that are not ok, and those that are worth a word."""
    alarms = []
    for one in findings:
        if not one.ok:
            usual = Severity.CRITICAL if one.alert in _GRAVE else Severity.WARNING
            alarms.append(Alarm(one.alert, one.severity or usual, one.detail))
        elif one.severity is not None:
            alarms.append(Alarm(one.alert, one.severity, one.detail, once=True))
    return alarms


def grave_lines(connection: Connection, since: datetime) -> list[GraveLine]:
    """Critical lines of the log since a time, oldest first."""
    return queries.many(connection, "grave_logs", GraveLine, since=since)
