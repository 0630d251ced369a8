"""What is booked, and what becomes of signals, by one observation."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.support.passes import (
    BEGAN,
    BOOKED,
    EURO,
    MONO,
    NOW,
    PRICE,
    RIGHT,
    SETTINGS,
    books,
    execution,
    observation,
    pricing,
    signal,
    snapshot,
    trade,
)
from tests.support.plans import (
    BLIND,
    LATER,
    REDUCING,
    acts,
    code,
    decided,
    notes,
    remembered,
    told,
)
from tests.support.transactions import transaction

from sep_trader.broker.port import Transactions
from sep_trader.execution.actions import (
    Book,
    Doubt,
    GiveUp,
    OpenLedger,
    Order,
    Refuse,
    See,
)
from sep_trader.execution.observation import Seen, Streams
from sep_trader.execution.rows import SeenAccount
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.risk.limits import Reason, RiskLimits
from sep_trader.states import ExecutionStatus, Origin


def test_a_new_account_begins_its_ledger_and_nothing_else() -> None:
    new = observation(of=books(ledger=None, seen=None, signals=(signal(),)))
    assert acts(new) == [OpenLedger(snapshot())]
    assert acts(observation(of=books(ledger=None), account=BLIND)) == []


def test_the_record_is_booked_before_anything_is_concluded() -> None:
    of = books(executions=(execution(status=ExecutionStatus.INTENT),), signals=(signal(2),))
    found = told(transaction(BOOKED + 1), of=of)
    assert acts(found) == [Book(Transactions((transaction(BOOKED + 1),), BOOKED + 1))]
    assert acts(found, See) == []
    assert notes(found, "record_incomplete") == []


def test_an_incomplete_record_concludes_nothing() -> None:
    of = books(executions=(execution(status=ExecutionStatus.UNKNOWN),))
    gone = remembered(unsettled_since={1: MONO - 999})
    behind = observation(
        of=of, memory=gone, account=Seen(snapshot(last_transaction_id=BOOKED + 2), MONO),
        record=Seen(Transactions((), BOOKED + 2), MONO),
    )  # fmt: skip
    assert acts(behind) == []
    (note,) = notes(behind, "record_incomplete")
    assert (note.level, note.key) == ("warning", "record")
    assert note.text == "the broker's record is not complete between 40 and 42"
    hole = replace(behind, record=Seen(Transactions((transaction(BOOKED + 2),), BOOKED + 2), MONO))
    assert [type(a) for a in acts(hole)] == [Book]
    assert notes(hole, "record_incomplete")


def test_an_intent_without_an_end_is_doubted_and_given_up_when_its_time_is_over() -> None:
    """Finding A6: it was given up after 30 s, whatever the signal's own time."""
    intent = execution(status=ExecutionStatus.INTENT)
    (doubt,) = acts(observation(of=books(executions=(intent,))))
    assert doubt == Doubt(intent, "no answer told what became of it, and the record does not hold it yet")
    unknown = execution(status=ExecutionStatus.UNKNOWN, deadline=NOW - timedelta(microseconds=1))
    waited = remembered(unsettled_since={1: MONO - 30})
    (given,) = acts(observation(of=books(executions=(unknown,)), memory=waited))
    assert given == GiveUp(unknown, "the broker's record up to 40 does not hold the order after 30 s")
    others: tuple[dict[str, Any], ...] = (
        {"memory": remembered(unsettled_since={1: MONO - 29.9})},
        {"memory": remembered()},
        {"memory": waited, "of": books(executions=(replace(unknown, deadline=NOW),))},
        {"memory": waited, "now": None},
        {"memory": waited, "record": BLIND},
    )
    for changes in others:
        everything: dict[str, Any] = {"of": books(executions=(unknown,)), **changes}
        assert acts(observation(**everything)) == [], changes
    old = replace(unknown, deadline=None)
    assert len(acts(observation(of=books(executions=(old,)), memory=waited))) == 1


