"""The trader against a real exchange over HTTP and a real database."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from tests.integration.execution.conftest import ACCOUNT, TOKEN, WIDE, by_a_person, told
from tests.support.waiting import wait_until

from sep_trader.ledger.transactions import Fill, FillCause, TradePart
from sep_trader.risk.limits import RiskLimits
from sep_trader.store.migrations import migrate

SMALL = RiskLimits(**WIDE, risk_per_trade=Decimal("0.0005"))
"""Sizes that the first bucket of the book fills, however close the stop is."""


def minute(world: Any, trader: Any) -> None:
    """Let a minute pass at the exchange and in the trader's life."""
    world.step(60)
    trader.settle()


def test_a_signal_becomes_a_trade_with_its_exits_and_ends_at_its_horizon(world: Any) -> None:
    trader = world.trader()
    signal = world.signal(horizon=5, stop="0.01000", target="0.01000")
    trader.settle()
    (row,) = world.rows("SELECT * FROM v_open_trades")
    assert (row["pair"], row["side"], row["status"]) == ("EUR_USD", "BUY", "OPEN")
    assert row["stop_price"] == row["entry_price"] - Decimal("0.01")
    # 0.5 % of 100,000 lost over 0.01000 is 50,000 units.
    assert row["units"] == 50_000
    # Five minutes after the end of the signal's candle, not after the fill.
    candle = world.row("SELECT candle_time FROM trading_signals")["candle_time"]
    assert row["horizon_at"] == candle + timedelta(minutes=1 + 5)
    for _ in range(7):
        minute(world, trader)
    closed = world.row("SELECT * FROM trade_executions")
    assert (closed["status"], closed["exit_reason"]) == ("CLOSED", "HORIZON")
    assert row["horizon_at"] <= closed["exit_time"] <= row["horizon_at"] + timedelta(minutes=1)
    assert world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal) == {
        "status": "EXECUTED", "reason_code": "FILLED",
    }  # fmt: skip
    assert world.books_balance()
    day = world.row("SELECT * FROM performance_metrics")
    assert (day["trades"], day["net_pl"]) == (1, closed["net_pl"])


def test_a_horizon_comes_without_any_stream(world: Any) -> None:
    """Finding A1: ticks alone closed nothing while REST was well."""
    trader = world.trader()
    world.signal(horizon=2, stop="0.01000", target="0.01000")
    trader.settle()
    assert len(world.rows("SELECT 1 FROM v_open_trades")) == 1
    for _ in range(4):
        world.step(60)
        trader.settle()
    closed = world.row("SELECT status, exit_reason FROM trade_executions")
    assert closed == {"status": "CLOSED", "exit_reason": "HORIZON"}
    assert world.books_balance()


def test_a_signal_from_before_the_exit_of_its_pair_is_refused(world: Any) -> None:
    """Exits come first, as in a backtest: what was seen while the trade was open is not traded after it."""
    trader = world.trader()
    world.signal(horizon=2, stop="0.01000", target="0.01000")
    trader.settle()
    for _ in range(4):
        minute(world, trader)
    exit_time = world.row("SELECT exit_time FROM trade_executions")["exit_time"]
    late = world.signal(minutes=2)
    candle = world.row("SELECT candle_time FROM trading_signals WHERE id = %s", late)["candle_time"]
    assert candle + timedelta(minutes=1) <= exit_time
    world.execute("UPDATE trading_signals SET expires_at = %s WHERE id = %s", world.now() + timedelta(hours=1), late)
    trader.settle()
    ended = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", late)
    assert ended == {"status": "REFUSED", "reason_code": "PAIR_BUSY"}
    world.step(60)
    fresh = world.signal()
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", fresh) == {"status": "EXECUTED"}


