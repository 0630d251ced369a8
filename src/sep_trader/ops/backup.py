"""Dumps of the database: one compressed SQL file and its manifest a backup, pruned to a number and a budget."""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sep_trader.errors import InputError, StoreError
from sep_trader.ops.census import Count, Server, describe_server, only_value, take_census
from sep_trader.ops.programs import compressor, postgres_program
from sep_trader.program import run
from sep_trader.store.database import Database
from sep_trader.version import __version__

PREFIX = "sep_trading_"


@dataclass(frozen=True, slots=True)
class Backup:
    """A dump with what its manifest says. `verified_at` is the last restore test; `fault` what it found."""

    path: Path
    created_at: datetime
    bytes: int
    sha256: str
    code_version: str
    server: Server
    census: dict[str, Count]
    verified_at: datetime | None = None
    fault: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


def create_backup(database: Database, folder: Path, *, now: datetime) -> Backup:
    """Dump the database into `folder` as sep_trading_YYYYMMDD.sql.zst (or .gz), with a manifest beside it.

    Counts and hashes are taken from the very snapshot that is dumped. Raises StoreError when the dump fails; no
    half file is left then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    compress, _, ending = compressor()
    path = folder / f"{PREFIX}{now:%Y%m%d}.sql{ending}"
    if path.exists():  # the second of a day
        path = folder / f"{PREFIX}{now:%Y%m%d_%H%M%S}.sql{ending}"
    partial = path.with_suffix(".partial")
    with database.session() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = only_value(connection, "SELECT pg_export_snapshot()")
        server = describe_server(connection)
        dump = _start_dump(database.url, server.major, snapshot, compress, partial)
        try:
            census = take_census(connection)
            _finish(dump)
            partial.chmod(0o640)
            digest, size = _digest(partial), partial.stat().st_size
            partial.replace(path)
        except BaseException:
            for process in dump:
                process.kill()
                process.communicate()
            partial.unlink(missing_ok=True)
            raise
        connection.execute("COMMIT")
    backup = Backup(path, now, size, digest, __version__, server, census)
    _write(manifest_path(path), backup)
    return backup


def list_backups(folder: Path) -> list[Backup]:
    """The backups in `folder`, newest first. A dump without a manifest is not one."""
    found = [b for b in (_read(p) for p in sorted(folder.glob(f"{PREFIX}*.manifest.json"))) if b is not None]
    return sorted(found, key=lambda b: (b.created_at, b.name), reverse=True)


def find_backup(folder: Path, name: str | None) -> Backup:
    """The backup of that file name, or the newest. Raises InputError when there is none."""
    for backup in list_backups(folder):
        if name in (None, backup.name, backup.name.split(".")[0]):
            return backup
    raise InputError(f"no backup {name or ''} in {folder}".replace("  ", " "), "sep backup list; sep backup create")


def check_file(backup: Backup) -> str | None:
    """What is wrong with the file itself, compared with its manifest; None when nothing is."""
    if not backup.path.is_file():
        return "the file is gone"
    if _digest(backup.path) != backup.sha256:
        return "the file is not the one that was written: its SHA-256 differs from the manifest's"
    return None


def record_verification(backup: Backup, *, at: datetime, seconds: float, fault: str | None) -> None:
    """Write the result of a restore test beside the backup."""
    text = json.dumps({"verified_at": at.isoformat(), "seconds": round(seconds, 1), "fault": fault}) + "\n"
    _verified_path(backup.path).write_text(text)


def to_prune(backups: list[Backup], *, daily: int = 14, weekly: int = 8, budget: int) -> list[Backup]:
    """Which backups to delete: beyond the newest of each of `daily` days and of `weekly` weeks, and then the oldest
    until the rest fits `budget` bytes. The newest backup and the newest good restore test are always kept."""
    newest_first = sorted(backups, key=lambda b: b.created_at, reverse=True)
    days = {b.created_at.date(): b for b in reversed(newest_first)}
    weeks = {b.created_at.isocalendar()[:2]: b for b in reversed(newest_first)}
    kept = [days[d] for d in sorted(days, reverse=True)[:daily]] + [
        weeks[w] for w in sorted(weeks, reverse=True)[:weekly]
    ]
    proven = [b for b in newest_first if b.verified_at is not None and b.fault is None]
    precious = {b.name for b in newest_first[:1] + proven[:1]}
    keep = {b.name for b in kept} | precious
    remaining = [b for b in newest_first if b.name in keep]
    for oldest in reversed(list(remaining)):
        if sum(b.bytes for b in remaining) <= budget:
            break
        if oldest.name not in precious:
            remaining.remove(oldest)
    names = {b.name for b in remaining}
    return [b for b in newest_first if b.name not in names]


def delete_backup(backup: Backup) -> bool:
    """Remove a backup with its manifest. False, and nothing is removed, while one in that folder is being read: the
    next pruning takes it."""
    with _lock(backup.path.parent, fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
        if locked:
            for path in (backup.path, _verified_path(backup.path), manifest_path(backup.path)):
                path.unlink(missing_ok=True)
    return locked


@contextmanager
def kept_while_reading(backup: Backup) -> Iterator[None]:
    """Hold off pruning for as long as the block runs. Raises InputError when the backup was pruned already."""
    with _lock(backup.path.parent, fcntl.LOCK_SH):
        if not manifest_path(backup.path).exists():
            raise InputError(f"{backup.name} was pruned a moment ago", "take the newest: sep backup list")
        yield


def send_off_site(backup: Backup, target: str, age_recipient: str | None = None) -> None:
    """Copy a backup and its manifest to an rsync target, encrypted for an age recipient where one is given.

    Raises StoreError when the copy does not arrive.
    """
    sent = backup.path
    try:
        if age_recipient:
            sent = backup.path.with_name(f"{backup.name}.age")
            run(["age", "-r", age_recipient, "-o", str(sent), str(backup.path)], install="apt-get install age")
        command = ["rsync", "--partial", str(sent), str(manifest_path(backup.path)), target]
        run(command, install="apt-get install rsync")
    finally:
        if sent != backup.path:
            sent.unlink(missing_ok=True)


def manifest_path(path: Path) -> Path:
    """Where a dump's manifest is."""
    return path.with_name(path.name.split(".")[0] + ".manifest.json")


