"""Numbered, forward-only migrations: the only source of the schema."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from sep_trader.errors import StoreError
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

    Raises StoreError when a migration that already ran differs from its file, or when the database is newer than
    this software.
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
                    "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.checksum),
                )
            ran.append(migration.name)
    return ran


def pending(database: Database) -> list[str]:
    """Names of the migrations that have not run."""
    with database.transaction() as connection:
        exists = connection.execute("SELECT to_regclass('schema_migrations') AS t").fetchone()
        if exists is None or exists["t"] is None:
            return [m.name for m in available()]
        done = _recorded(connection)
    return [m.name for m in available() if m.version not in done]


def _make_record(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    connection.execute("COMMENT ON TABLE schema_migrations IS 'Migrations that have run.'")


def _recorded(connection: Connection) -> dict[int, tuple[str, str]]:
    rows = connection.execute("SELECT version, name, checksum FROM schema_migrations").fetchall()
    return {r["version"]: (r["name"], r["checksum"]) for r in rows}


def _check(done: dict[int, tuple[str, str]]) -> None:
    known = {m.version: m for m in available()}
    for version, (name, checksum) in done.items():
        if version not in known:
            raise StoreError(
                f"the database has migration {name}, which this version does not know", "upgrade sep-trader"
            )
        if known[version].checksum != checksum:
            raise StoreError(f"migration {name} ran with a different text than this version has", "restore the file")
