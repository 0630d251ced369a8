"""The exchange goes wrong on purpose, and the client neither doubles nor loses anything."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.recovery import place_and_resolve

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.outcomes import NOT_FOUND
from sep_trader.broker.oanda.streams import PriceStream, TransactionStream
from sep_trader.broker.oanda.transport import Backoff
from sep_trader.broker.port import Filled, Heartbeat, MarketOrder, Price, Rejected, StreamState, Unknown
from sep_trader.errors import BrokerAuthError
from sep_trader.ledger.transactions import Transaction
from sep_trader.market.granularity import Granularity
from sep_trader.risk.limits import price_age_s

ORDER = MarketOrder("EUR_USD", Decimal(100), "sep-1")
POST = "POST orders"
SOON = Backoff(base_s=0.02, cap_s=0.1)


def ready(client: OandaClient) -> int:
    """The last transaction id, the instrument's terms being known."""
    client.instruments(["EUR_USD"])
    return client.summary().last_transaction_id


def orders_with_the_id(client: OandaClient) -> int:
    record = client.transactions_since(0)
    return sum(item.type == "MARKET_ORDER" and item.client_id == "sep-1" for item in record.items)


@pytest.mark.parametrize("kind", ["drop_after", "late_apply"])
def test_an_order_that_arrived_is_found(client: OandaClient, exchange: Any, kind: str) -> None:
    before = ready(client)
    exchange.fault(kind, POST, times=1, seconds=0.5)
    outcome = place_and_resolve(client, ORDER, before)
    assert isinstance(outcome, Filled)
    assert outcome.units == 100
    assert orders_with_the_id(client) == 1
    assert [trade.client_id for trade in client.open_trades()] == ["sep-1"]


def test_an_order_whose_answer_breaks_off_is_found(client: OandaClient, exchange: Any) -> None:
    before = ready(client)
    exchange.fault("truncated", POST, times=1)
    assert isinstance(place_and_resolve(client, ORDER, before), Filled)
    assert orders_with_the_id(client) == 1


def test_an_order_whose_answer_comes_too_late_is_found(connect: Callable[..., OandaClient], exchange: Any) -> None:
    client = connect(timeout_s=0.5)
    before = ready(client)
    exchange.fault("delay", POST, times=1, seconds=1.5)
    assert isinstance(client.place(ORDER), Unknown)
    assert isinstance(place_and_resolve(client, MarketOrder("EUR_USD", Decimal(1), "sep-2"), before), Filled)
    exchange.clear()
    assert orders_with_the_id(client) == 1


@pytest.mark.parametrize("kind", ["drop_before", "bad_gateway"])
def test_an_order_that_never_arrived_is_absent_and_was_not_sent_again(
    client: OandaClient, exchange: Any, kind: str
) -> None:
    before = ready(client)
    exchange.fault(kind, POST, times=1)
    assert place_and_resolve(client, ORDER, before, patience_s=0.5) == Unknown(NOT_FOUND)
    assert orders_with_the_id(client) == 0
    assert client.summary().last_transaction_id == before


@pytest.mark.parametrize(("kind", "reason"), [("unauthorized", "UNAUTHORIZED"), ("rate_limited", "RATE_LIMITED")])
def test_an_order_that_was_turned_away_is_rejected(client: OandaClient, exchange: Any, kind: str, reason: str) -> None:
    ready(client)
    exchange.fault(kind, POST, times=1)
    outcome = client.place(ORDER)
    assert isinstance(outcome, Rejected) and outcome.reason == reason
    assert orders_with_the_id(client) == 0


def test_an_order_is_found_though_the_record_lags(client: OandaClient, exchange: Any) -> None:
    before = ready(client)
    exchange.fault("drop_after", POST, times=1)
    exchange.fault("sinceid_lag", "GET transactions/sinceid", seconds=0.5)
    assert isinstance(client.place(ORDER), Unknown)
    assert isinstance(client.resolve("sep-1", before), Unknown)
    exchange.clear()
    assert isinstance(client.resolve("sep-1", before), Filled)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "bad_gateway", "truncated", "rate_limited"])
def test_reads_survive_two_failures(client: OandaClient, exchange: Any, kind: str) -> None:
    exchange.fault(kind, "GET summary", times=2)
    assert client.summary().account_id == client.account_id


def test_a_read_that_is_not_authorised_is_told_at_once(client: OandaClient, exchange: Any) -> None:
    exchange.fault("unauthorized", "GET summary", times=1)
    with pytest.raises(BrokerAuthError):
        client.summary()
    assert client.summary().account_id == client.account_id


def test_an_empty_book_is_no_price(client: OandaClient, exchange: Any) -> None:
    exchange.fault("empty_book", "GET pricing", times=1, instrument="EUR_USD")
    assert client.pricing(["EUR_USD"]).prices == ()
    assert len(client.pricing(["EUR_USD"]).prices) == 1


