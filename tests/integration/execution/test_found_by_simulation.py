"""What simulated days have found, each by itself: see docs/decisions/0010."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.execution.conftest import World
from tests.support.trades import state

from sep_trader.states import ExecutionStatus


def test_an_order_whose_intent_took_too_long_to_write_is_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3: it left after the end of its signal."""
    trader = world.trader()
    signal = world.signal()
    later = trader.broker_clock.now
    intend = trader._executor._intend

    def slowly(*given: Any) -> None:
        intend(*given)
        monkeypatch.setattr(trader._executor, "_broker_time", lambda: _after(later(), minutes=5))

    monkeypatch.setattr(trader._executor, "_intend", slowly)
    trader.settle()
    row = world.row("SELECT status, reason FROM trade_executions")
    assert row["status"] == ExecutionStatus.REJECTED and "its time was over" in row["reason"]
    ended = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    assert (ended["status"], ended["reason_code"]) == ("EXPIRED", "EXPIRED")
    assert world.account()["lastTransactionID"] == "2", "nothing was sent"


def _after(moment: datetime | None, *, minutes: int) -> datetime:
    assert moment is not None
    return moment + timedelta(minutes=minutes)


def test_orders_given_up_long_ago_do_not_count_at_a_start(world: World) -> None:
    """Q4: the first pass knew no time yet, counted all of them, and turned the switch."""
    trader = world.trader()
    for number in range(3):
        signal = world.signal(minutes=number)
        world.execute(
            "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,"
            " intent_transaction_id, expected_price) SELECT id, (SELECT account_id FROM ledger_accounts), pair,"
            " 'sep-' || replace(id::text, '-', ''), 'GIVEN_UP', 1000, candle_time - interval '5 hours', 2, 1.37"
            " FROM trading_signals WHERE id = %s",
            signal,
        )
        world.execute(
            "UPDATE trading_signals SET status = 'REFUSED', reason_code = 'ORDER_NOT_FOUND' WHERE id = %s", signal
        )
    trader.close()
    world.trader()
    assert state(world) == ("ACTIVE", "tests")
    world.execute("UPDATE trade_executions SET intent_time = intent_time + interval '5 hours'")
    world.trader()
    assert state(world) == ("REDUCING", "unknown orders"), "those of the last hour do"