def test_the_marks_of_losses_go_on_and_begin_anew_with_their_day() -> None:
    nav = Decimal(9_800)
    seen = SeenAccount(BEGAN, Decimal(12_000), broker_day(NOW), Decimal(9_900), broker_week(NOW), Decimal(9_850))
    (kept,) = acts(observation(of=books(seen=seen), account=Seen(snapshot(nav=nav), MONO)), See)
    assert (kept.nav_high, kept.day_nav, kept.week_nav) == (12_000, 9_900, 9_850)
    assert (kept.day, kept.week) == (broker_day(NOW), broker_week(NOW))
    old = replace(seen, day=broker_day(NOW) - timedelta(days=1), nav_high=Decimal(9_000))
    (next_day,) = acts(observation(of=books(seen=old), account=Seen(snapshot(nav=nav), MONO)), See)
    assert (next_day.nav_high, next_day.day_nav, next_day.week_nav) == (nav, nav, 9_850)
    older = replace(seen, week=broker_week(NOW) - timedelta(days=7))
    (next_week,) = acts(observation(of=books(seen=older), account=Seen(snapshot(nav=nav), MONO)), See)
    assert next_week.week_nav == nav
    (first,) = acts(observation(of=books(seen=None), account=Seen(snapshot(nav=nav), MONO)), See)
    assert (first.nav_high, first.day_nav, first.week_nav) == (nav, nav, nav)
    assert acts(observation(now=None), See) == []


def test_a_signal_becomes_an_order_with_all_that_its_intent_needs() -> None:
    (order,) = decided()
    assert isinstance(order, Order)
    assert (order.signal, order.client_id, order.transaction_id) == (signal(), f"sep-{UUID(int=1).hex}", BOOKED)
    assert (order.quote, order.deadline) == (PRICE, signal().expires_at)
    assert order.horizon_at == NOW.replace(second=0) + timedelta(minutes=30)
    assert order.order.units == 12_500  # 50 lost over 0.0040
    soon = signal(horizon=timedelta(minutes=1))
    (short,) = decided(soon)
    assert short.deadline == short.horizon_at == NOW.replace(second=0) + timedelta(minutes=1)


def test_a_signal_ends_with_a_code() -> None:
    assert code(signal(stop_distance=Decimal("NaN"))) is Reason.BAD_SIGNAL
    assert code(signal(granularity="M7")) is Reason.BAD_SIGNAL
    assert code(signal(candle_time=NOW.replace(year=9999), horizon=timedelta(days=400))) is Reason.BAD_SIGNAL
    assert code(signal(stop_distance=Decimal("1E+400000"))) is Reason.BAD_SIGNAL
    assert code(signal(ordered=True)) is Reason.ORDERED_BEFORE
    assert code(signal(expires_at=NOW - timedelta(seconds=1))) is Reason.EXPIRED
    assert code(books={"switch": REDUCING}) is Reason.TRADING_REDUCING
    assert code(books={"rights": {}}) is Reason.PAIR_DISABLED
    assert code(books={"rights": {"EUR_USD": replace(RIGHT, enabled=False)}}) is Reason.PAIR_DISABLED
    assert code(books={"rights": {"EUR_USD": replace(RIGHT, model_id="m2")}}) is Reason.MODEL_REPLACED
    assert code(no_terms={"EUR_USD": "not offered"}) is Reason.BROKER_REFUSED
    assert code(trades=(trade(50, ours=False),)) is Reason.PAIR_BUSY
    assert code(books={"last_exits": {"EUR_USD": NOW}}) is Reason.PAIR_BUSY
    assert code(books={"orders_last_minute": 10}) is Reason.ORDER_RATE
    assert code(books={"losses_in_a_row": 8, "last_loss": NOW}) is Reason.COOLDOWN
    assert code(pricing=Seen(pricing(replace(PRICE, tradeable=False)), MONO)) is Reason.MARKET_CLOSED
    low = replace(SETTINGS, limits=RiskLimits(max_open_trades=0))
    found = acts(observation(of=books(signals=(signal(),))), Refuse, low)
    assert found[0].refused.code is Reason.MAX_OPEN_TRADES


def test_a_live_account_needs_more() -> None:
    live = replace(SETTINGS, environment="live")
    of = books(signals=(signal(),))
    assert acts(observation(of=of), Refuse, live)[0].refused.code is Reason.LIVE_NOT_ALLOWED
    allowed = replace(live, live_allowed=True)
    assert len(acts(observation(of=of), Order, allowed)) == 1
    for changed in ({"verdict": None}, {"override_reason": "because"}):
        over = books(signals=(signal(),), rights={"EUR_USD": replace(RIGHT, **changed)})
        assert acts(observation(of=over), Refuse, allowed)[0].refused.code is Reason.NOT_READY_ON_LIVE
    from sep_trader.states import SpreadSource

    unknown = books(signals=(signal(),), rights={"EUR_USD": replace(RIGHT, spread=SpreadSource.UNKNOWN)})
    assert acts(observation(of=unknown), Refuse, allowed)[0].refused.code is Reason.NO_SPREAD
    probe = books(signals=(signal(origin=Origin.PROBE, model_id=None),))
    assert acts(observation(of=probe), Refuse, allowed)[0].refused.code is Reason.PROBE_ON_LIVE


