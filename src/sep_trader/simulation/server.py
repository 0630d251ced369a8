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
def temporary_database(server: str) -> Iterator[str]:
    """The address of an empty database on a server; dropped at the end."""
    name = f"simulation_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(statement.format(sql.Identifier(name)))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
