"""Everything that must happen without an order: exits, protection, reconciliation, and what no single fault may end.

Each test names the finding of the review whose defect it would show.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from tests.integration.execution.conftest import ACCOUNT, TOKEN, WIDE, World, by_a_person, world_at
from tests.support.waiting import wait_until

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.port import Heartbeat, Price, StreamState
from sep_trader.errors import BrokerError
from sep_trader.execution.adoption import adopt_trade
from sep_trader.execution.fence import Fence
from sep_trader.execution.journal import TwoTraders
from sep_trader.execution.trader import Trader
from sep_trader.market.clock import parse_rfc3339
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection
from sep_trader.store.database import Database

WIDE_STOP: dict[str, Any] = {"stop": "0.01000", "target": "0.02000"}


def opened(world: World, trader: Trader, **terms: Any) -> int:
    """Let a signal become a trade of 50,000 EUR_USD; return the broker's id of it."""
    world.signal(**{**WIDE_STOP, "horizon": 600, **terms})
    trader.settle()
    return int(world.row("SELECT trade_id FROM v_open_trades")["trade_id"])


def at_broker(world: World, trade_id: int) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{world.url}/v3/accounts/{ACCOUNT}/trades/{trade_id}", headers=headers)
    return dict(answer.json()["trade"])


def state(world: World) -> tuple[str, str]:
    row = world.row("SELECT state, changed_by FROM trading_state")
    return row["state"], row["changed_by"]


# -- A: money


def test_reads_that_are_slower_than_the_poll_do_not_keep_a_horizon_from_its_exit(world: World) -> None:
    """A2: with reads of 2.5 s the queue was never read, and nothing was closed."""
    trader = world.trader()
    trade_id = opened(world, trader, horizon=2)
    world.step(240)
    world.fault("delay", "GET ", seconds=2.5)
    began = time.monotonic()
    trader.once()
    assert time.monotonic() - began < 8, "a pass has a deadline"
    assert at_broker_in_state(world, trade_id) == "CLOSED", "what was seen last is closed at its end"


def at_broker_in_state(world: World, trade_id: int) -> str:
    httpx.delete(f"{world.url}/_exchange/faults").raise_for_status()
    return str(at_broker(world, trade_id)["state"])


def test_the_stop_is_counted_from_the_fill_and_the_price_is_bounded(world: World) -> None:
    """A7: the stop was fixed from the quote, and a late fill risked more than was asked for."""
    trader = world.trader()
    trade_id = opened(world, trader)
    row = world.row("SELECT * FROM trade_executions")
    assert row["stop_price"] == row["entry_price"] - Decimal("0.01")
    assert Decimal(at_broker(world, trade_id)["stopLossOrder"]["price"]) == row["stop_price"]
    assert row["price_bound"] == row["quote_ask"] + Decimal("0.001")
    assert row["quote_ask"] == row["expected_price"]
    assert row["fill_ask"] is not None
    order = world.row("SELECT raw FROM broker_transactions WHERE type = 'MARKET_ORDER'")["raw"]
    assert order["priceBound"] == str(row["price_bound"])
    assert order["positionFill"] == "OPEN_ONLY"
    assert order["stopLossOnFill"]["distance"] == "0.01000"


def test_a_price_that_has_moved_beyond_the_bound_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client()
    place = client.place
    worse = Decimal("0.9")
    monkeypatch.setattr(client, "place", lambda o: place(replace(o, price_bound=o.price_bound * worse)))
    trader = world.trader(client=client)
    signal = world.signal(**WIDE_STOP)
    trader.settle()
    row = world.row("SELECT status, reason_code, reason FROM trading_signals WHERE id = %s", signal)
    assert (row["status"], row["reason_code"]) == ("REFUSED", "PRICE_MOVED")
    assert "BOUNDS_VIOLATION" in row["reason"]


@pytest.mark.parametrize(("stop_pips", "code"), [("0.00050", "LEVERAGE_LIMIT"), ("0.00025", "STOP_TOO_CLOSE")])
def test_leverage_and_the_least_stop_are_limited(world: World, stop_pips: str, code: str) -> None:
    """A9: 27.5 times the NAV was accepted, and a stop that was all spread."""
    trader = world.trader(limits=RiskLimits(max_leverage=Decimal(9)))
    signal = world.signal(stop=stop_pips)
    trader.settle()
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == code


def test_a_stop_that_another_client_removed_is_put_back(world: World) -> None:
    """A10, and the last case of the list: it was never noticed."""
    trader = world.trader()
    trade_id = opened(world, trader)
    by_a_person(world, "PUT", f"trades/{trade_id}/orders", {"stopLoss": None})
    assert "stopLossOrder" not in at_broker(world, trade_id)
    trader.once()
    back = at_broker(world, trade_id)["stopLossOrder"]["price"]
    assert Decimal(back) == world.row("SELECT stop_price FROM trade_executions")["stop_price"]
    assert world.rows("SELECT 1 FROM system_logs WHERE event = 'protect_sent' AND message LIKE '%%no stop%%'")
    trader.settle()
    assert state(world)[0] == "ACTIVE"