@pytest.mark.parametrize(
    ("column", "value"), [("stop_distance", "NaN"), ("target_distance", "Infinity"), ("granularity", "M7")]
)
def test_a_poisoned_signal_ends_alone(world: Any, column: str, value: str) -> None:
    """Finding C5: one such row was a crash loop that kept every other signal, and every exit, waiting."""
    trader = world.trader()
    poisoned, sound = world.signal(minutes=1), world.signal()
    # As rows of an earlier time may be: the schema takes no new ones.
    world.execute("ALTER TABLE trading_signals DROP CONSTRAINT IF EXISTS trading_signals_finite")
    world.execute(f"UPDATE trading_signals SET {column} = %s WHERE id = %s", value, poisoned)
    trader.settle()
    ended = world.row("SELECT status, reason_code, reason FROM trading_signals WHERE id = %s", poisoned)
    assert (ended["status"], ended["reason_code"]) == ("REFUSED", "BAD_SIGNAL")
    assert value in ended["reason"]
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", sound) == {"status": "EXECUTED"}


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("trading_pairs", "account = '5'"),
        ("trading_pairs", """account = '{"threshold": "x", "e_forward": "NaN", "candles_until": 7, "promise": 3}'"""),
        ("trading_pairs", """account = '{"e_forward": 1e400, "promise": {"edge_r": "y", "since": "z"}}'"""),
        ("trading_pairs", "reasons = '7', judged_at = 'infinity', decayed_at = '-infinity', enabled_at = 'infinity'"),
        ("trading_pairs", "verdict = 'MAYBE', verdict_reason = NULL"),
        ("trading_pairs", "pair = '<img src=x>'"),
        ("models", "artifact = '[]', granularity = 'M7'"),
        ("models", """artifact = '{"costs": {"spread": {"source": "guessed"}}}'"""),
        ("models", "artifact = '7', pair = 'nonsense'"),
        ("trading_signals", "candle_time = 'infinity', expires_at = 'infinity'"),
        ("trading_signals", "horizon = '100000000 years', metrics = '[1]'"),
    ],
)
def test_a_poisoned_row_stops_nothing_else(world: Any, table: str, change: str) -> None:
    """Of a pair, a model or a signal that somebody wrote behind the program's back."""
    trader = world.trader()
    world.execute("INSERT INTO models SELECT 'another', 'USD_JPY', granularity, run_id, artifact FROM models LIMIT 1")
    world.execute(
        "INSERT INTO trading_pairs (pair, enabled, model_id, verdict) VALUES ('USD_JPY', true, 'another', 'READY')"
    )
    world.execute(
        "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at, status, reason_code) VALUES (gen_random_uuid(), 'USD_JPY', 'another',"
        " 'M1', now(), 1, 0.5, '{}', 0.1, '1 hour', now(), 'REFUSED', 'PAIR_BUSY')"
    )
    for name in ("trading_pairs_pair", "trading_pairs_time", "trading_pairs_verdict_check", "trading_pairs_check"):
        world.execute(f"ALTER TABLE trading_pairs DROP CONSTRAINT IF EXISTS {name}")
    world.execute("ALTER TABLE trading_signals DROP CONSTRAINT IF EXISTS trading_signals_finite")
    key = "id" if table == "models" else "pair"
    world.execute(f"UPDATE {table} SET {change} WHERE {key} = %s", "another" if key == "id" else "USD_JPY")
    sound = world.signal()
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", sound) == {"status": "EXECUTED"}
    assert world.row("SELECT state FROM trading_state") == {"state": "ACTIVE"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("stop_distance", "NaN"),
        ("stop_distance", "Infinity"),
        ("target_distance", "NaN"),
        ("horizon", "100000 years"),
        ("horizon", "-1 hour"),
        ("candle_time", "20000-01-01 00:00+00"),
    ],
)
def test_the_schema_takes_no_signal_that_cannot_be_traded(world: Any, column: str, value: str) -> None:
    signal = world.signal()
    with pytest.raises(psycopg.errors.CheckViolation, match="trading_signals_finite"):
        world.execute(f"UPDATE trading_signals SET {column} = %s WHERE id = %s", value, signal)


