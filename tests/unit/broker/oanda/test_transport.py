"""Reads, writes and failures over real connections."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.transport import Backoff
from sep_trader.broker.port import BrokerNotFound, Filled, MarketOrder, Rejected, Unknown
from sep_trader.errors import BrokerAuthError, BrokerError, BrokerUnavailable

ACCOUNTS = {"accounts": [{"id": "101-001-0000001-001", "tags": []}]}
ORDER = MarketOrder("EUR_USD", Decimal(1), "sep-1")

Connect = Callable[..., OandaClient]


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def trouble(script: Any) -> dict[str, Any]:
    html = script.answer(502, b"<html>Bad Gateway</html>", Content_Type="text/html")
    return {
        "502 with HTML": html,
        "503": script.answer(503, {"errorMessage": "down"}),
        "silence": script.silence(2),
        "reset": script.reset(),
        "truncated chunk": script.stream(b'{"accounts": [', cut=True),
        "200 that is not JSON": script.answer(200, b"<html>welcome</html>"),
        "200 that is no object": script.answer(200, b"[]"),
    }


KINDS = ["502 with HTML", "503", "silence", "reset", "truncated chunk", "200 that is not JSON", "200 that is no object"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_is_tried_again(client: OandaClient, script: Any, kind: str) -> None:
    bad = trouble(script)[kind]
    script.on("/accounts", bad, bad, script.answer(200, ACCOUNTS))
    assert [account.account_id for account in client.accounts()] == ["101-001-0000001-001"]
    assert script.count("/accounts") == 3


def test_a_read_gives_up_after_its_tries(client: OandaClient, script: Any) -> None:
    script.on("/accounts", trouble(script)["502 with HTML"])
    with pytest.raises(BrokerUnavailable, match="4 tries: HTTP 502") as caught:
        client.accounts()
    assert caught.value.retryable
    assert script.count("/accounts") == 4


def test_no_server_at_all_is_unavailable(connect: Connect) -> None:
    with pytest.raises(BrokerUnavailable, match="ConnectError"):
        connect(api_url=closed_port()).accounts()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, BrokerAuthError, "does not accept the token"),
        (403, BrokerAuthError, "OANDA_ACCOUNT_ID"),
        (404, BrokerNotFound, "refused"),
        (400, BrokerError, "Invalid value specified"),
        (416, BrokerError, "refused"),
    ],
)
def test_a_refused_read_is_not_tried_again(
    client: OandaClient, script: Any, status: int, kind: type[BrokerError], words: str
) -> None:
    script.on("/accounts", script.answer(status, {"errorMessage": "Invalid value specified"}, RequestID="42"))
    with pytest.raises(kind, match=words) as caught:
        client.accounts()
    assert type(caught.value) is kind
    assert not caught.value.retryable
    assert script.count("/accounts") == 1


def test_the_token_is_sent_and_never_told(client: OandaClient, script: Any) -> None:
    script.on("/accounts", script.answer(401, {"errorMessage": "Insufficient authorization to perform request."}))
    with pytest.raises(BrokerAuthError) as caught:
        client.accounts()
    assert script.last("/accounts").headers["Authorization"] == "Bearer TOKEN"
    assert script.last("/accounts").headers["Accept-Datetime-Format"] == "RFC3339"
    assert "TOKEN" not in str(caught.value)


def test_429_is_waited_for_as_long_as_it_asks(client: OandaClient, script: Any) -> None:
    slow_down = script.answer(429, {"errorMessage": "slow down"}, Retry_After="0.3")
    script.on("/accounts", slow_down, script.answer(200, ACCOUNTS))
    started = datetime.now(UTC)
    client.accounts()
    assert datetime.now(UTC) - started >= timedelta(seconds=0.3)


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_429_for_too_long_is_unavailable_at_once(client: OandaClient, script: Any, how: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    script.on("/accounts", script.answer(429, b"", Retry_After="3600" if how == "seconds" else date))
    with pytest.raises(BrokerUnavailable, match=r"after 3[56]\d\d s"):
        client.accounts()
    assert script.count("/accounts") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_in_doubt_is_unknown_and_sent_once(
    client: OandaClient, script: Any, terms: dict[str, Any], kind: str
) -> None:
    script.on("/instruments", script.answer(200, terms))
    script.on("/orders", trouble(script)[kind])
    assert isinstance(client.place(ORDER), Unknown)
    assert script.count("/orders") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_close_in_doubt_is_unknown_and_sent_once(client: OandaClient, script: Any, kind: str) -> None:
    script.on("/close", trouble(script)[kind])
    assert isinstance(client.close_trade(31), Unknown)
    assert script.count("/close") == 1


def test_an_order_that_cannot_leave_was_not_sent(connect: Connect, script: Any, terms: dict[str, Any]) -> None:
    client = connect()
    script.on("/instruments", script.answer(200, terms))
    client.instruments()
    nowhere = connect(api_url=closed_port())
    nowhere._instruments = client._instruments
    outcome = nowhere.place(ORDER)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "NOT_SENT"


def test_an_order_whose_precision_cannot_be_read_was_not_sent(client: OandaClient, script: Any) -> None:
    script.on("/instruments", script.answer(503, b""))
    outcome = client.place(ORDER)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "NOT_SENT"
    assert script.count("/orders") == 0


def test_an_order_over_the_rate_limit_was_refused_and_the_next_one_waits_no_longer_than_it_may(
    client: OandaClient, script: Any
) -> None:
    script.on("/close", script.answer(429, b"", Retry_After="5"))
    first, second = client.close_trade(31), client.close_trade(31)
    assert isinstance(first, Rejected) and first.reason == "RATE_LIMITED"
    assert isinstance(second, Rejected) and second.reason == "NOT_SENT"
    assert script.count("/close") == 1


def test_connections_are_kept(client: OandaClient, script: Any) -> None:
    opened: list[Any] = []

    def note(handler: Any) -> None:
        opened.append(handler.connection)
        script.answer(200, ACCOUNTS)(handler)

    script.on("/accounts", note)
    for _ in range(5):
        client.accounts()
    assert len(opened) == 5
    assert len(set(opened)) == 1


def test_new_connections_are_at_most_two_a_second(connect: Connect, script: Any) -> None:
    client = connect(quick=False)

    def once(handler: Any) -> None:
        script.answer(200, ACCOUNTS, Connection="close")(handler)
        handler.close_connection = True

    script.on("/accounts", once)
    started = datetime.now(UTC)
    for _ in range(3):
        client.accounts()
    assert datetime.now(UTC) - started >= timedelta(seconds=1)


def test_the_outcome_survives_an_answer_with_unknown_fields(
    client: OandaClient, script: Any, terms: dict[str, Any]
) -> None:
    fill = {
        "id": "31",
        "type": "ORDER_FILL",
        "time": "1790198047.570329138",
        "orderID": "30",
        "units": "1",
        "price": "1.13835",
        "accountBalance": "100000.0000",
        "novelty": {"deep": [1, 2]},
    }
    script.on("/instruments", script.answer(200, terms))
    script.on("/orders", script.answer(201, {"orderFillTransaction": fill, "lastTransactionID": "31"}))
    outcome = client.place(ORDER)
    assert isinstance(outcome, Filled)
    assert outcome.time == datetime(2026, 9, 23, 21, 14, 7, 570329, tzinfo=UTC)


def test_the_delay_between_tries_grows_to_its_cap_with_jitter() -> None:
    policy = Backoff(base_s=1, cap_s=4)
    for failures, whole in [(1, 1), (2, 2), (3, 4), (4, 4), (16, 4)]:
        delays = {policy.delay(failures) for _ in range(50)}
        assert len(delays) > 1
        assert whole / 2 <= min(delays) <= max(delays) <= whole