def test_a_person_who_closes_a_part_and_removes_the_stop_is_seen_in_the_next_pass(world: World) -> None:
    """The last case: 10,000 of 250,000 closed, the stop removed: 240,000 are shown, an alarm, protected again."""
    trader = world.trader(limits=RiskLimits(**WIDE, risk_per_trade=Decimal("0.025")))
    trade_id = opened(world, trader)
    by_a_person(world, "PUT", f"trades/{trade_id}/close", {"units": "10000"})
    by_a_person(world, "PUT", f"trades/{trade_id}/orders", {"stopLoss": None})
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'watch', changed_by = 'Ada'")
    trader.settle()
    row = world.row("SELECT units, stop_price, seen, age_s FROM v_open_trades")
    assert (row["units"], row["stop_price"], row["seen"]) == (240_000, None, True), "the truth, while nothing is sent"
    assert row["age_s"] < 5
    assert world.rows("SELECT 1 FROM system_logs WHERE event = 'halted_with_open_trade' AND level = 'error'")
    world.execute("UPDATE trading_state SET state = 'ACTIVE'")
    world.clock.at += 1
    trader.settle()
    row = world.row("SELECT units, stop_price FROM v_open_trades")
    assert row["units"] == 240_000
    assert row["stop_price"] == world.row("SELECT stop_price FROM trade_executions")["stop_price"]


def test_a_looser_stop_is_put_back_and_a_tighter_one_stays_and_is_shown(world: World) -> None:
    """B2: the view showed the stop of the fill for ever."""
    trader = world.trader()
    trade_id = opened(world, trader)
    planned = world.row("SELECT stop_price FROM trade_executions")["stop_price"]
    tighter = planned + Decimal("0.00300")
    by_a_person(world, "PUT", f"trades/{trade_id}/orders", {"stopLoss": {"price": f"{tighter:.5f}"}})
    trader.settle()
    assert Decimal(at_broker(world, trade_id)["stopLossOrder"]["price"]) == tighter
    assert world.row("SELECT stop_price FROM v_open_trades")["stop_price"] == tighter
    looser = planned - Decimal("0.00300")
    by_a_person(world, "PUT", f"trades/{trade_id}/orders", {"stopLoss": {"price": f"{looser:.5f}"}})
    trader.settle()
    world.clock.at += 1
    trader.settle()
    assert Decimal(at_broker(world, trade_id)["stopLossOrder"]["price"]) == planned


def test_one_bad_time_on_a_stream_closes_nothing_and_expires_nothing(world: World) -> None:
    """A11: a price stream two hours ahead closed everything, and every signal was too old until then."""
    trader = world.trader()
    opened(world, trader, horizon=60)
    ahead = world.now() + timedelta(hours=2)
    trader.newest.put(Heartbeat(ahead))
    trader.newest.put(Price("EUR_USD", ahead, Decimal("1.3700"), Decimal("1.3701"), True))
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "OPEN"
    assert abs((trader.broker_clock.now() or ahead) - world.now()) < timedelta(seconds=10)


def test_a_clock_that_rest_tells_wrong_moves_nothing_until_it_is_confirmed(world: World) -> None:
    trader = world.trader()
    opened(world, trader, horizon=60)
    world.fault("clock_skew", "GET pricing", seconds=7200)
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "OPEN"
    assert world.rows("SELECT 1 FROM system_logs WHERE event = 'implausible_time'")


# -- B: the truth


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


def test_a_horizon_in_the_weekend_is_tried_once_warned_of_once_and_met_at_the_open(database: Database) -> None:
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
        assert world.row(orders)["n"] == 1
        assert world.row("SELECT count(*) AS n FROM system_logs WHERE event = 'close_failed'")["n"] == 1
        assert "MARKET_HALTED" in world.row("SELECT message FROM system_logs WHERE event = 'close_failed'")["message"]
        span = (parse_rfc3339("2014-05-04T20:58:00Z") - world.now()).total_seconds()
        world.step(span)
        for _ in range(20):
            trader.settle()
            if world.row("SELECT status FROM trade_executions")["status"] == "CLOSED":
                break
            assert world.row(orders)["n"] == 1
            world.step(60)
        row = world.row("SELECT exit_reason, exit_time FROM trade_executions")
        assert row["exit_reason"] == "HORIZON"
        assert row["exit_time"] < parse_rfc3339("2014-05-04T21:12:00Z")
        assert world.row(orders)["n"] == 2


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


# -- C: nothing dies of one thing


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


# -- D: what wears people out


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
