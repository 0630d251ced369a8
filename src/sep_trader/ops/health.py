"""Is everything as it should be? One finding a question, for the health timer and for people."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sep_trader.errors import SepError
from sep_trader.ops.backup import Backup, list_backups
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

BACKUP_AGE = timedelta(hours=26)
VERIFIED_AGE = timedelta(days=8)
TRADER_SILENCE = timedelta(minutes=5)
DISK_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question. `alert` names the runbook's section."""

    alert: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class _Archive:
    """The write-ahead log archive."""

    mode: str
    failed_count: int
    last_archived: datetime | None
    failing: bool


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """What the trader last reported."""

    updated_at: datetime
    state: str


def examine(
    open_database: Callable[[], Database], backups: Path | None, volume: Path | None, *, now: datetime
) -> list[Finding]:
    """Ask everything; a database that does not answer is a finding, not an error. `backups` and `volume` are left out
    where a machine has none."""
    findings: list[Finding] = []
    try:
        with open_database() as database, database.transaction() as connection:
            findings.append(Finding("database", True, "answers"))
            findings += _of_database(connection, now)
    except SepError as error:
        findings.append(Finding("database", False, str(error)))
    if backups is not None:
        try:
            findings += of_backups(list_backups(backups), now)
        except SepError as error:
            findings.append(Finding("backup", False, str(error)))
    if volume is not None:
        use = shutil.disk_usage(volume)
        share = use.used / use.total
        findings.append(Finding("disk", share < DISK_FULL, f"{share:.0%} of {volume} used"))
    return findings


def of_backups(backups: list[Backup], now: datetime) -> Iterator[Finding]:
    """Is there a backup of today, and was one proven this week?"""
    if not backups:
        yield Finding("backup", False, "there is none")
        return
    age = now - backups[0].created_at
    yield Finding("backup", age <= BACKUP_AGE, f"the newest is {_hours(age)} old ({backups[0].name})")
    tested = [b for b in backups if b.verified_at is not None]
    if not tested:
        # A machine's first days: the weekly test has not come round yet.
        first = now - backups[-1].created_at
        yield Finding("backup_verified", first <= VERIFIED_AGE, "no restore was tested yet")
        return
    newest = max(tested, key=lambda b: b.verified_at or now)
    since = now - (newest.verified_at or now)
    found = newest.fault or f"restored and equal {_hours(since)} ago"
    yield Finding("backup_verified", newest.fault is None and since <= VERIFIED_AGE, f"{newest.name}: {found}")


def _of_database(connection: Connection, now: datetime) -> Iterator[Finding]:
    archive = queries.only(connection, "archive_state", _Archive)
    if archive.mode != "off":
        failing = archive.failing
        told = f"last segment {archive.last_archived or 'never'}"
        yield Finding("wal_archive", not failing, f"{told}, {archive.failed_count} failures in all")
    trader = sign_of_life(connection)
    if trader is not None:
        yield of_trader(trader, now)


def sign_of_life(connection: Connection) -> SignOfLife | None:
    """What the trader last reported; None where none ever ran here."""
    return queries.one(connection, "trader_sign_of_life", SignOfLife)


def of_trader(trader: SignOfLife, now: datetime) -> Finding:
    """Is the trader heard, unless it was stopped?"""
    silent = now - trader.updated_at
    running = trader.state in ("stopped", "starting") or silent <= TRADER_SILENCE
    good = running and trader.state != "failed"
    return Finding("trader", good, f"{trader.state}, heard {int(silent.total_seconds())} s ago")


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
