"""Every fault, over real HTTP: what the client sees, and what has happened all the same."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

ORDER = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "1"}}


@pytest.fixture(autouse=True)
def fair_weather(client: Any) -> Iterator[None]:
    yield
    client.admin("DELETE", "faults")


def last(client: Any) -> int:
    return int(client.ask("GET", "summary").json()["lastTransactionID"])


def fault(client: Any, kind: str, route: str = "POST orders", **more: Any) -> None:
    answer = client.admin("POST", "faults", {"kind": kind, "route": route, **more})
    assert "added" in answer, answer


@pytest.mark.parametrize(
    ("kind", "more", "error", "applied"),
    [
        ("drop_before", {}, httpx.RemoteProtocolError, 0),
        ("drop_after", {}, httpx.RemoteProtocolError, 2),
        ("late_apply", {"seconds": 30}, httpx.RemoteProtocolError, 0),
        ("truncated", {}, httpx.RemoteProtocolError, 2),
        ("stall", {}, httpx.ReadTimeout, 2),
    ],
)
def test_lost_answers(client: Any, kind: str, more: Any, error: type[Exception], applied: int) -> None:
    before = last(client)
    fault(client, kind, nth=1, **more)
    with pytest.raises((error, httpx.ReadError)):
        client.ask("POST", "orders", ORDER, timeout=1)
    assert last(client) - before == applied
    assert client.ask("POST", "orders", ORDER).status_code == 201


def test_a_late_order_happens_after_its_answer_was_lost(client: Any) -> None:
    before = last(client)
    fault(client, "late_apply", nth=1, seconds=0.2)
    with pytest.raises(httpx.TransportError):
        client.ask("POST", "orders", ORDER)
    assert last(client) == before
    deadline = time.monotonic() + 10
    while last(client) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert last(client) == before + 2


@pytest.mark.parametrize(
    ("kind", "status", "applied"),
    [("unauthorized", 401, 0), ("rate_limited", 429, 0), ("bad_gateway", 502, 0), ("bad_gateway_after", 502, 2)],
)
def test_wrong_statuses(client: Any, kind: str, status: int, applied: int) -> None:
    before = last(client)
    fault(client, kind, nth=1, seconds=2)
    answer = client.ask("POST", "orders", ORDER)
    assert answer.status_code == status
    assert last(client) - before == applied
    assert (answer.headers.get("retry-after") == "2") == (status == 429)
    assert answer.headers["content-type"].startswith("text/html") == (status == 502)


def test_prices_can_be_stale_or_missing_and_times_wrong(client: Any) -> None:
    path = "pricing?instruments=EUR_USD,USD_JPY"
    good = client.ask("GET", path).json()
    fault(client, "stale_price", "GET pricing", nth=1, seconds=3600, instrument="EUR_USD")
    stale = client.ask("GET", path).json()
    assert stale["prices"][0]["time"][:13] == "2026-01-07T" + f"{int(good['prices'][0]['time'][11:13]) - 1:02d}"
    assert stale["prices"][1] == good["prices"][1]
    client.admin("DELETE", "faults")
    fault(client, "empty_book", "GET pricing", nth=1)
    assert [(p["bids"], p["tradeable"]) for p in client.ask("GET", path).json()["prices"]] == [([], False)] * 2
    client.admin("DELETE", "faults")
    fault(client, "clock_skew", "GET pricing", seconds=-86400)
    assert client.ask("GET", path).json()["time"].startswith("2026-01-06")


def test_an_order_that_meets_an_empty_book_is_cancelled(client: Any) -> None:
    fault(client, "empty_book", nth=1)
    assert client.order(units="1")["orderCancelTransaction"]["reason"] == "INSUFFICIENT_LIQUIDITY"
    assert "orderFillTransaction" in client.order(units="1")


def test_sinceid_can_lag(client: Any) -> None:
    before = last(client)
    client.step(seconds=60)
    client.order(units="1")
    fault(client, "sinceid_lag", "GET transactions/sinceid", seconds=30)
    path = f"transactions/sinceid?id={before}"
    assert client.ask("GET", path).json() == {"transactions": [], "lastTransactionID": str(before)}
    client.step(seconds=31)
    assert len(client.ask("GET", path).json()["transactions"]) == 2


@pytest.fixture
def passing_time(client: Any) -> Iterator[None]:
    """Step the clock again and again, on the side."""
    over = threading.Event()

    def run() -> None:
        with httpx.Client() as http:
            while not over.wait(0.05):
                http.post(f"{client.base}/_exchange/step", json={"seconds": 6})

    thread = threading.Thread(target=run)
    thread.start()
    yield
    over.set()
    thread.join()


def read_stream(client: Any, enough: int) -> tuple[str, bool]:
    """What a price stream says until it has said `enough` lines or breaks; and whether it broke."""
    url = f"{client.base}/v3/accounts/{client.account}/pricing/stream?instruments=EUR_USD"
    text = ""
    with client.http.stream("GET", url, timeout=1) as response:
        try:
            for part in response.iter_text():
                text += part
                if text.count("\n") >= enough:
                    return text, False
        except httpx.TransportError:
            pass
    return text, True


@pytest.mark.usefixtures("passing_time")
def test_streams_can_go_wrong(client: Any) -> None:
    text, broke = read_stream(client, 5)
    assert not broke
    assert "PRICE" in text and "HEARTBEAT" in text
    fault(client, "stall", "GET pricing/stream", nth=1)
    text, broke = read_stream(client, 5)
    assert broke and text.count("\n") == 1
    fault(client, "truncated", "GET pricing/stream", nth=1)
    text, broke = read_stream(client, 5)
    assert broke and not text.endswith("\n")
    fault(client, "heartbeats_only", "GET pricing/stream", nth=1)
    text, broke = read_stream(client, 3)
    assert not broke and "PRICE" not in text and text.count("HEARTBEAT") >= 3


def test_a_dropped_stream_is_an_error_at_once(client: Any) -> None:
    fault(client, "rate_limited", "GET transactions/stream", nth=1)
    assert client.ask("GET", "transactions/stream").status_code == 429
