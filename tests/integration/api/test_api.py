"""The API over a real database: what it says, how it fails, and that its documentation is complete."""

import re

import httpx
import pytest

from sep_trader.store.database import Database

NEEDS = {"/api/candles": "?pair=EUR_USD", "/api/qfh": "?pair=EUR_USD"}
"""What some routes cannot do without."""


def test_a_new_database_answers_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/status", "/api/performance/daily", "/api/trades/open", "/api/signals/recent", "/api/pairs"} <= set(
        paths
    )
    for path, operations in paths.items():
        if "get" in operations and path != "/api/events":
            assert client.get(path + NEEDS.get(path, "")).status_code == 200, path


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
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the database does not answer; try again later"


@pytest.mark.parametrize(
    "view", ["", "pairs", "pairs/EUR_USD", "performance", "signals", "trades", "storage", "logs", "changes", "settings"]
)
def test_a_page_loads_nothing_from_elsewhere(client: httpx.Client, view: str) -> None:
    page = client.get(f"/{view}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text and "https://" not in page.text
    assert "<script>" not in page.text, "the policy forbids scripts in the page"


def test_the_overview_is_small(client: httpx.Client) -> None:
    """With all that it loads, as it travels."""
    page = client.get("/")
    loaded = re.findall(r'(?:src|href)="(/static/[^"?]+)', page.text)
    assert "/static/uPlot.iife.min.js" in loaded and "/static/lightweight-charts.js" not in loaded
    sizes = [int(client.get(path).headers["content-length"]) for path in ["/", *sorted(set(loaded))]]
    assert sum(sizes) < 100_000, sizes
