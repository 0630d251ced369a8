"""The reader threads against a server that stalls, breaks off, skips and repeats."""

import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.streams import PriceStream, TransactionStream
from sep_trader.broker.oanda.transport import Backoff
from sep_trader.broker.port import Heartbeat, Price, StreamState
from sep_trader.ledger.transactions import Transaction
from sep_trader.risk.limits import price_age_s

SOON = Backoff(base_s=0.02, cap_s=0.1)
TIME = "2026-09-23T22:19:48.715540720Z"
BEAT = {"type": "HEARTBEAT", "time": TIME}


def quote(bid: str = "1.13841", instrument: str = "EUR_USD", **changes: Any) -> dict[str, Any]:
    ask = str(Decimal(bid) + Decimal("0.0002"))
    book = {"bids": [{"price": bid, "liquidity": 1}], "asks": [{"price": ask, "liquidity": 1}]}
    return {"type": "PRICE", "time": TIME, "tradeable": True, "instrument": instrument} | book | changes


def entry(number: int) -> dict[str, Any]:
    return {"id": str(number), "type": "ORDER_FILL", "orderID": "1", "time": TIME}


def beat(last: int) -> dict[str, Any]:
    return BEAT | {"lastTransactionID": str(last)}


def page(*numbers: int, last: int) -> dict[str, Any]:
    return {"transactions": [entry(n) for n in numbers], "lastTransactionID": str(last)}


@pytest.fixture
def events() -> "queue.Queue[Any]":
    return queue.Queue()


@pytest.fixture
def start() -> Iterator[Callable[[Any], Any]]:
    started = []

    def begin(reader: Any) -> Any:
        started.append(reader)
        reader.start()
        return reader

    yield begin
    for reader in started:
        reader.stop()
        assert not reader._thread.is_alive()


def take(events: "queue.Queue[Any]", count: int) -> list[Any]:
    return [events.get(timeout=5) for _ in range(count)]


