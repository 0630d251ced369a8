"""Everything that must happen without an order: B, the truth of what is shown and booked.

Each test names the finding whose defect it would show.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.execution.conftest import WIDE, World, by_a_person, world_at
from tests.support.trades import WIDE_STOP, opened, state

from sep_trader.broker.port import Price, StreamState
from sep_trader.market.clock import parse_rfc3339
from sep_trader.risk.limits import RiskLimits
from sep_trader.store.database import Database


def test_the_orders_of_another_account_are_named_and_halt(world: World) -> None:
    """B3: a changed account left a trade behind that nobody managed, without a word."""
    trader = world.trader()
    opened(world, trader)
    world.execute("UPDATE trade_executions SET account_id = '101-001-0000009-001'")
    trader.settle()
    assert state(world) == ("HALTED", "foreign account")
    assert "101-001-0000009-001" in world.row("SELECT reason FROM trading_state")["reason"]


def test_an_account_that_began_anew_halts_and_is_not_booked(world: World) -> None:
    """B5: it was continued as if it were the same."""
    trader = world.trader()
    world.execute("UPDATE broker_accounts SET created_time = created_time - interval '1 day'")
    trader.settle()
    assert state(world) == ("HALTED", "account begun anew")


def test_a_persons_halt_stays_whatever_a_protection_wants(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """B6: the daily loss turned a person's HALTED to REDUCING in a race."""
    trader = world.trader(limits=RiskLimits(**WIDE, max_daily_loss=Decimal("0.00001")))
    opened(world, trader)
    world.execute("UPDATE trading_state SET state = 'ACTIVE', changed_by = 'Ada', reason = 'go'")
    carry = trader._executor.carry_out

    def halted_meanwhile(*given: Any) -> Any:
        world.execute("UPDATE trading_state SET state = 'HALTED', changed_by = 'Ada', reason = 'I look at it'")
        return carry(*given)

    monkeypatch.setattr(trader._executor, "carry_out", halted_meanwhile)
    trader.once()
    assert state(world) == ("HALTED", "Ada")


def test_no_intent_is_committed_after_a_halt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = world.trader()
    signal = world.signal(**WIDE_STOP)
    carry = trader._executor.carry_out

    def halted_meanwhile(*given: Any) -> Any:
        world.execute("UPDATE trading_state SET state = 'HALTED', changed_by = 'Ada', reason = 'I look at it'")
        return carry(*given)

    monkeypatch.setattr(trader._executor, "carry_out", halted_meanwhile)
    trader.settle()
    assert world.rows("SELECT 1 FROM trade_executions") == []
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == "TRADING_HALTED"


def test_who_closed_is_told_by_the_closing_order_and_not_by_the_clock(world: World) -> None:
    """B7: a person's close after the horizon was booked HORIZON."""
    trader = world.trader()
    trade_id = opened(world, trader, horizon=2)
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'lunch', changed_by = 'Ada'")
    world.step(240)
    trader.settle()
    by_a_person(world, "PUT", f"trades/{trade_id}/close", {"units": "ALL"})
    trader.settle()
    assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "MANUAL"


def test_a_close_whose_answer_is_lost_is_ours_all_the_same(world: World) -> None:
    trader = world.trader()
    opened(world, trader, horizon=2)
    world.step(240)
    world.fault("drop_after", "PUT trades", times=1)
    trader.settle()
    row = world.row("SELECT status, exit_reason, closing_order_id FROM trade_executions")
    assert row == {"status": "CLOSED", "exit_reason": "HORIZON", "closing_order_id": None}
    line = world.row("SELECT context FROM system_logs WHERE event = 'trade_closed'")
    assert line["context"]["answer"] == "lost"


def test_two_databases_on_one_account_are_noticed(world: World, new_database: Any) -> None:
    """B8: both claimed the same trade, and neither said a word."""
    trader = world.trader()
    opened(world, trader)
    with new_database() as other:
        second = World(other, world.url)
        from tests.integration.execution.conftest import enable

        enable(second)
        second.execute("UPDATE system_config SET value = to_jsonb('another'::text) WHERE key = 'database_id'")
        try:
            second.trader()
            assert state(second) == ("HALTED", "two databases")
        finally:
            for one in second.traders:
                one.close()
            for client in second.clients:
                client.close()


def test_a_horizon_in_the_weekend_is_warned_of_once_and_met_at_the_open(database: Database) -> None:
    """B9, D1, and the case of the list: an order every 5 s all weekend, and no line that it failed."""
    orders = "SELECT count(*) AS n FROM broker_transactions WHERE raw->>'reason' = 'TRADE_CLOSE'"
    with world_at(database, "2014-05-02T20:45:00Z") as world:
        trader = world.trader()
        opened(world, trader, horizon=25)
        assert world.row("SELECT horizon_at FROM trade_executions")["horizon_at"].isoformat() == (
            "2014-05-02T21:10:00+00:00"
        )
        for _ in range(10):
            world.step(180)
            trader.settle()
        assert world.row(orders)["n"] == 0, "the broker says that the market is closed: nothing is sent to it"
        told = world.row("SELECT message FROM system_logs WHERE event = 'exit_waits'")["message"]
        assert "when the market of EUR_USD opens: it has reached its horizon" in told
        span = (parse_rfc3339("2014-05-04T20:58:00Z") - world.now()).total_seconds()
        world.step(span)
        for _ in range(20):
            trader.settle()
            if world.row("SELECT status FROM trade_executions")["status"] == "CLOSED":
                break
            assert world.row(orders)["n"] == 0
            world.step(60)
        row = world.row("SELECT exit_reason, exit_time FROM trade_executions")
        assert row["exit_reason"] == "HORIZON"
        assert row["exit_time"] < parse_rfc3339("2014-05-04T21:12:00Z")
        assert world.row(orders)["n"] == 1


def test_a_fill_without_a_client_id_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """B10: an orphan until the next start."""
    client = world.client()
    read = client.transactions_since

    def stripped(since: int) -> Any:
        found = read(since)
        items = tuple(
            replace(t, event=replace(t.event, client_id=None)) if t.type == "ORDER_FILL" else t  # type: ignore[arg-type]
            for t in found.items
        )
        return replace(found, items=items)

    monkeypatch.setattr(client, "transactions_since", stripped)
    trader = world.trader(client=client)
    signal = world.signal(**WIDE_STOP)
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "EXECUTED"
    assert world.row("SELECT status FROM v_open_trades")["status"] == "OPEN"


def test_the_age_of_a_price_grows_while_the_streams_stand(world: World) -> None:
    """B11: it was measured against a clock that stood as well."""
    trader = world.trader()
    trader.newest.put(Price("EUR_USD", world.now(), Decimal("1.3700"), Decimal("1.3701"), True))
    world.clock.at += 40
    world.fault("bad_gateway", "GET pricing")
    trader.once()
    details = world.row("SELECT details FROM component_status WHERE component = 'trader'")["details"]
    assert details["price_age_s"] == pytest.approx(40, abs=1)
    assert details["stream_age_s"] == 40
    assert "pricing" in details["unseen"]


def test_what_streams_lose_and_find_is_told(world: World) -> None:
    trader = world.trader()
    trader.newest.put(StreamState("prices", connected=True))
    trader.newest.put(StreamState("prices", connected=False, cause="silence"))
    trader.once()
    events = [r["event"] for r in world.rows("SELECT event FROM system_logs WHERE event LIKE 'stream_%%' ORDER BY id")]
    assert events == ["stream_connected", "stream_lost"]