def test_a_probe_is_traded_by_its_own_size() -> None:
    (order,) = decided(signal(origin=Origin.PROBE, model_id=None, max_units=Decimal(100)), books={"rights": {}})
    assert order.order.units == 100


def test_a_poisoned_row_ends_alone() -> None:
    """Finding C5."""
    poisoned = (UUID(int=9), "ValueError: year 20000 is out of range")
    refused, order = decided(signal(), books={"unreadable_signals": (poisoned,)})
    assert (refused.signal_id, refused.refused.code) == (UUID(int=9), Reason.BAD_SIGNAL)
    assert refused.refused.text == "ValueError: year 20000 is out of range"
    assert isinstance(order, Order)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": BLIND}, {"pricing": BLIND}, {"record": BLIND}, {"terms": {}}, {"asked": frozenset()}, {"now": None},
        {"account": Seen(snapshot(last_transaction_id=BOOKED + 1), MONO)},
    ],
)  # fmt: skip
def test_a_signal_that_needs_what_cannot_be_seen_waits_until_it_is_over(changes: dict[str, Any]) -> None:
    assert decided(**changes) == []
    if changes.get("now", NOW) is not None:
        over = signal(expires_at=NOW - timedelta(seconds=1))
        assert code(over, **changes) is Reason.EXPIRED


def test_rates_of_a_trade_that_has_just_come_are_waited_for() -> None:
    assert decided(trades=(trade(50, ours=False, instrument="USD_JPY"),)) == []
    known = observation(
        trade(50, ours=False, instrument="EUR_GBP"), of=books(signals=(signal(),)),
        asked=frozenset({"EUR_USD", "EUR_GBP"}),
    )  # fmt: skip
    assert len(acts(known, Order)) == 1


def test_several_signals_of_one_pass_share_the_limits() -> None:
    """One order a pair; each order counts for the next decision."""
    twice = decided(signal(1), signal(2))
    assert [type(a) for a in twice] == [Order, Refuse]
    assert twice[1].refused.code is Reason.PAIR_BUSY
    pound = replace(EURO, name="GBP_USD")
    quoted = pricing(PRICE, replace(PRICE, instrument="GBP_USD"))
    rates = {**quoted.home_conversions, "GBP": (Decimal("1.36"), Decimal("1.38"))}
    both: dict[str, Any] = {
        "terms": {"EUR_USD": EURO, "GBP_USD": pound}, "asked": frozenset({"EUR_USD", "GBP_USD"}),
        "pricing": Seen(replace(quoted, home_conversions=rates), MONO),
    }  # fmt: skip
    rights = {"EUR_USD": RIGHT, "GBP_USD": RIGHT}
    two = (signal(1), signal(2, pair="GBP_USD"))
    assert [type(a) for a in decided(*two, books={"rights": rights}, **both)] == [Order, Order]
    tight = replace(SETTINGS, limits=RiskLimits(max_leverage=Decimal(3)))  # one order is 1.7 times the NAV
    found = acts(observation(of=books(signals=two, rights=rights), **both), None, tight)
    assert [type(a) for a in found] == [Order, Refuse]
    assert found[1].refused.code is Reason.LEVERAGE_LIMIT


def test_the_newest_quote_decides_that_of_the_stream_included() -> None:
    newer = replace(PRICE, time=NOW, ask=Decimal("1.37020"))
    (order,) = decided(streams=Streams({"EUR_USD": (newer, MONO)}))
    assert order.quote == newer
    older = replace(PRICE, time=NOW - timedelta(seconds=9), ask=Decimal("1.37020"))
    (order,) = decided(streams=Streams({"EUR_USD": (older, MONO)}))
    assert order.quote == PRICE