def test_an_order_does_not_net_a_trade_that_a_person_opened_meanwhile(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding A5: between our look and our order a person sold 80,000, and our 50,000 took a part of it away."""
    client = world.client()
    place = client.place

    def late(order: Any) -> Any:
        body = {"type": "MARKET", "instrument": "EUR_USD", "units": "-80000", "timeInForce": "FOK"}
        by_a_person(world, "POST", "orders", {"order": body})
        return place(order)

    monkeypatch.setattr(client, "place", late)
    trader = world.trader(client=client)
    signal = world.signal(stop="0.01000")
    trader.settle()
    row = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    assert row["status"] == "REFUSED"
    trades = httpx.get(
        f"{world.url}/v3/accounts/{ACCOUNT}/openTrades", headers={"Authorization": f"Bearer {TOKEN}"}
    ).json()["trades"]
    assert [trade["currentUnits"] for trade in trades] == ["-80000"]
    assert world.row("SELECT status FROM trade_executions") == {"status": "REJECTED"}


def test_open_units_are_what_a_partial_close_leaves(world: Any) -> None:
    """Finding B1."""
    trader = world.trader()
    world.signal(stop="0.01000", target="0.01000", horizon=600)
    trader.settle()
    (row,) = world.rows("SELECT * FROM v_open_trades")
    by_a_person(world, "PUT", f"trades/{row['trade_id']}/close", {"units": "20000"})
    trader.settle()
    (row,) = world.rows("SELECT units, status FROM v_open_trades")
    assert row == {"units": 30_000, "status": "OPEN"}


def test_the_daily_loss_acts_without_a_signal(world: Any) -> None:
    """Finding A4: equity was below the limit, and the switch stayed ACTIVE until the next signal."""
    trader = world.trader(limits=RiskLimits(**WIDE, risk_per_trade=Decimal("0.0005"), max_daily_loss=Decimal("0.0001")))
    # 50 at risk over 3 pips are 166,666 units: the spread alone is more than 10.
    world.signal(stop="0.00030", target="0.02000", horizon=600)
    trader.settle()
    assert world.row("SELECT state, changed_by FROM trading_state") == {
        "state": "REDUCING", "changed_by": "daily loss limit",
    }  # fmt: skip


def test_a_frozen_answer_does_not_tell_its_own_age(world: Any) -> None:
    """Finding A8: a quote's age is measured by the broker's clock, which goes on by itself."""
    trader = world.trader()
    world.fault("stale_price", "GET pricing", seconds=100)
    signal = world.signal()
    trader.settle()
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == "STALE_PRICE"


def test_a_margin_closeout_turns_the_switch(world: Any) -> None:
    """Finding A3: most of the balance was gone, and trading went on."""
    trader = world.trader()
    world.signal(stop="0.01000", horizon=600)
    trader.settle()
    trade_id = world.row("SELECT trade_id FROM trade_executions")["trade_id"]
    part = TradePart(trade_id, Decimal(-50_000), Decimal("1.36"), Decimal(-500), Decimal(0), Decimal(0), Decimal(0))
    fill = Fill(
        order_id=99, client_id=None, cause=FillCause.MARGIN_CLOSEOUT, gross_pl=Decimal(-500), financing=Decimal(0),
        fees=Decimal(0), opened=None, closed=(part,), reduced=None, instrument="EUR_USD",
    )  # fmt: skip
    told(world, trader, fill, "-500")
    assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "MARGIN_CLOSEOUT"
    state = world.row("SELECT state, changed_by, reason FROM trading_state")
    assert (state["state"], state["changed_by"]) == ("REDUCING", "margin closeout")
    assert "EUR_USD for want of margin" in state["reason"]


def test_a_person_who_resumes_right_after_a_protection_is_not_overruled(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that is written is over: remembering it longer turned the person's ACTIVE down again."""
    trader = world.trader()
    carry = trader._executor.carry_out

    def resumed_after(*given: Any) -> Any:
        acted = carry(*given)
        world.execute("UPDATE trading_state SET state = 'ACTIVE', changed_by = 'Ada' WHERE state = 'REDUCING'")
        return acted

    monkeypatch.setattr(trader._executor, "carry_out", resumed_after)
    zero = Decimal(0)
    told(world, trader, Fill(99, None, FillCause.MARGIN_CLOSEOUT, zero, zero, zero, None, (), None))
    assert world.row("SELECT state, changed_by FROM trading_state") == {"state": "ACTIVE", "changed_by": "Ada"}
    turned = world.rows("SELECT 1 FROM control_changes WHERE changed_by = 'margin closeout'")
    assert len(turned) == 1


def test_stops_and_targets_are_booked_from_the_brokers_record(world: Any) -> None:
    trader = world.trader(limits=SMALL)
    reasons: set[str] = set()
    for attempt in range(12):  # the market decides which of the two comes first
        if len(reasons) == 2:
            break
        world.signal((1, -1)[attempt % 2], stop="0.00030", target="0.00030", horizon=600)
        trader.settle()
        for _ in range(60):
            minute(world, trader)
            if not world.rows("SELECT 1 FROM v_open_trades"):
                break
        reasons |= {r["exit_reason"] for r in world.rows("SELECT exit_reason FROM trade_executions")}
        assert world.books_balance()
    assert reasons == {"STOP_LOSS", "TAKE_PROFIT"}


def test_books_of_an_earlier_time_do_not_order_again_what_the_broker_has_had(world: Any) -> None:
    trader = world.trader()
    signal = world.signal(horizon=1, stop="0.01000")
    trader.settle()
    for _ in range(3):
        minute(world, trader)
    assert world.account()["openTradeCount"] == 0
    # As a restore leaves it: the broker's record was copied again, the execution is gone, the signal is new.
    world.execute("ALTER TABLE trading_signals DISABLE TRIGGER forward")
    world.execute("DELETE FROM trade_executions")
    world.execute(
        "UPDATE trading_signals SET status = 'NEW', reason_code = NULL, reason = NULL, decided_at = NULL,"
        " expires_at = expires_at + interval '1 hour'"
    )
    trader.settle()
    assert world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal) == {
        "status": "REFUSED", "reason_code": "ORDERED_BEFORE",
    }  # fmt: skip
    assert world.row("SELECT count(*) AS n FROM broker_transactions WHERE type = 'MARKET_ORDER'")["n"] == 2
    assert world.account()["openTradeCount"] == 0


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "bad_gateway_after"])
def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(world: Any, kind: str) -> None:
    trader = world.trader()
    signal = world.signal()
    world.fault(kind, "POST orders", times=1)
    trader.settle()
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "OPEN"
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "EXECUTED"
    assert world.row("SELECT count(*) AS n FROM broker_transactions WHERE type = 'MARKET_ORDER'")["n"] == 1
    assert world.account()["openTradeCount"] == 1