def take_kind(events: "queue.Queue[Any]", kind: type, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        event = events.get(timeout=5)
        found += [event] if isinstance(event, kind) else []
    return found


def test_prices_and_heartbeats_are_typed(client: OandaClient, script: Any, events: Any, start: Any) -> None:
    script.on("/pricing/stream", script.stream(quote(), quote(instrument="GBP_USD"), BEAT, then=3))
    start(PriceStream(client, ["EUR_USD", "GBP_USD"], events))
    up, first, second, heartbeat = take(events, 4)
    assert up == StreamState("prices", connected=True)
    assert isinstance(first, Price) and first.bid == Decimal("1.13841")
    assert second.instrument == "GBP_USD"
    assert heartbeat == Heartbeat(datetime(2026, 9, 23, 22, 19, 48, 715540, tzinfo=UTC))
    assert script.last("/pricing/stream").query == {"instruments": "EUR_USD,GBP_USD"}
    assert script.last("/pricing/stream").headers["Accept-Encoding"] == "identity"


def test_silence_is_noticed_and_the_stream_opened_again(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/pricing/stream", script.stream(quote("1.1"), then=3), script.stream(quote("1.2"), then=3))
    start(PriceStream(client, ["EUR_USD"], events, reconnect=SOON))
    up, first, down, again, second = take(events, 5)
    assert (up.connected, down.connected, again.connected) == (True, False, True)
    assert "ReadTimeout" in down.cause
    assert (first.bid, second.bid) == (Decimal("1.1"), Decimal("1.2"))


@pytest.mark.parametrize("how", ["ended", "cut", "no JSON", "null", "no price", "502", "reset"])
def test_a_broken_stream_is_opened_again(client: OandaClient, script: Any, events: Any, start: Any, how: str) -> None:
    broken = {
        "ended": script.stream(quote("1.1")),
        "cut": script.stream(quote("1.1"), cut=True),
        "no JSON": script.stream(quote("1.1"), b"{oops", then=3),
        "null": script.stream(quote("1.1"), b"null", then=3),
        "no price": script.stream(quote("1.1"), {"type": "PRICE"}, quote("1.3"), then=3),
        "502": script.answer(502, b"<html>"),
        "reset": script.reset(),
    }[how]
    script.on("/pricing/stream", broken, script.stream(quote("1.2"), then=3))
    start(PriceStream(client, ["EUR_USD"], events, reconnect=SOON))
    while events.get(timeout=5) != StreamState("prices", connected=True) or script.count("/pricing/stream") < 2:
        pass
    assert take_kind(events, Price, 1)[0].bid == Decimal("1.2")


def test_a_server_that_stays_away_is_told_once_and_asked_again(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/pricing/stream", *[script.answer(503, b"")] * 4, script.stream(quote(), then=3))
    start(PriceStream(client, ["EUR_USD"], events, reconnect=SOON))
    down, up, _ = take(events, 3)
    assert not down.connected and "503" in down.cause
    assert up.connected
    assert script.count("/pricing/stream") == 5


def test_the_wait_grows_while_nothing_comes_and_starts_again_after_a_line(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    asked: list[int] = []

    class Noting(Backoff):
        def delay(self, failures: int, chance: object = None) -> float:
            asked.append(failures)
            return 0.01

    away = script.answer(503, b"")
    script.on("/pricing/stream", away, away, away, script.stream(quote("1.1")), script.stream(quote("1.2"), then=3))
    start(PriceStream(client, ["EUR_USD"], events, reconnect=Noting()))
    take_kind(events, Price, 2)
    assert asked == [1, 2, 3, 1]


def test_heartbeats_do_not_refresh_a_price(client: OandaClient, script: Any, events: Any, start: Any) -> None:
    script.on("/pricing/stream", script.stream(quote(), *[BEAT | {"time": "2026-09-23T23:00:00Z"}] * 3, then=3))
    start(PriceStream(client, ["EUR_USD", "GBP_USD"], events))
    _, *seen = take(events, 5)
    assert [type(event) for event in seen] == [Price, Heartbeat, Heartbeat, Heartbeat]
    assert price_age_s(seen[0].time, seen[-1].time) > 60


def test_a_book_that_empties_is_a_price_not_to_be_traded_on(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    empty = quote(bids=[], asks=[])
    script.on("/pricing/stream", script.stream(empty, quote(), empty, then=3))
    start(PriceStream(client, ["EUR_USD"], events))
    before, after = take_kind(events, Price, 2)
    assert (before.tradeable, after.tradeable) == (True, False)
    assert (after.bid, after.time) == (before.bid, before.time)


def test_transactions_missed_before_the_stream_opened_come_first_and_doubles_are_dropped(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/sinceid", script.answer(200, page(5, 6, last=6)))
    script.on("/transactions/stream", script.stream(entry(6), entry(7), entry(7), entry(8), then=3))
    reader = start(TransactionStream(client, events, last_id=4))
    found = take_kind(events, Transaction, 4)
    assert [item.id for item in found] == [5, 6, 7, 8]
    assert reader.last_id == 8
    assert script.requests[0].path.endswith("/transactions/stream")
    assert script.last("/sinceid").query == {"id": "4"}


def test_a_heartbeat_that_is_ahead_brings_what_is_missing(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/sinceid", script.answer(200, page(last=4)), script.answer(200, page(5, 6, last=6)))
    script.on("/transactions/stream", script.stream(beat(4), beat(6), then=3))
    start(TransactionStream(client, events, last_id=4))
    assert [getattr(event, "id", None) for event in take(events, 5)] == [None, None, 5, 6, None]
    assert [request.query["id"] for request in script.requests if request.query] == ["4", "4"]


def test_a_skipped_transaction_is_read_before_the_later_one_is_delivered(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    lagging = script.answer(200, page(last=7))
    script.on("/sinceid", script.answer(200, page(last=4)), lagging, lagging, script.answer(200, page(5, 6, last=7)))
    script.on("/transactions/stream", script.stream(entry(7), then=3))
    start(TransactionStream(client, events, last_id=4))
    assert [item.id for item in take_kind(events, Transaction, 3)] == [5, 6, 7]


def test_what_happened_while_the_stream_was_broken_is_delivered_once(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/sinceid", script.answer(200, page(last=4)), script.answer(200, page(6, 7, last=7)))
    script.on("/transactions/stream", script.stream(entry(5), cut=True), script.stream(entry(7), entry(8), then=3))
    start(TransactionStream(client, events, last_id=4, reconnect=SOON))
    assert [item.id for item in take_kind(events, Transaction, 4)] == [5, 6, 7, 8]
    assert [request.query["id"] for request in script.requests if request.query] == ["4", "5"]


def test_a_record_that_cannot_be_read_makes_it_connect_again(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/sinceid", *[script.answer(503, b"")] * 4, script.answer(200, page(5, last=5)))
    script.on("/transactions/stream", script.stream(then=3))
    start(TransactionStream(client, events, last_id=4, reconnect=SOON))
    assert [item.id for item in take_kind(events, Transaction, 1)] == [5]
    assert script.count("/transactions/stream") == 2


def test_an_id_that_never_appears_is_named_and_passed_over(
    client: OandaClient, script: Any, events: Any, start: Any
) -> None:
    script.on("/sinceid", script.answer(200, page(7, last=7)))
    script.on("/transactions/stream", script.stream(then=3))
    start(TransactionStream(client, events, last_id=4, gap_patience_s=0.2))
    up, gap, found = take(events, 3)
    assert up.connected and gap.connected
    assert gap.cause.endswith("5, 6")
    assert found.id == 7


def test_stopping_does_not_wait_for_the_next_byte(connect: Any, script: Any, events: Any) -> None:
    client = connect(stream_silence_s=60.0)
    script.on("/pricing/stream", script.stream(quote(), then=60))
    reader = PriceStream(client, ["EUR_USD"], events)
    reader.start()
    take(events, 2)
    reader.stop(timeout_s=5)
    assert not reader._thread.is_alive()  # type: ignore[union-attr]
    assert events.empty()


def test_a_feed_reads_both_streams(client: OandaClient, script: Any, events: Any) -> None:
    script.on("/pricing/stream", script.stream(quote(), BEAT, then=60))
    script.on("/transactions/stream", script.stream(entry(5), then=60))
    script.on("/transactions/sinceid", script.answer(200, {"transactions": [], "lastTransactionID": "4"}))
    feed = client.event_feed(["EUR_USD"], 4, events)
    feed.start()
    kinds = {type(event) for event in take(events, 5)}
    feed.stop()
    assert kinds == {StreamState, Price, Heartbeat, Transaction}


def test_a_feed_without_instruments_opens_no_price_stream(client: OandaClient, script: Any, events: Any) -> None:
    script.on("/transactions/stream", script.stream(entry(5), then=60))
    script.on("/transactions/sinceid", script.answer(200, {"transactions": [], "lastTransactionID": "4"}))
    feed = client.event_feed([], 4, events)
    feed.start()
    take_kind(events, Transaction, 1)
    feed.stop()
    assert script.count("/pricing/stream") == 0


def test_a_refused_stream_says_why(client: OandaClient, script: Any, events: Any, start: Any) -> None:
    script.on("/pricing/stream", script.answer(401, {"errorMessage": "Insufficient authorization to perform request."}))
    start(PriceStream(client, ["EUR_USD"], events))
    (down,) = take(events, 1)
    assert not down.connected and "BrokerAuthError" in down.cause
