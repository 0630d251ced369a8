"""The reader threads on the exchange's streams."""

import queue
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.streams import PriceStream, TransactionStream
from sep_trader.broker.port import Filled, MarketOrder, Price, StreamState
from sep_trader.ledger.transactions import Transaction


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


def wait_for(events: "queue.Queue[Any]", wanted: Callable[[Any], bool]) -> Any:
    while True:
        event = events.get(timeout=10)
        if wanted(event):
            return event


def transactions(events: "queue.Queue[Any]", last_id: int) -> list[int]:
    """The ids that come until `last_id` does."""
    found: list[int] = []
    while last_id not in found:
        event = events.get(timeout=10)
        found += [event.id] if isinstance(event, Transaction) else []
    return found


def buy(client: OandaClient, client_id: str) -> Filled:
    outcome = client.place(MarketOrder("EUR_USD", Decimal(100), client_id))
    assert isinstance(outcome, Filled)
    return outcome


def test_a_snapshot_then_each_new_price(client: OandaClient, exchange: Any, events: Any, start: Any) -> None:
    start(PriceStream(client, ["EUR_USD"], events))
    first = wait_for(events, lambda event: isinstance(event, Price))
    assert first == client.pricing(["EUR_USD"]).prices[0]
    exchange.step(60)
    newest = wait_for(events, lambda event: isinstance(event, Price) and event.time > first.time)
    now = client.pricing(["EUR_USD"])
    while newest != now.prices[0]:
        newest = wait_for(events, lambda event: isinstance(event, Price))


def test_what_happened_before_and_after_it_opened_comes_once_in_order(
    client: OandaClient, events: Any, start: Any
) -> None:
    before = client.summary().last_transaction_id
    buy(client, "sep-1")
    reader = start(TransactionStream(client, events, before))
    wait_for(events, lambda event: isinstance(event, StreamState) and event.connected)
    last = buy(client, "sep-2").fill_id
    assert transactions(events, last) == list(range(before + 1, last + 1))
    assert reader.last_id == last


def test_a_reader_started_again_goes_on_where_the_last_one_ended(client: OandaClient, events: Any, start: Any) -> None:
    first = TransactionStream(client, events, 0)
    first.start()
    middle = buy(client, "sep-1").fill_id
    seen = transactions(events, middle)
    first.stop()
    missed = buy(client, "sep-2").fill_id
    start(TransactionStream(client, events, middle))
    last = buy(client, "sep-3").fill_id
    assert missed < last
    assert seen + transactions(events, last) == list(range(1, last + 1))