def test_an_order_that_never_arrived_is_given_up_after_the_patience_and_not_sent_again(world: Any) -> None:
    trader = world.trader()
    signal = world.signal()
    world.fault("drop_before", "POST orders", times=1)
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "UNKNOWN"
    assert world.row("SELECT count(*) AS n FROM v_open_trades")["n"] == 1
    trader.settle()
    world.clock.at += 31  # the signal has not expired yet: it may still come
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "UNKNOWN"
    world.step(180)
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "GIVEN_UP"
    row = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    assert row == {"status": "REFUSED", "reason_code": "ORDER_NOT_FOUND"}
    assert world.account()["openTradeCount"] == 0


def test_an_order_that_arrives_after_it_was_given_up_is_booked_and_closed_at_once(world: Any) -> None:
    trader = world.trader()
    signal = world.signal(horizon=600)
    world.fault("late_apply", "POST orders", times=1, seconds=1.5)
    trader.settle()
    world.clock.at += 200  # the trader's time goes on; the order hangs somewhere
    trader.broker_clock.told(world.now() + timedelta(seconds=200))
    world.step(200)
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "GIVEN_UP"
    wait_until(lambda: world.account()["openTradeCount"] == 1)
    trader.settle()
    row = world.row("SELECT status, reason_code FROM trading_signals WHERE id = %s", signal)
    assert row == {"status": "EXECUTED", "reason_code": "LATE"}
    closed = world.row("SELECT status, late, exit_reason FROM trade_executions")
    assert closed == {"status": "CLOSED", "late": True, "exit_reason": "LATE"}
    assert world.account()["openTradeCount"] == 0
    assert world.books_balance()


def test_refusals_end_their_signals_with_a_code(world: Any) -> None:
    trader = world.trader()
    world.execute("UPDATE trading_pairs SET enabled = false")
    disabled = world.signal(minutes=1)
    trader.settle()
    world.execute("UPDATE trading_pairs SET enabled = true")
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'lunch'")
    halted = world.signal()
    trader.settle()
    world.step(600)
    world.execute("UPDATE trading_state SET state = 'ACTIVE'")
    late = world.signal(minutes=5)
    trader.settle()
    codes = {r["id"]: (r["status"], r["reason_code"]) for r in world.rows("SELECT * FROM trading_signals")}
    assert codes == {
        disabled: ("REFUSED", "PAIR_DISABLED"), halted: ("REFUSED", "TRADING_HALTED"), late: ("EXPIRED", "EXPIRED"),
    }  # fmt: skip
    assert world.account()["lastTransactionID"] == str(trader.stands_at), "nothing was sent"


def test_the_daily_loss_turns_the_switch_and_it_stays(world: Any) -> None:
    trader = world.trader(
        limits=RiskLimits(**WIDE, risk_per_trade=Decimal("0.0005"), max_daily_loss=Decimal("0.00001"))
    )
    world.signal(stop="0.00030", target="0.02000", horizon=600)
    trader.settle()
    for _ in range(300):
        minute(world, trader)
        if not world.rows("SELECT 1 FROM v_open_trades"):
            break
    assert world.row("SELECT net_pl < 0 AS lost FROM trade_executions")["lost"]
    refused = world.signal()
    trader.settle()
    # The day had lost too much before this signal came, and the switch was turned then.
    row = world.row("SELECT reason_code FROM trading_signals WHERE id = %s", refused)
    assert row["reason_code"] == "TRADING_REDUCING"
    assert world.row("SELECT state, changed_by FROM trading_state") == {
        "state": "REDUCING",
        "changed_by": "daily loss limit",
    }
    world.trader()  # a restart
    migrate(world.database)
    assert world.row("SELECT state FROM trading_state")["state"] == "REDUCING"


