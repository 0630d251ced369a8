"""Counts and hashes of what a database holds, so that a restored copy can be compared with the original."""

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from sep_trader.store.database import Connection

VIEWS = ("v_open_trades",)
"""Views that are compared as well: what the trader would act on."""
_GOES_ON = ("age_s",)
"""Columns that are another value at every look."""


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of a table and the sum of their hashes: equal whatever their order; exact, unlike a sum of floats."""

    rows: int
    hash: str


@dataclass(frozen=True, slots=True)
class Server:
    """What a copy needs to be restored on."""

    major: int
    version: str
    timescaledb: str | None
    schema_version: int | None
    roles: list[str]
    database: str


def take_census(connection: Connection) -> dict[str, Count]:
    """Count and hash every table of the schema and the views above. Take it in a transaction that sees one snapshot."""
    names = connection.execute(
        "SELECT c.relname AS name FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"
    ).fetchall()
    tables = [row["name"] for row in names]
    views = [v for v in VIEWS if only_value(connection, "SELECT to_regclass(%s) IS NOT NULL", v)]
    return {name: _count(connection, name) for name in [*tables, *views]}


def describe_server(connection: Connection) -> Server:
    """What this server and database are."""
    recorded = only_value(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL")
    roles = connection.execute(
        "SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' AND NOT rolsuper ORDER BY 1"
    ).fetchall()
    return Server(
        major=int(only_value(connection, "SELECT current_setting('server_version_num')::int / 10000")),
        version=only_value(connection, "SELECT current_setting('server_version')"),
        timescaledb=only_value(connection, "SELECT max(extversion) FROM pg_extension WHERE extname = 'timescaledb'"),
        schema_version=only_value(connection, "SELECT max(version) FROM schema_migrations") if recorded else None,
        roles=[row["name"] for row in roles],
        database=only_value(connection, "SELECT current_database()"),
    )


def differences(before: dict[str, Count], after: dict[str, Count]) -> list[str]:
    """What differs between two censuses, a line a table; empty when they are equal."""
    lines = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            lines.append(f"{name} is {'new' if old is None else 'missing'}")
        elif old.rows != new.rows:
            lines.append(f"{name} has {new.rows} rows, not {old.rows}")
        elif old.hash != new.hash:
            lines.append(f"{name} has {new.rows} rows as it should, with other content")
    return lines


def _count(connection: Connection, name: str) -> Count:
    statement = sql.SQL(
        "SELECT count(*) AS rows, coalesce(sum(hash_record_extended(t, 0)), 0)::text AS hash FROM (SELECT {} FROM {}) t"
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, name))) if name in VIEWS else sql.SQL("*")
    (row,) = connection.execute(statement.format(columns, sql.Identifier(name))).fetchall()
    return Count(row["rows"], row["hash"])


def _columns(connection: Connection, name: str) -> list[str]:
    rows = connection.execute(
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", [name]
    ).fetchall()
    return [row["name"] for row in rows if row["name"] not in _GOES_ON]


def only_value(connection: Connection, statement: str, *parameters: Any) -> Any:
    """The one value of the one row that a statement gives, or None."""
    row = connection.execute(statement.encode(), parameters or None).fetchone()
    return None if row is None else next(iter(row.values()))
