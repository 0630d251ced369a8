"""A database server for simulations: in memory where there is a memory file system, and nothing of it is kept."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from sep_trader.errors import SepError
from sep_trader.store.embedded import start_embedded, stop_embedded

_MEMORY = Path("/dev/shm")  # noqa: S108 - a memory file system; the folder in it is our own
_NOT_KEPT = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "autovacuum = off")


def new_home() -> Path:
    """A new folder for a server, in memory where there is a memory file system."""
    place = _MEMORY if _MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="sep-simulation-", dir=place))


@contextmanager
def temporary_server() -> Iterator[str]:
    """The address of a server that ends with the context. Raises InputError without the `embedded` extra."""
    home = new_home()
    try:
        url = start_embedded(home)
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in _NOT_KEPT:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        with suppress(SepError):
            stop_embedded(home)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def temporary_database(server: str, template: str | None = None) -> Iterator[str]:
    """The address of a new database: an empty one, or a copy of another; dropped at the end where the server lives."""
    name = f"simulation_{uuid.uuid4().hex[:12]}"
    create_database(server, name, template)
    try:
        yield at(server, name)
    finally:
        with suppress(psycopg.Error), psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def create_database(server: str, name: str, template: str | None = None) -> None:
    """Create an empty database, or a copy of another."""
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template0")))


def at(server: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(server)._replace(path=f"/{database}").geturl()