@contextmanager
def _lock(folder: Path, how: int) -> Iterator[bool]:
    """Lock the folder of backups; False when the lock is held by others and `how` does not wait for it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _verified_path(path: Path) -> Path:
    return path.with_name(path.name.split(".")[0] + ".verified.json")


def _start_dump(
    url: str, major: int, snapshot: str, compress: list[str], path: Path
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    command = [str(postgres_program("pg_dump", major)), "--dbname", url, "--snapshot", snapshot, "--format=plain"]
    dump = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with path.open("wb") as file:
        packer = subprocess.Popen(compress, stdin=dump.stdout, stdout=file, stderr=subprocess.PIPE)
    if dump.stdout is not None:
        dump.stdout.close()  # the packer holds it now: if it dies, pg_dump hears of it
    return dump, packer


def _finish(processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]) -> None:
    for process in processes:
        told = process.communicate()[1].decode(errors="replace")
        if process.returncode:
            # pg_dump of TimescaleDB warns of circular keys; the error is the last line.
            raise StoreError(f"the dump failed: {told.strip().splitlines()[-1] if told.strip() else 'no reason given'}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, backup: Backup) -> None:
    values: dict[str, Any] = asdict(backup)
    values |= {"path": backup.name, "created_at": backup.created_at.isoformat()}
    values = {k: v for k, v in values.items() if k not in ("verified_at", "fault")}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    partial.replace(path)


def _read(path: Path) -> Backup | None:
    try:
        values = json.loads(path.read_text())
        file = path.with_name(values["path"])
        verified = _verified_path(file)
        found = json.loads(verified.read_text()) if verified.exists() else {}
        return Backup(
            path=file,
            created_at=datetime.fromisoformat(values["created_at"]).astimezone(UTC),
            bytes=values["bytes"],
            sha256=values["sha256"],
            code_version=values["code_version"],
            server=Server(**values["server"]),
            census={name: Count(**count) for name, count in values["census"].items()},
            verified_at=datetime.fromisoformat(found["verified_at"]) if found else None,
            fault=found.get("fault"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no manifest: {error}", "delete it, or restore it from the second place") from None