def test_a_trade_that_ended_while_the_trader_was_away_is_booked_at_the_next_start(world: Any) -> None:
    world.signal(stop="0.00030", target="0.00030", horizon=600)
    first = world.trader(limits=SMALL)
    first.settle()
    assert world.account()["openTradeCount"] == 1
    for _ in range(20):
        world.step(600)
        if world.account()["openTradeCount"] == 0:
            break
    assert world.row("SELECT status FROM trade_executions")["status"] == "OPEN"
    world.trader()
    assert world.row("SELECT status FROM trade_executions")["status"] == "CLOSED"
    assert world.books_balance()
    assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE"


def test_a_difference_that_the_record_does_not_explain_halts_trading(world: Any) -> None:
    world.signal(horizon=600)
    world.trader().settle()
    world.execute("UPDATE trade_executions SET open_units = open_units + 7")
    world.trader()
    state = world.row("SELECT state, changed_by, reason FROM trading_state")
    assert (state["state"], state["changed_by"]) == ("HALTED", "books in doubt")
    assert "units at the broker" in state["reason"]


def test_a_broker_out_of_reach_leaves_the_signal_to_the_next_look(world: Any) -> None:
    trader = world.trader()
    signal = world.signal()
    world.fault("bad_gateway", "GET pricing", times=10)
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "NEW"
    assert world.rows("SELECT 1 FROM system_logs WHERE event = 'blind'")
    httpx_delete(world)
    trader.settle()
    assert world.row("SELECT status FROM trading_signals WHERE id = %s", signal)["status"] == "EXECUTED"


def httpx_delete(world: Any) -> None:
    import httpx

    httpx.delete(f"{world.url}/_exchange/faults").raise_for_status()


def test_an_override_does_not_hold_on_a_live_account(world: Any) -> None:
    trader = world.trader(environment="live", live_allowed=True)
    signal = world.signal()
    trader.settle()
    assert (
        world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == "NOT_READY_ON_LIVE"
    )
    assert world.account()["openTradeCount"] == 0


def test_a_signal_that_the_broker_cannot_answer_for_ends_alone(world: Any) -> None:
    trader = world.trader()
    good = world.signal()
    world.execute(
        "INSERT INTO trading_pairs SELECT 'USD_TRY', enabled, model_id, verdict, verdict_reason, judged_at,"
        " override_by, override_reason FROM trading_pairs"
    )
    world.execute(
        "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at) SELECT gen_random_uuid(), 'USD_TRY', model_id, granularity,"
        " candle_time - interval '1 min', side, confidence, metrics, stop_distance, horizon, expires_at"
        " FROM trading_signals WHERE id = %s",
        good,
    )
    trader.settle()
    ended = {r["pair"]: r["reason_code"] for r in world.rows("SELECT pair, reason_code FROM trading_signals")}
    assert ended == {"EUR_USD": "FILLED", "USD_TRY": "BROKER_REFUSED"}


def test_a_partial_close_is_booked_and_explains_the_difference(world: Any) -> None:
    trader = world.trader()
    world.signal(horizon=600)
    trader.settle()
    trade = world.row("SELECT trade_id, units FROM trade_executions")
    world.client().close_trade(trade["trade_id"], Decimal(1_000))
    world.trader()
    row = world.row("SELECT status, units, open_units FROM trade_executions")
    assert (row["status"], row["open_units"]) == ("OPEN", trade["units"] - 1_000)
    assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE"
    assert world.books_balance()


def test_a_persons_own_trade_is_not_netted_against(world: Any) -> None:
    from sep_trader.broker.port import Filled, MarketOrder

    assert isinstance(world.client().place(MarketOrder("EUR_USD", Decimal(-100), "by-hand")), Filled)
    trader = world.trader()
    signal = world.signal()
    trader.settle()
    assert world.row("SELECT reason_code FROM trading_signals WHERE id = %s", signal)["reason_code"] == "PAIR_BUSY"


def test_a_lagging_record_is_not_taken_for_a_complete_one(world: Any) -> None:
    trader = world.trader(unknown_patience_s=0.0)
    world.signal()
    world.fault("sinceid_lag", "GET transactions", seconds=600)
    world.fault("drop_after", "POST orders", times=1)
    for _ in range(3):
        trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "UNKNOWN", "given up on an incomplete record"
    httpx_delete(world)
    trader.settle()
    assert world.row("SELECT status FROM trade_executions")["status"] == "OPEN"
