"""What every test may ask for: a migrated database of its own on a real server, and the real market data."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from sep_trader.store.database import Database
from sep_trader.store.embedded import start_embedded, stop_embedded
from sep_trader.store.migrations import migrate

NewDatabase = Callable[[], AbstractContextManager[Database]]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real market data: SEP_TEST_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("SEP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    assert folder.is_dir(), f"no market data at {folder}: set SEP_TEST_DATA"
    return folder


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded server that ends with the session."""
    home = tmp_path_factory.mktemp("server")
    url = start_embedded(home)
    with psycopg.connect(url, autocommit=True) as connection:  # what a test loses to a power cut is nobody's loss
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    stop_embedded(home)


@pytest.fixture(scope="session")
def embedded_template(embedded_server: str) -> str:
    """Name of a migrated database on the embedded server, of which fresh ones are copies."""
    return migrated_template(embedded_server)


@pytest.fixture
def new_database(embedded_server: str, embedded_template: str) -> NewDatabase:
    """Make fresh databases: a context manager that gives a migrated one and drops it at its end."""
    return lambda: copied_database(embedded_server, embedded_template)


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Database]:
    """A fresh, migrated database."""
    with new_database() as database:
        yield database


def migrated_template(server: str) -> str:
    """Make a database with the newest schema and return its name."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    with Database(at(server, name), max_size=1) as database:
        migrate(database)
    return name


@contextmanager
def copied_database(server: str, template: str) -> Iterator[Database]:
    """A copy of a database, open; dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            with Database(at(server, name)) as database:
                yield database
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def at(server: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(server)._replace(path=f"/{database}").geturl()