def test_a_streamed_quote_from_the_future_is_none() -> None:
    """It would be the newest one for two hours, and never be stale."""
    ahead = replace(PRICE, time=NOW + timedelta(seconds=6), ask=Decimal("1.37020"))
    (order,) = decided(streams=Streams({"EUR_USD": (ahead, MONO)}))
    assert order.quote == PRICE
    edge = replace(ahead, time=NOW + timedelta(seconds=5))
    (order,) = decided(streams=Streams({"EUR_USD": (edge, MONO)}))
    assert order.quote == edge
    assert observation(now=None, streams=Streams({"EUR_USD": (ahead, MONO)})).price_of("EUR_USD") == ahead
    assert observation(pricing=BLIND).price_of("EUR_USD") is None


def test_a_price_is_as_old_as_the_brokers_clock_says() -> None:
    """Finding A8: a frozen answer does not tell its own age."""
    late = NOW + timedelta(seconds=60)
    assert code(signal(expires_at=LATER), now=late) is Reason.STALE_PRICE
    assert isinstance(decided(signal(expires_at=LATER), now=late - timedelta(seconds=1))[0], Order)


def test_a_refusal_names_its_signal() -> None:
    for one in (signal(7, stop_distance=Decimal("NaN")), signal(7, granularity="M7"), signal(7, ordered=True)):
        (refused,) = decided(one)
        assert (refused.signal_id, refused.pair) == (UUID(int=7), "EUR_USD")
    (odd,) = decided(signal(7, granularity="M7"))
    assert odd.refused.text.startswith("InputError: unknown granularity 'M7'")
    (poisoned,) = decided(signal(7), books={"signals": (), "unreadable_signals": ((UUID(int=8), "ValueError: x"),)})
    assert (poisoned.pair, poisoned.refused.text) == ("", "ValueError: x")
    (before,) = decided(signal(7, ordered=True))
    assert before.refused.text == f"the broker's record has an order sep-{UUID(int=7).hex} already"
    (missing,) = decided(signal(7), no_terms={"EUR_USD": "not offered"})
    assert (missing.signal_id, missing.refused.text) == (UUID(int=7), "not offered")
    (late,) = decided(signal(7, expires_at=NOW - timedelta(seconds=1)))
    assert (late.signal_id, late.pair) == (UUID(int=7), "EUR_USD")
    (busy,) = decided(signal(7), books={"last_exits": {"EUR_USD": NOW}})
    assert (busy.signal_id, busy.pair) == (UUID(int=7), "EUR_USD")


def test_a_signal_is_decided_with_its_target_its_confidence_and_the_accounts_marks() -> None:
    (order,) = decided(signal(target_distance=None))
    assert order.order.target_distance is None
    (order,) = decided()
    assert order.order.target_distance == Decimal("0.00600")
    from sep_trader.risk.limits import PairLimits

    sure = replace(SETTINGS, limits=RiskLimits(pairs={"EUR_USD": PairLimits(min_confidence=Decimal("0.6"))}))
    found = acts(observation(of=books(signals=(signal(),))), Refuse, sure)
    assert found[0].refused.code is Reason.LOW_CONFIDENCE
    low = SeenAccount(BEGAN, Decimal(20_000), broker_day(NOW), Decimal(10_000), broker_week(NOW), Decimal(10_000))
    (refused,) = [a for a in acts(observation(of=books(seen=low, signals=(signal(),)))) if isinstance(a, Refuse)]
    assert refused.refused.code is Reason.TRADING_REDUCING, "the pass that sees the drawdown turns the switch first"


def test_an_account_in_another_currency() -> None:
    """Rates are those into the account's own currency, for the size, the exposure and the margin."""
    euros = snapshot(currency="EUR")
    rates = {"USD": (Decimal("0.72"), Decimal("0.74"))}
    given: dict[str, Any] = {"account": Seen(euros, MONO), "pricing": Seen(pricing(home_conversions=rates), MONO)}
    (order,) = decided(**given)
    assert order.order.units == int(50 / (Decimal("0.0040") * Decimal("0.74")))
    tight = replace(SETTINGS, limits=RiskLimits(max_currency_exposure=Decimal("1.5")))
    (refused,) = acts(observation(of=books(signals=(signal(),)), **given), Refuse, tight)
    assert refused.refused.code is Reason.CURRENCY_LIMIT
    assert refused.refused.text.startswith("exposure in USD")
