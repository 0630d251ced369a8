"""Everything that must happen without an order: A, money.

Each test names the finding whose defect it would show.
"""

import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from tests.integration.execution.conftest import WIDE, World, by_a_person
from tests.support.trades import WIDE_STOP, at_broker, opened, state

from sep_trader.broker.port import Heartbeat, Price
from sep_trader.risk.limits import RiskLimits


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
