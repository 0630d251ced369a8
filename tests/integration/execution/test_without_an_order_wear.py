"""Everything that must happen without an order: D, what wears people out.

Each test names the finding whose defect it would show.
"""

import threading
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from tests.integration.execution.conftest import ACCOUNT, WIDE, World, by_a_person
from tests.support.trades import WIDE_STOP, at_broker, opened, state

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.port import Price
from sep_trader.errors import BrokerError
from sep_trader.execution.adoption import adopt_trade
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection


@pytest.mark.parametrize(
    ("before", "after"),
    [("OPEN", "INTENT"), ("CLOSED", "OPEN"), ("OPEN", "REJECTED"), ("OPEN", "UNKNOWN"), ("CLOSED", "INTENT")],
)
def test_the_database_takes_no_step_back(world: World, before: str, after: str) -> None:
    """D10: any jump was accepted."""
    trader = world.trader()
    opened(world, trader, horizon=2)
    if before == "CLOSED":
        world.step(240)
        trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == before
    with pytest.raises(psycopg.errors.CheckViolation, match=f"does not go from {before} to {after}"):
        world.execute("UPDATE trade_executions SET status = %s", after)
    with pytest.raises(psycopg.errors.CheckViolation, match="does not go from EXECUTED to NEW"):
        world.execute("UPDATE trading_signals SET status = 'NEW', reason_code = NULL")


def test_unknown_orders_turn_the_switch(world: World) -> None:
    """D3: five in a row tripped nothing."""
    trader = world.trader()
    world.fault("drop_before", "POST orders")
    for _ in range(3):
        world.signal(**WIDE_STOP)
        trader.settle()
        world.step(240)
        trader.settle()
    assert world.row("SELECT count(*) AS n FROM trade_executions WHERE status = 'GIVEN_UP'")["n"] == 3
    assert state(world) == ("REDUCING", "unknown orders")


def test_after_an_order_whose_end_nobody_knows_no_other_is_sent_in_that_pass(world: World) -> None:
    trader = world.trader()
    world.fault("drop_before", "POST orders", times=1)
    world.execute(
        "INSERT INTO trading_pairs SELECT 'NZD_USD', enabled, model_id, verdict, verdict_reason, judged_at,"
        " override_by, override_reason FROM trading_pairs"
    )
    trader.settle()
    first = world.signal(**WIDE_STOP)
    world.execute(
        "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at) SELECT gen_random_uuid(), 'NZD_USD', model_id, granularity,"
        " candle_time, side, confidence, metrics, stop_distance, horizon, expires_at"
        " FROM trading_signals WHERE id = %s",
        first,
    )
    trader.once()
    assert [r["pair"] for r in world.rows("SELECT pair FROM trade_executions")] == ["EUR_USD"]
    trader.settle()
    assert len(world.rows("SELECT 1 FROM trade_executions")) == 2


def test_a_loss_limit_may_flatten(world: World) -> None:
    trips = {**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN}
    limits = RiskLimits(**WIDE, max_daily_loss=Decimal("0.00001"))
    trader = world.trader(limits=limits, consequences=trips)
    world.signal(**WIDE_STOP, horizon=600)
    trader.settle()
    world.clock.at += 1
    trader.settle()
    assert state(world) == ("REDUCING", "daily loss limit")
    assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "FLATTENED"
    asked = world.row("SELECT kind, requested_by, status FROM trading_requests")
    assert asked == {"kind": "flatten", "requested_by": "daily loss limit", "status": "DONE"}


def test_a_turn_that_the_database_did_not_take_counts_at_once_and_is_written_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = world.trader()
    opened(world, trader)
    world.execute("UPDATE trade_executions SET open_units = open_units + 7")
    with monkeypatch.context() as patched:
        patched.setattr("sep_trader.execution.switch.halt", lambda *_, **__: (_ for _ in ()).throw(BrokerError("no")))
        trader.once()
    assert state(world)[0] == "ACTIVE"
    world.execute("UPDATE trade_executions SET open_units = open_units - 7")
    signal = world.signal(minutes=1)
    trader.once()
    assert state(world) == ("HALTED", "books in doubt")
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == "TRADING_HALTED"


