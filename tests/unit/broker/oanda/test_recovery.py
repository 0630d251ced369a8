"""Orders whose answer was lost, found again in the record of a server that applies them now, late or never."""

import threading
import time
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.recovery import is_absent, place_and_recover, recover
from sep_trader.broker.port import Filled, MarketOrder, Unknown

TIME = "2026-09-23T21:14:07.570329138Z"
ORDER = MarketOrder("EUR_USD", Decimal(1), "sep-1")


class Record:
    """An account's transactions; each order takes two ids."""

    def __init__(self, script: Any, lag: int = 0) -> None:
        self.script = script
        self.items: list[dict[str, Any]] = [{"id": str(n), "type": "DAILY_FINANCING", "time": TIME} for n in (1, 2, 3)]
        self.lag = lag

    def apply(self, client_id: str) -> None:
        number = len(self.items) + 1
        head = {"time": TIME, "instrument": "EUR_USD", "units": "1"}
        order = {"id": str(number), "type": "MARKET_ORDER", "clientExtensions": {"id": client_id}}
        fill = {"id": str(number + 1), "type": "ORDER_FILL", "orderID": str(number), "clientOrderID": client_id}
        self.items += [head | order, head | fill | {"price": "1.1", "accountBalance": "100000.0000"}]

    def since(self, handler: Any) -> None:
        after = int(self.script.last("/sinceid").query["id"])
        shown = self.items[after : len(self.items) - self.lag]
        self.lag = max(0, self.lag - 1)
        self.script.answer(200, {"transactions": shown, "lastTransactionID": str(len(self.items))})(handler)


@pytest.fixture
def record(script: Any, terms: dict[str, Any]) -> Record:
    record = Record(script)
    script.on("/instruments", script.answer(200, terms))
    script.on("/sinceid", record.since)
    return record


def test_applied_and_the_answer_lost(client: OandaClient, script: Any, record: Record) -> None:
    def apply_and_reset(handler: Any) -> None:
        record.apply("sep-1")
        script.reset()(handler)

    script.on("/orders", apply_and_reset)
    outcome = place_and_recover(client, ORDER, since_id=3)
    assert isinstance(outcome, Filled)
    assert (outcome.order_id, outcome.fill_id) == (4, 5)
    assert script.count("/orders") == 1


def test_applied_late(client: OandaClient, script: Any, record: Record) -> None:
    def apply_later(handler: Any) -> None:
        threading.Timer(0.3, record.apply, ["sep-1"]).start()
        script.answer(502, b"<html>")(handler)

    script.on("/orders", apply_later)
    assert isinstance(place_and_recover(client, ORDER, since_id=3), Filled)
    assert script.count("/orders") == 1


def test_never_applied_is_absent_after_the_patience(client: OandaClient, script: Any, record: Record) -> None:
    script.on("/orders", script.reset())
    started = time.monotonic()
    outcome = place_and_recover(client, ORDER, since_id=3, patience_s=0.5)
    assert is_absent(outcome)
    assert time.monotonic() - started >= 0.5
    assert script.count("/orders") == 1


def test_a_record_that_lags_is_waited_for(client: OandaClient, record: Record) -> None:
    record.apply("sep-1")
    record.lag = 3  # first nothing, then the order without its fill, then all
    assert isinstance(recover(client, "sep-1", 3, first_wait_s=0.01), Filled)


def test_a_record_with_a_hole_proves_nothing(client: OandaClient, script: Any, record: Record) -> None:
    record.apply("another")
    del record.items[3]
    outcome = recover(client, "sep-1", 3, patience_s=0.2)
    assert outcome == Unknown("INCOMPLETE")
    assert not is_absent(outcome)


def test_an_unreachable_record_is_tried_until_the_patience_ends(
    client: OandaClient, script: Any, record: Record
) -> None:
    record.apply("sep-1")
    script.on("/sinceid", *[script.answer(503, b"")] * 6, record.since)
    assert isinstance(recover(client, "sep-1", 3), Filled)
    script.on("/sinceid", script.answer(503, b""))
    outcome = recover(client, "sep-1", 3, patience_s=0.2)
    assert isinstance(outcome, Unknown) and "503" in outcome.cause


def test_a_record_that_is_forbidden_is_not_waited_for(client: OandaClient, script: Any, record: Record) -> None:
    script.on("/sinceid", script.answer(401, {"errorMessage": "Insufficient authorization to perform request."}))
    outcome = recover(client, "sep-1", 3, patience_s=60)
    assert isinstance(outcome, Unknown) and "token" in outcome.cause
    assert script.count("/sinceid") == 1


def test_a_known_outcome_is_not_looked_for(client: OandaClient, script: Any, record: Record) -> None:
    script.on("/orders", script.answer(400, {"errorCode": "UNITS_INVALID"}))
    place_and_recover(client, ORDER, since_id=3)
    assert script.count("/sinceid") == 0
