"""Is everything as it should be? One finding a question, for the health timer, the alarms and people."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sep_trader.errors import SepError
from sep_trader.ops import running
from sep_trader.ops.backup import Backup, list_backups
from sep_trader.ops.expected import NO_UNITS, Expected
from sep_trader.ops.finding import Finding
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

BACKUP_AGE = timedelta(hours=26)
VERIFIED_AGE = timedelta(days=8)
_DRILL = "drill/last.json"
"""What the restore drill of the log archive found, on the volume."""
DISK_FULL = 0.9
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Questions:
    """What a machine is asked. backups, volume: left out where it has none. signals_h: as `running.of_tables`."""

    backups: Path | None = None
    volume: Path | None = None
    signals_h: int = 0
    root: Path | None = _ROOT


@dataclass(frozen=True, slots=True)
class _Archive:
    """The write-ahead log archive."""

    mode: str
    failed_count: int
    last_archived: datetime | None
    failing: bool


def examine(
    open_database: Callable[[], Database],
    asked: Questions,
    *,
    now: datetime,
    expected: Expected = NO_UNITS,
) -> list[Finding]:
    """Ask everything but the machine itself (`units`); a database that does not answer is a finding, not an error."""
    findings: list[Finding] = []
    try:
        with open_database() as database, database.transaction() as connection:
            findings.append(Finding("database", True, "answers"))
            findings += _of_archive(connection)
            findings += running.of_tables(connection, now, expected, asked.signals_h)
    except SepError as error:
        findings.append(Finding("database", False, str(error)))
    return findings + list(of_folders(asked, now))


def of_folders(asked: Questions, now: datetime) -> Iterator[Finding]:
    """Ask what lies on this machine's disks."""
    if asked.backups is not None:
        try:
            yield from of_backups(list_backups(asked.backups), now)
        except SepError as error:
            yield Finding("backup", False, str(error))
    if asked.volume is not None and (asked.volume / _DRILL).parent.is_dir():
        yield of_drill(asked.volume / _DRILL, now)
    for name, place in (("disk", asked.volume), ("disk_root", asked.root)):
        if place is not None:
            use = shutil.disk_usage(place)
            share = use.used / use.total
            yield Finding(name, share < DISK_FULL, f"{share:.0%} of {place} used")


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


def of_drill(told: Path, now: datetime) -> Finding:
    """Was a restore of the log archive tried this week, and did it bring back what the database holds?"""
    try:
        found = json.loads(told.read_text())
        age, fault = now - datetime.fromisoformat(found["verified_at"]), found["fault"]
    except FileNotFoundError:
        first = now - datetime.fromtimestamp(told.parent.stat().st_ctime, UTC)
        return Finding("archive_verified", first <= VERIFIED_AGE, "no restore of the archive was tried yet")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding("archive_verified", False, f"{told} cannot be read: {error}")
    text = fault or f"{found.get('how', 'restored')} {_hours(age)} ago"
    return Finding("archive_verified", fault is None and age <= VERIFIED_AGE, text)


def _of_archive(connection: Connection) -> Iterator[Finding]:
    archive = queries.only(connection, "archive_state", _Archive)
    if archive.mode != "off":
        told = f"last segment {archive.last_archived or 'never'}"
        yield Finding("wal_archive", not archive.failing, f"{told}, {archive.failed_count} failures in all")


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
