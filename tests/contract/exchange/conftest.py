"""A running exchange on a stepped clock, and the official schemas with the fields that came after them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import recorded
from tests.support.exchange import Running, launched

ACCOUNT = "101-001-0000001-001"
HEDGED = "101-001-0000001-002"
TOKEN = "secret-token"


@dataclass
class Client:
    """Plain HTTP to one account."""

    http: httpx.Client
    base: str
    account: str = ACCOUNT

    def ask(self, verb: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send a request below accounts/{id}, or to an absolute path."""
        url = path if path.startswith("/") else f"/v3/accounts/{self.account}/{path}".rstrip("/")
        return self.http.request(verb, self.base + url, json=body, **more)

    def order(self, **order: Any) -> Any:
        """Place an order and return the answer's body."""
        return self.ask("POST", "orders", {"order": {"type": "MARKET", "instrument": "EUR_USD", **order}}).json()

    def admin(self, verb: str, path: str, body: Any = None) -> Any:
        """Ask an admin route."""
        return self.http.request(verb, f"{self.base}/_exchange/{path}", json=body).json()

    def step(self, **to: Any) -> None:
        """Move the stepped clock."""
        answer = self.admin("POST", "step", to)
        assert "now" in answer, answer


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A seeded exchange on a stepped clock, from Wednesday noon UTC."""
    with launched(
        "--token", TOKEN, "--account", ACCOUNT, "--account", HEDGED, "--clock", "stepped", "--seed", "7",
        "--start", "2026-01-07T12:00:00Z", "--instruments", "EUR_USD,USD_JPY,EUR_GBP",
    ) as found:  # fmt: skip
        yield found


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    """A client with the right token."""
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as http:
        yield Client(http, running.url)


@pytest.fixture(scope="session")
def spec() -> Any:
    """The official specification."""
    named = os.environ.get("SEP_TEST_SPEC")
    path = Path(named) if named else recorded.beside("oanda", "v20-openapi.json")
    return json.loads(path.read_text())
