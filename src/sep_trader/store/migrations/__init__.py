"""Numbered, forward-only migrations: the only source of the schema.

A migration whose text says `-- Older programs go on: from NNNN` only adds: a release that knows the schema up to NNNN
works on it as well, so that a deployment can be taken back. Without these words an older release refuses the schema.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from sep_trader.errors import InputError, StoreError
from sep_trader.store.database import Connection, Database
from sep_trader.store.locks import Lock


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: a migration that has run may not change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def oldest(self) -> int | None:
        """The oldest schema whose programs work on this one, too; None where only those that know it do."""
        said = re.search(r"^-- Older programs go on: from (\d{4})\b", self.sql, re.MULTILINE)
        return int(said[1]) if said else None


@dataclass(frozen=True, slots=True)
class _Record:
    """A migration as the database recorded it."""

    name: str
    checksum: str
    oldest: int | None


_RECORDS = "SELECT version, name, checksum, oldest FROM schema_migrations ORDER BY version"
_OLD_RECORDS = "SELECT version, name, checksum, NULL::integer AS oldest FROM schema_migrations ORDER BY version"


def available() -> list[Migration]:
    """All migrations in order."""
    found = [f for f in files(__package__).iterdir() if f.name.endswith(".sql")]
    migrations = [
        Migration(int(f.name.split("_")[0]), f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in found
    ]
    return sorted(migrations, key=lambda m: m.version)


def _check_encoding(connection: Connection) -> None:
    """Raise StoreError for a database whose encoding cannot hold every text."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database has the encoding {encoding}, which cannot hold every text",
            "make another: createdb --encoding UTF8 --template template0 sep_trading",
        )


def migrate(database: Database, *, up_to: int | None = None) -> list[str]:
    """Run what has not run yet, each in one transaction, under an advisory lock; return the names of what ran.

    Raises StoreError when a migration that already ran differs from its file, InputError when the database is of a
    release that this one does not go on with.
    """
    ran: list[str] = []
    with database.session() as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", (Lock.MIGRATIONS,))
        with database.transaction() as connection:
            _check_encoding(connection)
            _make_record(connection)
            done = _recorded(connection)
        _check(done)
        for migration in available():
            if migration.version in done or (up_to is not None and migration.version > up_to):
                continue
            with database.transaction() as connection:
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO schema_migrations (version, name, checksum, oldest) VALUES (%s, %s, %s, %s)",
                    (migration.version, migration.name, migration.checksum, migration.oldest),
                )
            ran.append(migration.name)
    return ran


def pending(database: Database) -> list[Migration]:
    """The migrations that have not run, in order."""
    with database.transaction() as connection:
        done = _recorded(connection)
    return [m for m in available() if m.version not in done]


def require_current(database: Database) -> None:
    """Raise InputError where this software may not work on the schema: it is behind, or of a newer release.

    A newer one is worked on where each migration that we do not know says that it only adds to what we know.
    """
    with database.transaction() as connection:
        done = _recorded(connection)
    if due := [m.name for m in available() if m.version not in done]:
        raise InputError(f"the database schema is {len(due)} migrations behind ({due[0]}, ...)", "run: sep db migrate")
    _check_newer(done)


def _make_record(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), oldest integer)"
    )
    connection.execute("ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS oldest integer")
    connection.execute("COMMENT ON TABLE schema_migrations IS 'Migrations that have run.'")


def _recorded(connection: Connection) -> dict[int, _Record]:
    """What has run; nothing in a new database."""
    columns = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0"
    ).fetchall()
    if not columns:
        return {}
    # A database that this version has not migrated yet says nothing about older programs.
    rows = connection.execute(_RECORDS if {"attname": "oldest"} in columns else _OLD_RECORDS)
    return {r["version"]: _Record(r["name"], r["checksum"], r["oldest"]) for r in rows.fetchall()}


def _check(done: dict[int, _Record]) -> None:
    _check_newer(done)
    known = {m.version: m for m in available()}
    for version, record in done.items():
        if version in known and known[version].checksum != record.checksum:
            raise StoreError(
                f"migration {record.name} ran with a different text than this version has", "restore the file"
            )


def _check_newer(done: dict[int, _Record]) -> None:
    """Raise InputError where a migration that we do not know does more than add to what we know."""
    known = {m.version for m in available()}
    newest = max(known)
    strange = [
        record.name
        for version, record in done.items()
        if version not in known and (record.oldest is None or record.oldest > newest)
    ]
    if strange:
        raise InputError(
            f"the database schema is of a newer release ({strange[0]}), which this one ({newest:04d}) cannot work on",
            "deploy the newer release again, or restore the backup that was made before it",
        )
