"""What the API is by its own description, and what it does while its database is out of reach: none is needed here."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest
from tests.support.serving import served

from sep_trader.api.app import create_app
from sep_trader.api.parts import Parts
from sep_trader.store.database import Database
from sep_trader.store.storage import measure


def unasked(*_: Any, **__: Any) -> Any:
    raise AssertionError("nobody was to be asked")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with Database("postgresql://nobody@127.0.0.1:9/none", probe=False, timeout_s=0.2) as away:
        parts = Parts(
            away,
            lambda c: measure(c, {}, {}, date(2026, 1, 5)),
            unasked,
            unasked,
            unasked,
            hosts=frozenset({"127.0.0.1"}),
        )
        with served(parts) as address, httpx.Client(base_url=address) as client:
            yield client


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description, of the application behind the gate."""
    with Database("postgresql://nobody@127.0.0.1:9/none", probe=False, timeout_s=0.2) as away:
        gate: Any = create_app(Parts(away, unasked, unasked, unasked, unasked))
        found = gate
        while not hasattr(found, "openapi"):
            found = getattr(found, "_app", None) or found.app
        return dict(found.openapi())


def test_every_operation_says_what_it_does_and_how_it_fails(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["description"] and operation["tags"], path
            for code in ("401", "422", "503"):
                assert "application/problem+json" in operation["responses"][code]["content"], path
            assert (method == "post") == (operation["tags"] == ["control"]), path


def test_the_contract(described: dict[str, Any]) -> None:
    paths = set(described["paths"])
    assert paths >= {
        "/api/status", "/api/performance/daily", "/api/trades/open", "/api/trades/closed", "/api/signals/recent",
        "/api/pairs", "/api/account", "/api/candles", "/api/equity", "/api/events", "/api/trading/halt",
        "/api/trading/reduce", "/api/trading/resume", "/api/trading/flatten", "/api/trades/{trade_id}/close",
        "/healthz", "/readyz",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/healthz", 200), ("/readyz", 503), ("/login", 200), ("/offline", 200), ("/sw.js", 200), ("/favicon.ico", 200),
        ("/manifest.webmanifest", 200), ("/static/app.js", 200), ("/static/uPlot.min.css", 200),
        ("/static/none.js", 404),
        ("/api/nothing", 404), ("/nothing", 404), ("/api/status", 503), ("/", 503), ("/api/trading/halt", 503),
    ],
)  # fmt: skip
def test_without_its_database(client: httpx.Client, path: str, code: int) -> None:
    answer = client.get(path)
    assert answer.status_code == code
    if code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "127.0.0.1:9" not in answer.text, "where the database is, is for this machine's log"


def test_a_wrong_name_and_a_large_body(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 421
    assert client.post("/login", content=b"x" * 20_000).status_code == 413
    assert client.head("/healthz").content == b""
    assert "GET" in client.options("/healthz").headers["allow"]
