"""The two streams and the time formats, over real HTTP."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.exchange import launched

ACCOUNT, TOKEN = "101-001-0000001-001", "secret-token"
PAIRS = "EUR_USD,USD_JPY"


def lines(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        yield json.loads(line)


def until(found: Iterator[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(entry for entry in found if entry["type"] == kind)


def test_the_price_stream_begins_with_a_snapshot_and_follows_the_clock(client: Any) -> None:
    url = f"{client.base}/v3/accounts/{ACCOUNT}/pricing/stream?instruments={PAIRS}"
    with client.http.stream("GET", url) as response:
        assert response.headers["transfer-encoding"] == "chunked"
        found = lines(response)
        first = [next(found), next(found)]
        assert [(p["type"], p["instrument"]) for p in first] == [("PRICE", "EUR_USD"), ("PRICE", "USD_JPY")]
        client.step(seconds=10)
        price = until(found, "PRICE")
        assert price["time"] > first[0]["time"]
        assert isinstance(price["bids"][0]["liquidity"], int)
        assert price["closeoutBid"] == price["bids"][-1]["price"] <= price["bids"][0]["price"]
        beat = until(found, "HEARTBEAT")
        assert beat["time"] == client.admin("GET", "now")["now"]


def test_a_stream_without_snapshot_says_only_what_is_new(client: Any) -> None:
    url = f"{client.base}/v3/accounts/{ACCOUNT}/pricing/stream?instruments=EUR_USD&snapshot=False"
    with client.http.stream("GET", url) as response:
        found = lines(response)
        assert next(found)["type"] == "HEARTBEAT"
        client.step(seconds=3)
        assert next(found)["type"] == "PRICE"


def test_a_closed_market_has_heartbeats_and_an_untradeable_price() -> None:
    options = ("--token", TOKEN, "--account", ACCOUNT, "--clock", "stepped", "--start", "2026-01-10T12:00:00Z")
    with (
        launched(*options, "--instruments", "EUR_USD") as running,
        httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as http,
    ):
        url = f"{running.url}/v3/accounts/{ACCOUNT}"
        with http.stream("GET", f"{url}/pricing/stream?instruments=EUR_USD") as response:
            found = lines(response)
            snapshot = next(found)
            assert (snapshot["tradeable"], snapshot["status"]) == (False, "non-tradeable")
            assert snapshot["time"].startswith("2026-01-09T21:57")
            http.post(f"{running.url}/_exchange/step", json={"seconds": 3600})
            assert next(found)["type"] == "HEARTBEAT"
        candles = http.get(f"{running.url}/v3/instruments/EUR_USD/candles?count=2&granularity=M1").json()["candles"]
        assert candles[-1]["time"].startswith("2026-01-09T21:57")


def test_the_transaction_stream_has_everything_that_happens(client: Any) -> None:
    last = client.ask("GET", "summary").json()["lastTransactionID"]
    with client.http.stream("GET", f"{client.base}/v3/accounts/{ACCOUNT}/transactions/stream") as response:
        found = lines(response)
        beat = next(found)
        assert (beat["type"], beat["lastTransactionID"]) == ("HEARTBEAT", last)
        answer = client.order(units="10", stopLossOnFill={"distance": "0.5"})
        streamed = [next(found) for _ in answer["relatedTransactionIDs"]]
        assert [entry["id"] for entry in streamed] == answer["relatedTransactionIDs"]
        assert streamed[1] == answer["orderFillTransaction"]


def test_prices_are_conflated_to_four_a_second_and_heartbeats_come() -> None:
    options = ("--token", TOKEN, "--account", ACCOUNT, "--clock", "live", "--rate", "20", "--instruments", "EUR_USD")
    with (
        launched(*options) as running,
        httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as http,
        http.stream("GET", f"{running.url}/v3/accounts/{ACCOUNT}/pricing/stream?instruments=EUR_USD") as response,
    ):
        found, prices, start = lines(response), 0, time.monotonic()
        beats = 0
        while not beats:
            entry = next(found)
            prices += entry["type"] == "PRICE"
            beats += entry["type"] == "HEARTBEAT"
        elapsed = time.monotonic() - start
    assert prices <= 4 * elapsed + 2
    assert prices > elapsed


@pytest.mark.parametrize("path", ["summary", "pricing?instruments=EUR_USD", "transactions/sinceid?id=0"])
def test_the_unix_format_is_spoken_everywhere(client: Any, path: str) -> None:
    plain = client.ask("GET", path).text
    unix = client.ask("GET", path, headers={"Accept-Datetime-Format": "UNIX"}).text
    assert "T1" in plain
    assert ":00.000000000Z" not in unix
    assert '"17677' in unix


def test_unix_times_are_understood(client: Any) -> None:
    now = 1_767_787_200
    found = client.ask("GET", f"instruments/EUR_USD/candles?granularity=M1&from={now - 600}.0&to={now}").json()
    assert found["candles"][0]["time"] == "2026-01-07T11:50:00.000000000Z"
    assert len(found["candles"]) == 10
