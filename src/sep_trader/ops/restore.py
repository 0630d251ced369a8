"""Restores: a dump into a new database, a dump into a scratch cluster to prove it, the cluster to a point in time."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from sep_trader.errors import InputError, StoreError
from sep_trader.ops.backup import Backup, check_file, kept_while_reading
from sep_trader.ops.census import Count, differences, take_census
from sep_trader.ops.programs import decompressor, postgres_program
from sep_trader.program import run
from sep_trader.store.database import OPTIONS, first_line

_HALT = """UPDATE trading_state SET state = 'HALTED', changed_by = 'sep backup restore', changed_at = now(),
    reason = current_setting('sep.reason')"""


def verify_backup(backup: Backup, scratch: Path | None = None) -> str | None:
    """Restore the backup into a cluster of its own, compare it with its manifest, and throw the cluster away.

    Returns what is wrong, or None. Raises InputError when the server's programs are missing.
    """
    with kept_while_reading(backup):
        if fault := check_file(backup):
            return fault
        with scratch_cluster(backup, scratch) as server:
            try:
                restored = restore_dump(backup, server, "verification")
            except StoreError as error:
                return error.message
        return "; ".join(differences(backup.census, restored)) or None


def restore_dump(backup: Backup, server: str, name: str) -> dict[str, Count]:
    """Restore a backup as a new database of a server, and return the census of what arrived.

    `server` is the address of any database there, of a user that may create databases. Raises InputError when the
    database exists, StoreError when a statement fails; the unfinished database is dropped then.
    """
    with psycopg.connect(server, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            raise InputError(f"database {name} exists already", "choose another name with --into")
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role in backup.server.roles:
            if role not in known:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(statement.format(sql.Identifier(name)))
        url = make_conninfo(server, dbname=name)
        try:
            _load(backup, url)
            with psycopg.connect(url, row_factory=dict_row, options=OPTIONS) as restored:
                return take_census(restored)
        except (psycopg.Error, StoreError) as error:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            raise StoreError(f"{backup.name} cannot be restored: {first_line(error)}") from None


@contextmanager
def scratch_cluster(backup: Backup, folder: Path | None = None) -> Iterator[str]:
    """A cluster of the backup's own version that exists for a while: the address of its database, over a socket."""
    major = backup.server.major
    with (
        tempfile.TemporaryDirectory(prefix="sep-restore-", dir=folder) as data,
        tempfile.TemporaryDirectory() as sockets,
    ):
        as_user = _ordinary_user(data, sockets)
        _run([*as_user, postgres_program("initdb", major), "-D", f"{data}/data", "-U", "postgres", "-A", "trust",
              "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])  # fmt: skip
        # Nothing of it outlives the comparison, so nothing needs to reach the disk.
        settings = ["listen_addresses=''", f"unix_socket_directories='{sockets}'", "fsync=off", "full_page_writes=off",
                    "wal_level=minimal", "max_wal_senders=0", "archive_mode=off", "max_wal_size=4GB",
                    "maintenance_work_mem=512MB", "shared_buffers=256MB", "max_locks_per_transaction=512"]  # fmt: skip
        if backup.server.timescaledb:
            settings += ["shared_preload_libraries=timescaledb", "timescaledb.telemetry_level=off"]
        with (Path(data) / "data" / "postgresql.auto.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        control = [*as_user, postgres_program("pg_ctl", major), "-D", f"{data}/data", "-l", f"{data}/log", "-w"]
        try:
            _run([*control, "start"])
            yield f"postgresql://postgres@/postgres?host={quote(sockets, safe='')}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, check=False)


def restore_cluster(at: datetime, *, stanza: str = "main") -> str:
    """Bring the whole cluster of this machine back to a point in time, by the write-ahead log archive. Needs root.

    Our services are stopped first and started last; trading is HALTED, whatever it was then, because the broker knows
    more than the restored database: a person looks and turns it on. Returns the time of the last commit restored.
    """
    unit, psql = _cluster()
    ours = ["sep-trader.service", "sep-api.service"]
    _run(["systemctl", "stop", *ours, unit])
    target = at.isoformat(sep=" ", timespec="microseconds")
    try:
        _run(["runuser", "-u", "postgres", "--", "pgbackrest", f"--stanza={stanza}", "--delta", "--type=time",
              f"--target={target}", "--target-action=promote", "restore"])  # fmt: skip
    finally:
        # Also when it failed before it changed anything, such as for a time that lies before the first backup.
        subprocess.run(["systemctl", "start", unit], check=False)
    for _ in range(3600):
        if _run([*psql, "SELECT pg_is_in_recovery()"], check=False).strip() == "f":
            break
        time.sleep(1)
    else:
        raise StoreError("the cluster still replays its log after an hour", f"journalctl -u {unit}")
    reason = f"restored to {target}: compare with the broker, then turn trading on"
    _run([*psql, f"SET sep.reason = '{reason}'", "-c", _HALT])
    _run(["systemctl", "start", *ours])
    return target


def _ordinary_user(*folders: str) -> list[str | Path]:
    """The prefix of commands that PostgreSQL refuses to run as root; the folders become that user's."""
    if os.geteuid() != 0:
        return []
    names = {user.pw_name for user in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    for folder in folders:
        shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


def _cluster() -> tuple[str, list[str]]:
    """The unit of this machine's only cluster, and the command that runs a statement in it as its superuser."""
    lines = _run(["pg_lsclusters", "--no-header"]).splitlines()
    if len(lines) != 1:
        raise InputError(f"this machine has {len(lines)} PostgreSQL clusters, not one", "pg_lsclusters")
    major, name = lines[0].split()[:2]
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtqd", "sep_trading", "-v", "ON_ERROR_STOP=1", "-c"]
    return f"postgresql@{major}-{name}.service", psql


def _load(backup: Backup, url: str) -> None:
    psql = [str(postgres_program("psql", backup.server.major)), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    if version := backup.server.timescaledb:
        # The same version as dumped, and its triggers held still while the catalogue is filled.
        _run(
            [*psql, "-c", f"CREATE EXTENSION timescaledb VERSION '{version}'", "-c", "SELECT timescaledb_pre_restore()"]
        )
    with subprocess.Popen(decompressor(backup.path), stdout=subprocess.PIPE) as unpacker:
        done = subprocess.run(
            psql, stdin=unpacker.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if unpacker.stdout is not None:
            unpacker.stdout.close()  # what nobody reads any more must not hold the unpacker up
    if done.returncode or unpacker.returncode:
        told = [
            line for line in done.stderr.decode(errors="replace").splitlines() if "ERROR" in line or "FATAL" in line
        ]
        raise StoreError(told[0] if told else "the file ends too early")
    if backup.server.timescaledb:
        _run([*psql, "-c", "SELECT timescaledb_post_restore()"])
    _run([*psql, "-c", "ANALYZE"])


def _run(command: list[str | Path], *, check: bool = True) -> str:
    done = run(command, install="this is done on the droplet", check=check)
    return done.output.decode(errors="replace")
