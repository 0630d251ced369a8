"""What is asked through the web reaches the running trader, and the answer says what happened; so does silence."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests.integration.execution.conftest import World, world_at
from tests.support.serving import client_of, parts_for, token_of
from tests.support.trades import opened

from sep_trader.execution.trader import Trader
from sep_trader.store.database import Database


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """An exchange, and a trader's surroundings."""
    with world_at(database) as made:
        yield made


@contextmanager
def trading(trader: Trader) -> Iterator[None]:
    """Let a trader make its passes beside the test."""
    ending = threading.Event()

    def work() -> None:
        while not ending.is_set():
            trader.once()
            time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@pytest.fixture
def operator(world: World) -> Iterator[httpx.Client]:
    with client_of(parts_for(world.database), token_of(world.database, "phone")) as client:
        yield client


def post(client: httpx.Client, path: str, **body: Any) -> httpx.Response:
    return client.post(path, json={"reason": "a test", **body})


@pytest.mark.parametrize(("what", "state"), [("halt", "HALTED"), ("reduce", "REDUCING"), ("resume", "ACTIVE")])
def test_the_switch(world: World, operator: httpx.Client, what: str, state: str) -> None:
    with trading(world.trader()):
        answer = post(operator, f"/api/trading/{what}")
    assert (answer.status_code, answer.json()["status"], answer.json()["answer"]) == (
        200,
        "DONE",
        f"trading is {state}",
    )
    assert world.row("SELECT state, changed_by FROM trading_state") == {"state": state, "changed_by": "phone"}
    # The row is the audit: who asked, why, and what came of it.
    row = world.row("SELECT requested_by, reason, status FROM trading_requests")
    assert row == {"requested_by": "phone", "reason": "a test", "status": "DONE"}
    assert operator.get("/api/requests").json()[0]["requested_by"] == "phone"
    assert operator.get("/api/changes").json()[0]["after"] == state


def test_one_trade_and_all_of_them(world: World, operator: httpx.Client) -> None:
    world.execute("UPDATE trading_state SET state = 'ACTIVE', changed_by = 'me', reason = 'a test'")
    trader = world.trader()
    number = opened(world, trader)
    shown = operator.get("/api/trades/open").json()[0]
    assert (shown["trade_id"], shown["pair"]) == (number, "EUR_USD")
    assert shown["current_price"] is not None and shown["pips"] is not None
    with trading(trader):
        assert post(operator, "/api/trades/999999/close").json()["answer"] == "trade 999999 is not open"
        assert post(operator, f"/api/trades/{number}/close").json()["status"] == "DONE"
    assert operator.get("/api/trades/open").json() == []
    closed = operator.get("/api/trades/closed").json()[0]
    assert (closed["trade_id"], closed["exit_reason"]) == (number, "REQUESTED")
    world.step(120)
    opened(world, trader)
    with trading(trader):
        assert post(operator, "/api/trading/flatten").json()["status"] == "DONE"
    assert world.row("SELECT state FROM trading_state") == {"state": "REDUCING"}
    assert operator.get("/api/trades/open").json() == []


def test_nobody_acts(world: World, operator: httpx.Client) -> None:
    world.trader()  # one has run, and is gone
    answer = post(operator, "/api/trading/halt")
    assert (answer.status_code, answer.json()["status"]) == (202, "NEW")
    assert "no trader has acted within" in answer.json()["answer"]
    # It stays asked: the next trader's first pass does it, before it trades.
    world.trader()
    assert world.row("SELECT state FROM trading_state") == {"state": "HALTED"}


def test_a_pair_is_not_enabled_against_its_verdict(world: World, operator: httpx.Client) -> None:
    world.execute("UPDATE trading_pairs SET verdict = 'NOT_READY', verdict_reason = 'too few trades',"
                  " enabled = false, override_reason = NULL, override_by = NULL")  # fmt: skip
    with trading(world.trader()):
        answer = post(operator, "/api/pairs/EUR_USD/enable")
    assert (answer.json()["status"], "NOT READY" in answer.json()["answer"]) == ("REFUSED", True)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 501}, {"reason": "a\0b"}])
def test_without_a_reason_nothing_is_asked(world: World, operator: httpx.Client, body: dict[str, str]) -> None:
    assert operator.post("/api/trading/halt", json=body).status_code == 422
    assert world.row("SELECT count(*) AS n FROM trading_requests") == {"n": 0}


def test_a_limit_is_tightened_and_lifted_but_never_loosened(world: World, operator: httpx.Client) -> None:
    trader = world.trader()
    own = trader._settings.limits.max_open_trades

    def ask(name: str, value: float) -> tuple[str, str]:
        found = operator.post(f"/api/limits/{name}", json={"reason": "a test", "value": value}).json()
        return found["status"], found["answer"]

    with trading(trader):
        assert ask("max_open_trades", own + 1)[0] == "REFUSED"
        assert ask("cooldown_minutes", 1)[0] == "REFUSED"
        assert ask("max_open_trades", 1.5)[0] == "REFUSED"
        assert ask("max_spread_pips", 0.0001)[0] == "DONE"
    assert [one["name"] for one in operator.get("/api/limits").json()] == ["max_spread_pips"]
    world.signal()
    trader.settle()
    assert world.row("SELECT reason_code FROM trading_signals") == {"reason_code": "SPREAD_TOO_WIDE"}
    with trading(trader):
        status, text = ask("max_spread_pips", float(trader._settings.limits.max_spread_pips))
    assert (status, "as the trader's settings say" in text) == ("DONE", True)
    assert operator.post("/api/limits/max_open_trades", json={"reason": "x", "value": -1}).status_code == 422
