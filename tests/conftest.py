"""What every test may ask for: a migrated database of its own on a real server, and the real market data."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from sep_trader.store.database import Database
from sep_trader.store.embedded import start_embedded, stop_embedded
from sep_trader.store.migrations import migrate
from sep_trader.store.timescaledb.hypertables import ensure_hypertables
from tests.support import recorded

NewDatabase = Callable[[], AbstractContextManager[Database]]
CLUSTER = str(Path(__file__).parents[1] / "scripts" / "timescaledb_cluster.sh")


@dataclass(frozen=True)
class Server:
    """A running server, and the migrated database on it that fresh ones are copies of."""

    url: str
    template: str


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real market data: tests that need it say so where there is none."""
    return recorded.required()


@pytest.fixture(scope="session")
def server_kind() -> str:
    """Which server a test's databases are on. Suites that run on both, parametrise it (tests/integration)."""
    return "embedded"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """The servers of this session by kind, each started when it is first asked for and ended with the session."""
    with ExitStack() as stack:
        running: dict[str, Server] = {}

        def server(kind: str) -> Server:
            if kind not in running:
                start = _embedded if kind == "embedded" else _timescaledb
                url = stack.enter_context(start(tmp_path_factory.mktemp(kind)))
                running[kind] = Server(url, migrated_template(url))
            return running[kind]

        yield server


@pytest.fixture(scope="session")
def new_database_on(servers: Callable[[str], Server]) -> Callable[[str], AbstractContextManager[Database]]:
    """Make fresh databases on a kind of server: a context manager that gives a migrated one and drops it at its end."""
    return lambda kind: copied_database(servers(kind).url, servers(kind).template)


# Not kept for the session: what is kept does not notice that the next test asks for another kind of server.
@pytest.fixture
def new_database(new_database_on: Callable[[str], AbstractContextManager[Database]], server_kind: str) -> NewDatabase:
    """Make fresh databases on the server that the test runs on."""
    return lambda: new_database_on(server_kind)


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Database]:
    """A fresh, migrated database."""
    with new_database() as database:
        yield database


@contextmanager
def _embedded(home: Path) -> Iterator[str]:
    url = start_embedded(home)
    with psycopg.connect(url, autocommit=True) as connection:  # what a test loses to a power cut is nobody's loss
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    stop_embedded(home)


@contextmanager
def _timescaledb(_: Path) -> Iterator[str]:
    if subprocess.run([CLUSTER, "available"], check=False).returncode != 0:
        reason = "TimescaleDB is not installed: run scripts/install_timescaledb.sh"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    # Without background workers no job of the extension can hold a database that a test wants to copy.
    settings = ["fsync=off", "timescaledb.max_background_workers=0"]
    started = subprocess.run([CLUSTER, "start", *settings], check=True, capture_output=True, text=True)
    folder, url = started.stdout.split()
    yield url
    subprocess.run([CLUSTER, "stop", folder], check=True)


def migrated_template(server: str) -> str:
    """Make a database with the newest schema, hypertables where the server can, and return its name."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    with Database(at(server, name), max_size=1) as database:
        migrate(database)
        ensure_hypertables(database, chunk_days=1)
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
