"""The API over real HTTP, and a trader's answers, for tests."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx
import uvicorn

from sep_trader.api.access import Role
from sep_trader.api.app import create_app
from sep_trader.api.connections import server_options
from sep_trader.api.parts import Parts
from sep_trader.cli.token import make
from sep_trader.execution.asking import ask_and_wait
from sep_trader.ops.expected import NO_UNITS
from sep_trader.ops.running import of_tables
from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.storage import measure


def parts_for(database: Database, **changes: Any) -> Parts:
    """The API's parts over a test's database."""

    def ask(kind: RequestKind, **what: Any) -> tuple[int, RequestStatus, str]:
        reply = ask_and_wait(database, kind, **what, patience_s=2.0)
        return reply.request_id, reply.status, reply.text

    def findings(connection: Connection, now: datetime) -> list[Mapping[str, Any]]:
        found = of_tables(connection, now, NO_UNITS, 24)
        return [{"alert": one.alert, "ok": one.ok, "detail": one.detail} for one in found]

    given: dict[str, Any] = {
        "database": database, "measure_storage": lambda c: measure(c, {}, {}, date(2026, 1, 5)), "ask": ask,
        "findings": findings, "backups": lambda: [], "hosts": frozenset({"127.0.0.1", "localhost"}),
    }  # fmt: skip
    return Parts(**(given | changes))


def token_of(database: Database, name: str = "tester", role: Role = Role.OPERATE) -> str:
    """A new token."""
    with database.transaction() as connection:
        return make(connection, name, role)


@contextmanager
def served(parts: Parts) -> Iterator[str]:
    """The API's address while it serves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(parts), **server_options()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


@contextmanager
def client_of(parts: Parts, token: str | None) -> Iterator[httpx.Client]:
    """A client with a token."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    with served(parts) as address, httpx.Client(base_url=address, headers=headers, timeout=30) as client:
        yield client


def now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)
