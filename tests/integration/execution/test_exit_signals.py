"""An exit signal closes the trade of its model that goes the other way, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.execution.conftest import WIDE

from sep_trader.execution import switch
from sep_trader.risk.limits import RiskLimits
from sep_trader.states import SignalKind, TradingState

EXIT = SignalKind.EXIT
SMALL = RiskLimits(**WIDE, risk_per_trade=Decimal("0.0005"))
WIDE_EXITS = {"stop": "0.01000", "target": "0.01000"}


def ended(world: Any, signal: Any) -> tuple[str, str | None]:
    row = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    return row["status"], row["reason_code"]


def test_the_other_side_closes_the_trade_and_opens_none(world: Any) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(1, **WIDE_EXITS)
    trader.settle()
    assert len(world.rows("SELECT 1 FROM v_open_trades")) == 1
    world.step(60)
    # A strategy that closes by its side proposes both: in one pass, the entry meets the trade that is still open.
    turned = world.signal(-1, kind=EXIT, **WIDE_EXITS)
    entry = world.signal(-1, **WIDE_EXITS)
    trader.settle()
    assert world.rows("SELECT 1 FROM v_open_trades") == []
    closed = world.row("SELECT * FROM trade_executions")
    assert (closed["status"], closed["exit_reason"]) == ("CLOSED", "SIGNAL")
    assert ended(world, turned) == ("EXECUTED", "CLOSED")
    assert ended(world, entry) == ("REFUSED", "PAIR_BUSY")
    assert world.books_balance()


def test_the_same_side_and_no_trade_close_nothing(world: Any) -> None:
    trader = world.trader(limits=SMALL)
    nothing = world.signal(-1, kind=EXIT, **WIDE_EXITS)
    trader.settle()
    assert ended(world, nothing) == ("REFUSED", "NOTHING_TO_CLOSE")
    world.step(60)
    world.signal(1, **WIDE_EXITS)
    trader.settle()
    world.step(60)
    same = world.signal(1, kind=EXIT, **WIDE_EXITS)
    trader.settle()
    assert ended(world, same) == ("REFUSED", "NOTHING_TO_CLOSE")
    assert len(world.rows("SELECT 1 FROM v_open_trades")) == 1


def test_reducing_closes_and_halted_waits_until_it_is_over(world: Any) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(1, **WIDE_EXITS)
    trader.settle()
    with world.database.transaction() as connection:
        switch.turn(connection, TradingState.HALTED, by="me", why="a look")
    world.step(60)
    turned = world.signal(-1, kind=EXIT, **WIDE_EXITS)
    trader.settle()
    assert len(world.rows("SELECT 1 FROM v_open_trades")) == 1
    assert ended(world, turned) == ("NEW", None)
    with world.database.transaction() as connection:
        switch.turn(connection, TradingState.REDUCING, by="me", why="close what is open")
    trader.settle()
    assert world.rows("SELECT 1 FROM v_open_trades") == []
    assert ended(world, turned) == ("EXECUTED", "CLOSED")


def test_an_exit_that_came_too_late_closes_nothing(world: Any) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(1, **WIDE_EXITS)
    trader.settle()
    world.step(60)
    late = world.signal(-1, kind=EXIT, minutes=9, **WIDE_EXITS)
    trader.settle()
    assert ended(world, late) == ("EXPIRED", "EXPIRED")
    assert len(world.rows("SELECT 1 FROM v_open_trades")) == 1


@pytest.mark.parametrize("disabled", [False, True])
def test_a_trade_is_closed_by_its_signal_where_its_pair_may_trade_no_more(world: Any, disabled: bool) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(1, **WIDE_EXITS)
    trader.settle()
    if disabled:
        world.execute("UPDATE trading_pairs SET enabled = false, disabled_reason = 'a person'")
    world.step(60)
    turned = world.signal(-1, kind=EXIT, **WIDE_EXITS)
    trader.settle()
    assert ended(world, turned) == ("EXECUTED", "CLOSED")
