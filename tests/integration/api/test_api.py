"""The API over a real database: what it says, how it fails, and that its documentation is complete."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import date

import httpx
import pytest
import uvicorn

from sep_trader.api.app import create_app
from sep_trader.store.database import Database
from sep_trader.store.storage import measure


@pytest.fixture
def client(database: Database) -> Iterator[httpx.Client]:
    """A client of the API, which serves over real HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(database, lambda c: measure(c, {}, {}, date(2026, 1, 5))),
                log_level="warning",
                access_log=False,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
            yield client
        server.should_exit = True
        thread.join()


def test_a_new_database_answers_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/status", "/api/performance/daily", "/api/trades/open", "/api/signals/recent", "/api/pairs"} <= set(
        paths
    )
    for path in paths:
        assert client.get(path).status_code == 200, path


def test_the_status_of_a_house_where_nothing_has_happened(client: httpx.Client) -> None:
    status = client.get("/api/status").json()
    assert status["trading_state"]["state"] == "HALTED"
    assert status["broker"] == {
        "connected": False, "account": None, "environment": None, "broker_time": None, "last_transaction_id": None,
    }  # fmt: skip
    assert status["last"] == {"candle": None, "signal": None, "trade": None}
    areas = {area["area"]: area for area in status["storage"]["areas"]}
    assert list(areas) == [
        "candles", "signals", "executions", "configuration", "backups", "raw_cache", "growth_buffer",
    ]  # fmt: skip
    assert areas["candles"]["budget_bytes"] == 25e9
    assert areas["candles"]["level"] == status["storage"]["total"]["level"] == "ok"
    assert (status["open_trades"], status["enabled_pairs"], status["stream_age_s"]) == (0, [], None)


def test_every_operation_and_parameter_is_documented(client: httpx.Client) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["tags"], path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/performance/daily?days=0", "greater than or equal to 1"),
        ("/api/signals/recent?pair=EUR_XYZ", "unknown pair 'EUR_XYZ'"),
        ("/api/signals/recent?status=MAYBE", "NEW"),
    ],
)
def test_bad_parameters_are_refused_with_a_reason(client: httpx.Client, path: str, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_database_that_went_away_is_a_503_with_one_line(client: httpx.Client, database: Database) -> None:
    assert client.get("/api/pairs").status_code == 200
    database.close()
    answer = client.get("/api/pairs")
    assert answer.status_code == 503
    assert "database" in answer.json()["detail"]


def test_the_dashboard_is_one_page_without_foreign_sources(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "https://" not in page.text.replace("http://www.w3.org", "")