def test_a_persons_trade_is_shown_left_alone_and_taken_over_by_command(world: World) -> None:
    """D5: no adopt."""
    body = {"type": "MARKET", "instrument": "EUR_USD", "units": "-700", "timeInForce": "FOK"}
    made = by_a_person(world, "POST", "orders", {"order": body})
    trade_id = int(made["orderFillTransaction"]["tradeOpened"]["tradeID"])
    trader = world.trader()
    shown = world.row("SELECT trade_id, pair, side, units, owner FROM v_persons_trades")
    assert shown == {"trade_id": trade_id, "pair": "EUR_USD", "side": "SELL", "units": -700, "owner": "person"}
    assert "stopLossOrder" not in at_broker(world, trade_id)
    taken = adopt_trade(
        world.database,
        world.client(),
        trade_id,
        stop_pips=Decimal(20),
        horizon=timedelta(minutes=5),
        by="Ada",
        why="mine",
    )
    trader.settle()
    assert world.rows("SELECT 1 FROM v_persons_trades") == []
    row = world.row("SELECT * FROM v_open_trades")
    assert (row["trade_id"], row["units"], row["horizon_at"]) == (trade_id, -700, taken.horizon_at)
    entry = Decimal(at_broker(world, trade_id)["price"])
    assert Decimal(at_broker(world, trade_id)["stopLossOrder"]["price"]) == entry + Decimal("0.00200")
    world.step(420)
    trader.settle()
    assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "HORIZON"
    assert state(world)[0] == "ACTIVE"


def test_marks_that_another_client_wrote_over_are_written_again(world: World) -> None:
    trader = world.trader()
    trade_id = opened(world, trader)
    before = at_broker(world, trade_id)["clientExtensions"]
    assert before["tag"].startswith("sep:")
    extensions = {"clientExtensions": {"id": "mine", "tag": "notes", "comment": "x"}}
    by_a_person(world, "PUT", f"trades/{trade_id}/clientExtensions", extensions)
    trader.settle()
    assert at_broker(world, trade_id)["clientExtensions"] == before
    assert state(world)[0] == "ACTIVE"


def test_prices_ask_nothing_of_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """D2: HALTED with a trade past its horizon, each price was a query."""
    trader = world.trader()
    opened(world, trader, horizon=2)
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'lunch', changed_by = 'Ada'")
    world.step(240)
    trader.settle()
    asked: list[int] = []
    monkeypatch.setattr(trader._database, "transaction", lambda: asked.append(1))
    for number in range(300):
        at = world.now() if number == 0 else trader.broker_clock.now()
        assert at is not None
        trader.newest.put(Price("EUR_USD", at, Decimal("1.3700"), Decimal("1.3701"), True))
    assert asked == []
    assert not trader.wake.event.is_set(), "a price wakes nobody"


def test_booking_a_close_reads_no_history(world: World) -> None:
    """D8: 213 ms with 400,000 signals, since each close computed the daily figures from all of them."""
    reads = "SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_user_tables WHERE relname = 'trading_signals'"
    trader = world.trader()
    opened(world, trader, horizon=2)
    world.execute(
        "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at, status, reason_code) SELECT gen_random_uuid(), pair, model_id,"
        " granularity, candle_time - n * interval '1 minute', side, confidence, metrics, stop_distance, horizon,"
        " expires_at, 'REFUSED', 'PAIR_BUSY' FROM trading_signals CROSS JOIN generate_series(1, 5000) AS n"
        " WHERE status = 'EXECUTED'"
    )
    world.step(240)
    world.execute("SELECT pg_stat_force_next_flush()")
    before = world.row(reads)["n"]
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "CLOSED"
    trader._database.close()
    time.sleep(1.2)
    assert world.row(reads)["n"] - before < 200
    day = world.row(
        "SELECT sum(trades) AS trades, sum(signals) AS signals, sum(net_pl) AS net FROM performance_metrics"
    )
    assert (day["trades"], day["signals"]) == (1, 5001)
    assert day["net"] == world.row("SELECT net_pl FROM trade_executions")["net_pl"]