def test_a_skewed_clock_does_not_break_the_reading_of_candles(client: OandaClient, exchange: Any) -> None:
    exchange.fault("clock_skew", "GET pricing", times=1, seconds=120)
    ahead = client.pricing(["EUR_USD"]).time
    now = client.pricing(["EUR_USD"]).time
    assert abs((ahead - now).total_seconds() - 120) < 60
    found = client.candles("EUR_USD", Granularity.M1, start=now - timedelta(minutes=5), end=ahead)
    assert len(found) >= 3


@pytest.mark.parametrize("kind", ["truncated", "stall", "bad_gateway", "drop_before"])
def test_a_price_stream_that_goes_wrong_is_opened_again(
    connect: Callable[..., OandaClient], exchange: Any, kind: str
) -> None:
    client = connect(stream_silence_s=0.5)
    exchange.fault(kind, "GET pricing/stream", times=1)
    events: queue.Queue[Any] = queue.Queue()
    reader = PriceStream(client, ["EUR_USD"], events, reconnect=SOON)
    reader.start()
    try:
        seen: list[Any] = []
        while not (seen and isinstance(seen[-1], Price) and any(_lost(event) for event in seen)):
            seen.append(events.get(timeout=10))
    finally:
        reader.stop()


def test_transactions_stay_whole_when_the_stream_breaks_and_the_record_lags(
    connect: Callable[..., OandaClient], exchange: Any
) -> None:
    client = connect(stream_silence_s=0.5)
    ready(client)
    exchange.fault("truncated", "GET transactions/stream", times=1)
    exchange.fault("stall", "GET transactions/stream", times=1)
    exchange.fault("sinceid_lag", "GET transactions/sinceid", times=3, seconds=0.3)
    exchange.fault("drop_before", "GET transactions/sinceid", times=2)
    events: queue.Queue[Any] = queue.Queue()
    reader = TransactionStream(client, events, 0, reconnect=SOON)
    reader.start()
    try:
        last = 0
        for number in range(4):
            outcome = client.place(MarketOrder("EUR_USD", Decimal(10), f"sep-{number}"))
            assert isinstance(outcome, Filled)
            last = outcome.fill_id
        ids: list[int] = []
        while last not in ids:
            event = events.get(timeout=10)
            ids += [event.id] if isinstance(event, Transaction) else []
    finally:
        reader.stop()
    assert ids == list(range(1, last + 1))


def test_a_storm_of_faults_neither_doubles_nor_loses_an_order(
    connect: Callable[..., OandaClient], exchange: Any
) -> None:
    """24 orders from 8 threads, 15 of which go wrong, 6 before they arrive: outcomes and record agree."""
    client = connect()
    before = ready(client)
    for first, kind in enumerate(("drop_before", "drop_after", "late_apply", "truncated", "bad_gateway"), 1):
        for nth in (first, first + 8, first + 16):
            exchange.fault(kind, POST, nth=nth, seconds=0.2)
    exchange.fault("drop_before", "GET transactions/sinceid", times=5)
    exchange.fault("truncated", "GET transactions/stream", times=3)
    events: queue.Queue[Any] = queue.Queue()
    reader = TransactionStream(client, events, before, reconnect=SOON)
    reader.start()
    names = [f"storm-{number}" for number in range(24)]
    try:
        with ThreadPoolExecutor(8) as pool:
            orders = [MarketOrder("EUR_USD", Decimal(10), name) for name in names]
            outcomes = list(pool.map(lambda order: place_and_resolve(client, order, before, patience_s=1), orders))
        record = connect().transactions_since(before)
        while reader.last_id < record.last_id:
            time.sleep(0.02)
    finally:
        reader.stop()
    filled = [str(item.client_id) for item in record.items if item.type == "ORDER_FILL"]
    assert sorted(filled) == sorted(n for n, o in zip(names, outcomes, strict=True) if isinstance(o, Filled))
    assert all(isinstance(outcome, Filled) or outcome == Unknown(NOT_FOUND) for outcome in outcomes)
    assert len(filled) == 24 - 6
    delivered = [event.id for event in events.queue if isinstance(event, Transaction)]
    assert delivered == list(range(before + 1, record.last_id + 1))


def test_heartbeats_alone_leave_the_price_to_go_stale(client: OandaClient, exchange: Any) -> None:
    exchange.fault("heartbeats_only", "GET pricing/stream")
    events: queue.Queue[Any] = queue.Queue()
    reader = PriceStream(client, ["EUR_USD"], events)
    reader.start()
    try:
        quoted = client.pricing(["EUR_USD"]).prices[0]
        exchange.step(120)
        now = client.pricing(["EUR_USD"]).time
        while not isinstance(event := events.get(timeout=10), Heartbeat) or event.time < now:
            pass
        assert price_age_s(quoted.time, now) > 60
    finally:
        reader.stop()


def _lost(event: Any) -> bool:
    return isinstance(event, StreamState) and not event.connected
