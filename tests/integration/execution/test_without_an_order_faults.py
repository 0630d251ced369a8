"""Everything that must happen without an order: C, nothing dies of one thing.

Each test names the finding whose defect it would show.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from tests.integration.execution.conftest import World, by_a_person
from tests.support.trades import WIDE_STOP, at_broker, opened
from tests.support.waiting import wait_until

from sep_trader.errors import BrokerError
from sep_trader.execution.fence import Fence
from sep_trader.execution.journal import TwoTraders
from sep_trader.execution.trader import Trader
from sep_trader.store.database import Database


@contextmanager
def frozen(database: Database) -> Iterator[None]:
    """The database server stops: it neither answers nor ends its connections."""
    with psycopg.connect(database.url) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
        assert postmaster is not None
        stopped = [postmaster, *postmaster.children()]
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in reversed(stopped):
            with suppress(psutil.NoSuchProcess):
                process.resume()


def test_a_database_that_hangs_does_not_keep_a_trade_from_its_exit(world: World) -> None:
    """C2: 35 s past its horizon, and nothing on standard error."""
    with Database(world.database.url, timeout_s=1.0, deadline_s=1.0) as own:
        trader = Trader(own, world.client(), world.trader(look=False)._settings, clock=world.clock)
        world.traders.append(trader)
        trader.settle()
        trade_id = opened(world, trader, horizon=2)
        world.step(240)
        with frozen(world.database):
            began = time.monotonic()
            trader.once()
            assert time.monotonic() - began < 10
            assert at_broker(world, trade_id)["state"] == "CLOSED"
            began = time.monotonic()
            trader.once()
            assert time.monotonic() - began < 10, "no row is waited for"
        wait_until(lambda: not trader.settle().unseen, 20)
        row = world.row("SELECT status, exit_reason FROM trade_executions")
        assert row == {"status": "CLOSED", "exit_reason": "HORIZON"}
        assert world.books_balance()


def test_a_fresh_process_without_a_database_protects_and_closes_by_the_marks(world: World) -> None:
    first = world.trader()
    trade_id = opened(world, first, horizon=5)
    by_a_person(world, "PUT", f"trades/{trade_id}/orders", {"stopLoss": None})
    dead = Database("postgresql://nobody@127.0.0.1:1/none", timeout_s=0.2, deadline_s=0.2, probe=False)
    second = Trader(dead, world.client(), first._settings, clock=world.clock)
    world.traders.append(second)
    second.once()
    assert "stopLossOrder" in at_broker(world, trade_id)
    world.step(400)
    second.once()
    assert at_broker(world, trade_id)["state"] == "CLOSED"
    dead.close()


@pytest.mark.parametrize("kind", ["unauthorized", "bad_gateway", "rate_limited", "truncated"])
def test_a_bad_answer_to_a_read_is_a_fault_and_not_an_end(world: World, kind: str) -> None:
    """C4: one 401 ended the process."""
    trader = world.trader()
    world.fault(kind, "GET ", times=8)
    assert trader.once().unseen
    httpx.delete(f"{world.url}/_exchange/faults").raise_for_status()
    wait_until(lambda: not trader.once().unseen, 10)
    signal = world.signal(**WIDE_STOP)
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "EXECUTED"


def test_an_odd_answer_raises_nothing_out_of_the_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client()
    trader = world.trader(client=client)
    for error in (BrokerError("OANDA refused GET: HTTP 302"), KeyError("account"), RuntimeError("odd")):
        with monkeypatch.context() as patched:
            patched.setattr(client, "snapshot", lambda error=error: (_ for _ in ()).throw(error))
            assert "account" in trader.once().unseen
    assert not trader.once().unseen


def test_a_run_goes_on_after_an_error_that_nobody_thought_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = world.trader()
    look, failed, passes = trader._observer.look, [], []

    def odd(*given: Any, **named: Any) -> Any:
        passes.append(1)
        if len(passes) == 2:
            failed.append(1)
            raise RuntimeError("nobody thought of it")
        return look(*given, **named)

    monkeypatch.setattr(trader._observer, "look", odd)
    trader.run(lambda: len(passes) >= 4)
    assert failed == [1]
    assert len(passes) == 4


def test_a_lost_lock_is_taken_again_or_ends_the_loser_before_it_acts(world: World) -> None:
    """C6: two traders lived side by side."""
    fence, rival = Fence(world.database), Fence(world.database)
    given = world.trader(look=False)._settings
    trader = Trader(world.database, world.client(), given, clock=world.clock, take_lock=fence.take)
    world.traders.append(trader)
    trader.settle()
    held = trader._executor.lock_pid
    world.execute("SELECT pg_terminate_backend(%s)", held)
    trader.settle()
    assert trader._executor.lock_pid not in (None, held)
    world.execute("SELECT pg_terminate_backend(%s)", trader._executor.lock_pid)
    wait_until(lambda: rival.take() is not None)
    signal = world.signal(**WIDE_STOP)
    with pytest.raises(TwoTraders, match="another trader runs on this database"):
        trader.once()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "NEW"
    assert world.account()["openTradeCount"] == 0
    rival.close()
    fence.close()


def test_an_intent_is_not_committed_without_the_lock(world: World) -> None:
    fence = Fence(world.database)
    given = world.trader(look=False)._settings
    trader = Trader(world.database, world.client(), given, clock=world.clock, take_lock=fence.take)
    world.traders.append(trader)
    trader.settle()
    world.signal(**WIDE_STOP)
    trader._executor.lock_pid = 1  # lost between the look and the order
    with pytest.raises(TwoTraders):
        trader.once()
    assert world.rows("SELECT 1 FROM trade_executions") == []
    fence.close()