def test_many_signals_are_decided_on_one_look(world: World) -> None:
    """D11: three reads for each of 28 signals, although the limit was certain."""
    calls: list[str] = []
    client = world.client()
    trader = world.trader(client=client, limits=RiskLimits(max_open_trades=0))
    transport: Any = client._transport
    send = transport._send

    def counted(method: str, url: str, **named: Any) -> Any:
        calls.append(url)
        return send(method, url, **named)

    transport._send = counted
    for minutes in (0, 1):
        world.signal(minutes=minutes, **WIDE_STOP)
    world.execute(
        "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at) SELECT gen_random_uuid(), pair, model_id, granularity,"
        " candle_time - n * interval '1 second', side, confidence, metrics, stop_distance, horizon, expires_at"
        " FROM trading_signals CROSS JOIN generate_series(1, 13) AS n"
    )
    trader.once()
    ended = world.rows("SELECT reason_code, count(*) AS n FROM trading_signals GROUP BY 1")
    assert ended == [{"reason_code": "MAX_OPEN_TRADES", "n": 28}]
    assert len(calls) == 2, calls


def test_a_signal_is_decided_on_a_look_that_is_a_moment_old(world: World) -> None:
    """The reads before an order were three in a row: with fresh streams there is none."""
    calls: list[str] = []
    client = world.client()
    send = client._transport._send

    def counted(method: str, url: str, **named: Any) -> Any:
        calls.append(f"{method} {url.rsplit('/', 1)[-1]}")
        return send(method, url, **named)

    trader = world.trader(client=client)
    transport: Any = client._transport
    transport._send = counted
    quote = client.pricing(["EUR_USD"]).prices[0]
    trader.once()
    calls.clear()
    trader.newest.put(quote)
    signal = world.signal(**WIDE_STOP)
    trader.once(signal=True)
    assert calls == ["POST orders"]
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "EXECUTED"
    calls.clear()
    later = world.signal(minutes=1, **WIDE_STOP)
    world.clock.at += 3
    trader.once(signal=True)
    assert "GET pricing" in calls, "what is older is looked at again"
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", later)["reason_code"] == "PAIR_BUSY"


def test_the_outcome_of_an_order_that_left_no_trace_is_written_from_the_answer(world: World) -> None:
    trader = world.trader()
    world.fault("rate_limited", "POST orders", times=1)
    signal = world.signal(**WIDE_STOP)
    trader.settle()
    row = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    assert row == {"status": "REFUSED", "reason_code": "NOT_SENT"}
    assert world.row("SELECT status FROM trade_executions")["status"] == "REJECTED"


def test_closing_four_trades_side_by_side(world: World) -> None:
    client: OandaClient = world.client()
    gate = threading.Barrier(2, timeout=5)
    close = client.close_trade

    def together(trade_id: int, units: Decimal | None = None) -> Any:
        gate.wait()
        return close(trade_id, units)

    trader = world.trader(client=client)
    for units in ("-700", "-800"):
        body = {"type": "MARKET", "instrument": "EUR_USD", "units": units, "timeInForce": "FOK"}
        by_a_person(world, "POST", "orders", {"order": body})
    world.execute(
        "INSERT INTO trading_requests (kind, account_id, everything, requested_by, reason)"
        " VALUES ('flatten', %s, true, 'Ada', 'test')",
        ACCOUNT,
    )
    client.close_trade = together  # type: ignore[method-assign]
    trader.settle()
    assert world.account()["openTradeCount"] == 0
    assert world.row("SELECT status FROM trading_requests")["status"] == "DONE"


def test_what_a_call_returns_that_does_not_end_in_time(world: World) -> None:
    trader = world.trader()
    trade_id = opened(world, trader, horizon=2)
    world.step(240)
    world.fault("stall", "PUT trades", seconds=60, times=1)
    began = time.monotonic()
    trader.once()
    assert time.monotonic() - began < 10
    trader.settle()
    assert at_broker(world, trade_id)["state"] == "CLOSED"
    assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "HORIZON"
