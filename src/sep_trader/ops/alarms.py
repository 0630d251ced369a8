"""What is wrong now, as alarms: findings of the health check, what the tables say, and grave lines of the log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sep_trader.ops.health import Finding, of_trader, sign_of_life
from sep_trader.states import TradingState
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries


class Severity(StrEnum):
    """How much it matters (alert_states.severity)."""

    INFO = "info"
    """Worth seeing; nobody is called for it."""
    WARNING = "warning"
    CRITICAL = "critical"


_GRAVE = frozenset({"database", "trader", "disk"})
"""Findings that are critical; the others are warnings."""
_STALE = timedelta(minutes=5)


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
class SeenAccount:
    """What the broker showed of an account in the trader's last pass; money in its currency."""

    account_id: str
    balance: Decimal
    nav: Decimal
    open_pl: Decimal
    margin_used: Decimal
    margin_available: Decimal
    nav_high: Decimal
    day_pl: Decimal
    week_pl: Decimal
    seen_at: datetime
    age_s: float
    open_trades: int


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


def of_tables(connection: Connection, now: datetime) -> list[Alarm]:
    """What the switch, the trader's sign of life and the accounts say; empty while it trades and all is well."""
    return [*_of_trader(connection, now), *_of_switch(connection), *_of_accounts(seen_accounts(connection))]


def seen_accounts(connection: Connection) -> list[SeenAccount]:
    """The accounts that a trader ever saw."""
    return queries.many(connection, "seen_accounts", SeenAccount)


def grave_lines(connection: Connection, since: datetime) -> list[GraveLine]:
    """Critical lines of the log since a time, oldest first."""
    return queries.many(connection, "grave_logs", GraveLine, since=since)


def _of_trader(connection: Connection, now: datetime) -> list[Alarm]:
    trader = sign_of_life(connection)
    if trader is None:
        return [Alarm("trader", Severity.INFO, "no trader has ever run here")]
    if trader.state == "stopped":
        return [Alarm("trader", Severity.WARNING, "the trader is stopped")]
    found = of_trader(trader, now)
    return [] if found.ok else [Alarm("trader", Severity.CRITICAL, f"the trader is {found.detail}")]


def _of_switch(connection: Connection) -> list[Alarm]:
    switch = queries.only(connection, "trading_state", _Switch)
    if switch.state is TradingState.ACTIVE:
        return []
    severity = Severity.CRITICAL if switch.state is TradingState.HALTED else Severity.WARNING
    if switch.changed_by == "installation":  # nobody has turned it on yet
        severity = Severity.INFO
    return [Alarm("switch", severity, f"trading is {switch.state}: {switch.reason} (by {switch.changed_by})")]


def _of_accounts(accounts: Iterable[SeenAccount]) -> list[Alarm]:
    return [
        Alarm(
            f"account {one.account_id}",
            Severity.WARNING,
            f"account {one.account_id} was last seen {ago(one.age_s)} ago",
        )
        for one in accounts
        if one.age_s > _STALE.total_seconds()
    ]


def ago(seconds: float) -> str:
    """An age as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
