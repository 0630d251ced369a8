"""What a pass does, from one observation: each duty that must be done without an order, and what blindness forbids."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.support.passes import (
    ACCOUNT,
    BEGAN,
    BOOKED,
    DATABASE,
    EURO,
    MONO,
    NOW,
    PRICE,
    RIGHT,
    SETTINGS,
    SWITCH,
    books,
    execution,
    observation,
    pricing,
    signal,
    snapshot,
    trade,
)
from tests.support.transactions import part, transaction

from sep_trader.broker.port import GuaranteedStops, Transactions
from sep_trader.execution.actions import (
    Action,
    Answer,
    Book,
    Close,
    Doubt,
    Explain,
    GiveUp,
    Note,
    OpenLedger,
    Order,
    Protect,
    Refuse,
    See,
    TurnDown,
)
from sep_trader.execution.marks import Owner
from sep_trader.execution.observation import Attempt, Memory, Observation, Seen, Streams, Unseen
from sep_trader.execution.plan import effective, plan
from sep_trader.execution.rows import Request, SeenAccount
from sep_trader.ledger.transactions import Fill, FillCause, Transfer, Unreadable
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.risk.limits import Reason, RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection
from sep_trader.states import ExecutionStatus, ExitReason, Origin, RequestKind, TradingState

HALTED = replace(SWITCH, state=TradingState.HALTED, reason="I look at it")
REDUCING = replace(SWITCH, state=TradingState.REDUCING, reason="enough")
BLIND = Unseen("no answer")
LATER = NOW + timedelta(minutes=31)


def acts(of: Observation, kind: type[Action] | None = None, settings: Any = SETTINGS) -> list[Any]:
    """The acts of a pass; without a kind, those that do something."""
    found = plan(of, settings)
    return [a for a in found if (isinstance(a, kind) if kind else not isinstance(a, Note | See))]


def notes(of: Observation, event: str) -> list[Note]:
    return [a for a in plan(of, SETTINGS) if isinstance(a, Note) and a.event == event]


def turned(of: Observation, settings: Any = SETTINGS) -> list[tuple[Protection, Consequence]]:
    return [(a.protection, a.consequence) for a in acts(of, TurnDown, settings)]


def remembered(**changes: Any) -> Memory:
    return Memory(**{"database_id": DATABASE, "state": TradingState.ACTIVE, **changes})


def open_trade(**changes: Any) -> Observation:
    return observation(trade(), of=books(executions=(execution(),)), **changes)


def test_a_quiet_pass_only_keeps_what_it_sees() -> None:
    (only,) = plan(observation(), SETTINGS)
    assert isinstance(only, See)
    assert acts(open_trade()) == []


# -- exits, whatever else cannot be seen


def test_a_horizon_is_closed_whatever_else_cannot_be_seen() -> None:
    """Findings A1, A2, C2: exits need the account and the clock, and nothing else."""
    for parts in ({}, {"pricing": BLIND}, {"record": BLIND}, {"books": BLIND}, {"books": BLIND, "pricing": BLIND}):
        (closed,) = acts(open_trade(now=LATER, **parts), Close)
        assert (closed.trade.trade_id, closed.cause) == (31, ExitReason.HORIZON), parts


def test_a_blind_account_is_not_an_account_without_trades() -> None:
    blind = open_trade(now=LATER, account=BLIND, record=BLIND)
    assert acts(blind) == []
    assert [n.text for n in notes(blind, "blind")] == [
        "the account cannot be read: no answer", "the record cannot be read: no answer",
    ]  # fmt: skip


def test_what_was_seen_last_is_closed_at_its_end_while_the_account_cannot_be_read() -> None:
    """Finding A2: reads slower than the poll closed nothing."""
    blind: dict[str, Any] = {"account": BLIND, "record": BLIND, "last_account": snapshot(trade(stop_loss=None))}
    assert acts(open_trade(**blind)) == [], "whether it has no stop now is not known"
    (closed,) = acts(open_trade(now=LATER, **blind))
    assert (closed.trade.trade_id, closed.cause) == (31, ExitReason.HORIZON)
    wanted = books(executions=(execution(),), requests=(request(),))
    (flat,) = acts(observation(of=wanted, **blind))
    assert flat.cause is ExitReason.FLATTENED
    beyond = Seen(pricing(replace(PRICE, bid=Decimal("1.36"), ask=Decimal("1.3601"))), MONO)
    assert acts(open_trade(pricing=beyond, **blind)) == []
    stale = {**blind, "account": Seen(snapshot(), MONO)}
    assert acts(observation(now=LATER, **{**stale, "record": Seen(Transactions((), BOOKED), MONO)})) == []


def test_a_trade_of_ours_is_closed_by_its_marks_where_the_books_were_never_read() -> None:
    fresh = observation(trade(), books=BLIND, record=BLIND, now=LATER, memory=Memory())
    (closed,) = acts(fresh)
    assert isinstance(closed, Close)
    halted = observation(trade(), books=BLIND, now=LATER, memory=Memory(state=TradingState.HALTED))
    assert acts(halted) == [], "HALTED is remembered while the books cannot be read"


def test_a_missing_stop_is_put_back() -> None:
    """Finding A10."""
    bare = trade(stop_loss=None)
    (put,) = acts(observation(bare, of=books(executions=(execution(),))))
    assert put == Protect(bare, Decimal("1.36600"), "it had no stop: it is put at 1.36600")


def test_a_trade_that_was_just_tried_waits_and_a_closed_market_waits_for_the_open() -> None:
    """Finding D1: a close order every 5 s all weekend."""
    just = remembered(attempts={31: Attempt(MONO - 0.5, 1, "x")})
    assert acts(open_trade(now=LATER, memory=just)) == []
    assert len(acts(open_trade(now=LATER, memory=remembered(attempts={31: Attempt(MONO - 1, 1, "x")})))) == 1
    closed = remembered(attempts={31: Attempt(MONO - 9999, 1, "MARKET_HALTED", closed_market=True)})
    shut = Seen(pricing(replace(PRICE, tradeable=False)), MONO)
    assert acts(open_trade(now=LATER, memory=closed, pricing=shut)) == []
    assert acts(open_trade(now=LATER, memory=closed, pricing=BLIND)) == []
    assert len(acts(open_trade(now=LATER, memory=closed))) == 1


def test_a_persons_trade_is_left_alone() -> None:
    persons = trade(50, ours=False, stop_loss=None)
    assert acts(observation(persons, now=LATER)) == []
    seen = acts(observation(persons), See)[0]
    assert seen.owners == {50: Owner.PERSON}


def test_a_trade_of_the_books_gets_the_marks_that_it_does_not_carry() -> None:
    ours = books(executions=(execution(),))
    for changes in ({"tag": None}, {"client_id": "sep-9"}, {"comment": "by hand"}):
        (mark,) = acts(observation(trade(**changes), of=ours))
        text = "until 2014-05-15T08:30:30Z stop 0.0040"
        assert (mark.client_id, mark.tag, mark.comment) == ("sep-1", "sep:db-1", text)
        assert mark.why == "it does not carry our marks: they are written on it"
        halted = books(executions=(execution(),), switch=HALTED)
        assert acts(observation(trade(**changes), of=halted)) == []
        just = remembered(attempts={31: Attempt(MONO, 1, "x")})
        assert acts(observation(trade(**changes), of=ours, memory=just)) == []
    assert len(acts(observation(trade(tag=None), of=ours, memory=Memory()))) == 1
    assert acts(observation(trade(comment=None), of=books(executions=(execution(stop_distance=None),)))) == []
    unseen: dict[str, Any] = {"account": BLIND, "record": BLIND, "last_account": snapshot(trade(tag=None))}
    assert acts(observation(of=ours, **unseen)) == []


def test_what_the_books_have_is_ours_whatever_its_marks() -> None:
    unmarked = trade(ours=False)
    (closed,) = acts(observation(unmarked, of=books(executions=(execution(),)), now=LATER), Close)
    assert closed.trade == unmarked


def test_one_trade_that_cannot_be_judged_keeps_no_other_waiting() -> None:
    poisoned = trade(32, price=Decimal("NaN"), stop_loss=None)
    quiet = observation(poisoned, trade(stop_loss=None), of=books(executions=(execution(), execution(2))))
    assert [n.key for n in notes(quiet, "trade_failed")] == ["trade 32"]
    assert [p.trade.trade_id for p in acts(quiet, Protect)] == [31]


@pytest.mark.parametrize("state", [SWITCH, REDUCING])
def test_reducing_closes_and_protects(state: Any) -> None:
    of = books(switch=state, executions=(execution(),))
    assert len(acts(observation(trade(), of=of, now=LATER), Close)) == 1


def test_halted_sends_nothing_but_what_a_person_asks_and_an_alarm() -> None:
    of = books(switch=HALTED, executions=(execution(),))
    halted = observation(trade(stop_loss=None), of=of, now=LATER)
    assert acts(halted) == []
    (alarm,) = notes(halted, "halted_with_open_trade")
    assert (alarm.level, alarm.key, alarm.every_s) == ("error", "halted 31", SETTINGS.alarm_s)
    assert "trade 31 (1000 EUR_USD)" in alarm.text
    asked = replace(of, requests=(Request(1, RequestKind.FLATTEN, None, None, False, "Ada", "enough"),))
    (closed,) = acts(observation(trade(), of=asked, now=LATER))
    assert (closed.cause, closed.why) == (ExitReason.FLATTENED, "Ada: enough")


# -- requests


def request(kind: str = "flatten", **changes: Any) -> Request:
    given = {"pair": None, "trade_id": None, "everything": False, "requested_by": "Ada", "reason": "enough"}
    return Request(id=1, kind=RequestKind(kind), **{**given, **changes})


def asked(*trades: Any, of: Any = (), want: Request) -> list[Any]:
    return acts(observation(*trades, of=books(executions=of, requests=(want,))))


def test_flatten_closes_ours_and_with_all_a_persons_too() -> None:
    persons = trade(50, ours=False)
    ours = (execution(),)
    assert [a.trade.trade_id for a in asked(trade(), persons, of=ours, want=request())] == [31]
    both = asked(trade(), persons, of=ours, want=request(everything=True))
    assert [(a.trade.trade_id, a.cause) for a in both] == [(31, ExitReason.FLATTENED), (50, ExitReason.FLATTENED)]


def test_flatten_of_a_pair_leaves_the_others() -> None:
    yen = trade(32, instrument="USD_JPY")
    found = asked(trade(), yen, of=(execution(), execution(2, pair="USD_JPY")), want=request(pair="USD_JPY"))
    assert [a.trade.trade_id for a in found] == [32]


def test_close_closes_one_trade() -> None:
    two = (execution(), execution(2))
    found = asked(trade(), trade(32), of=two, want=request("close", trade_id=32))
    assert [(a.trade.trade_id, a.cause) for a in found] == [(32, ExitReason.REQUESTED)]


def test_a_request_is_answered_when_nothing_of_it_is_open() -> None:
    assert asked(want=request()) == [Answer(1, True, "nothing is open")]
    assert asked(trade(50, ours=False), want=request()) == [Answer(1, True, "nothing is open")]
    assert asked(want=request("close", trade_id=31)) == [Answer(1, True, "trade 31 is not open")]
    refused = asked(trade(50, ours=False), want=request("close", trade_id=50))
    assert refused == [Answer(1, False, "trade 50 is not ours: ask with --all")]
    (closed,) = asked(trade(50, ours=False), want=request("close", trade_id=50, everything=True))
    assert closed.trade.trade_id == 50
    yen = trade(32, instrument="USD_JPY")
    of = (execution(2, pair="USD_JPY"),)
    assert asked(yen, of=of, want=request(pair="EUR_USD")) == [Answer(1, True, "nothing is open")]


def test_a_request_waits_for_an_order_under_way_and_for_what_cannot_be_seen() -> None:
    pending = execution(status=ExecutionStatus.UNKNOWN, deadline=LATER)
    assert not [a for a in asked(of=(pending,), want=request()) if isinstance(a, Answer)]
    other = asked(of=(replace(pending, pair="USD_JPY"),), want=request(pair="EUR_USD"))
    assert [a for a in other if isinstance(a, Answer)]
    blind = observation(of=books(requests=(request(),)), account=BLIND)
    assert acts(blind) == []


# -- what turns the switch


def test_a_difference_of_units_halts() -> None:
    of = books(executions=(execution(open_units=Decimal(7)),))
    found = observation(trade(), of=of)
    assert turned(found) == [(Protection.BOOKS, Consequence.HALT)]
    (turn,) = acts(found, TurnDown)
    assert turn.why == "trade 31 has 1000 units at the broker, 7 in our books"
    assert turn.state is TradingState.HALTED


def test_nothing_is_compared_at_two_different_transactions() -> None:
    """A trade that ended between two reads is no difference."""
    of = books(executions=(execution(),))
    moved = observation(of=of, account=Seen(snapshot(last_transaction_id=BOOKED + 1), MONO))
    assert turned(moved) == []
    assert turned(observation(of=of, record=BLIND)) == []
    assert turned(observation(of=of)) == [(Protection.BOOKS, Consequence.HALT)]


def test_a_balance_that_differs_is_taken_for_the_truth_and_reduces() -> None:
    """Finding B4."""
    off = observation(account=Seen(snapshot(balance=Decimal(9990)), MONO))
    found = acts(off)
    assert [type(a) for a in found] == [TurnDown, Explain]
    assert (found[0].protection, found[0].consequence) == (Protection.BALANCE, Consequence.REDUCE)
    assert found[0].why == "the broker's balance is 9990, our books say 10000"
    assert found[0].state is TradingState.REDUCING
    assert found[1] == Explain(BOOKED, Decimal(-10))
    (note,) = notes(off, "balance_difference")
    assert (note.text, note.level, note.every_s) == (f"-10 is unexplained at transaction {BOOKED}", "error", 0)


def lost(nav: int, **limits: Any) -> Observation:
    seen = SeenAccount(BEGAN, Decimal(10_000), broker_day(NOW), Decimal(10_000), broker_week(NOW), Decimal(10_000))
    return observation(of=books(seen=seen), account=Seen(snapshot(nav=Decimal(nav)), MONO))


def test_losses_turn_the_switch_in_the_pass_in_which_they_are_true() -> None:
    """Findings A3, A4: it waited for a signal, saw no partial close, and knew no drawdown."""
    assert turned(lost(9701)) == []
    assert turned(lost(9700)) == [(Protection.DAILY_LOSS, Consequence.REDUCE)]
    weekly = replace(SETTINGS, limits=RiskLimits(max_daily_loss=Decimal(1)))
    assert turned(lost(9400), weekly) == [(Protection.WEEKLY_LOSS, Consequence.REDUCE)]
    deep = replace(SETTINGS, limits=RiskLimits(max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1)))
    assert turned(lost(8000), deep) == [(Protection.DRAWDOWN, Consequence.REDUCE)]
    chosen = replace(SETTINGS, consequences={**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN})
    assert turned(lost(9700), chosen) == [(Protection.DAILY_LOSS, Consequence.FLATTEN)]
    assert turned(observation(of=books(seen=None), account=Seen(snapshot(nav=Decimal(1)), MONO))) == []


FLATTENS = replace(SETTINGS, consequences={**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN})


def test_a_protection_that_flattens_closes_at_once_and_asks_once_whatever_the_switch_was() -> None:
    """It asked only where it turned the switch: one that was REDUCING already kept its trades."""
    bad: dict[str, Any] = {"account": Seen(snapshot(trade(), trade(50, ours=False), nav=Decimal(9700)), MONO)}
    for switch in (SWITCH, REDUCING):
        of = books(executions=(execution(),), switch=switch)
        turn, closed = acts(observation(of=of, **bad), None, FLATTENS)
        assert (turn.flatten, closed.trade.trade_id, closed.cause) == (True, 31, ExitReason.FLATTENED)
        assert closed.why == "daily loss limit: NAV is 9700 after 10000 at the start of the day, 3.0% may be lost"
    by = request(requested_by="daily loss limit")
    pending = books(executions=(execution(),), requests=(by,))
    assert [a.flatten for a in acts(observation(of=pending, **bad), TurnDown, FLATTENS)] == [False]
    blind = observation(of=books(executions=(execution(),)), **{**bad, "record": BLIND})
    assert acts(blind, Close, FLATTENS) == []
    nothing: dict[str, Any] = {"account": Seen(snapshot(trade(50, ours=False), nav=Decimal(9700)), MONO)}
    assert [a.flatten for a in acts(observation(**nothing), TurnDown, FLATTENS)] == [False]


def test_halted_a_protection_flattens_nothing() -> None:
    bad: dict[str, Any] = {"account": Seen(snapshot(trade(), nav=Decimal(9700)), MONO)}
    by = request(requested_by="daily loss limit")
    of = books(executions=(execution(),), switch=HALTED, requests=(by,))
    assert [a.flatten for a in acts(observation(of=of, **bad), None, FLATTENS)] == [False]
    person = replace(of, requests=(request(),))
    assert len(acts(observation(of=person, **bad), Close, FLATTENS)) == 1


def told(*items: Any, **changes: Any) -> Observation:
    last = items[-1].id
    return observation(
        account=Seen(snapshot(last_transaction_id=last), MONO), record=Seen(Transactions(items, last), MONO), **changes
    )


def closeout() -> Any:
    zero = Decimal(0)
    fill = Fill(9, None, FillCause.MARGIN_CLOSEOUT, zero, zero, zero, None, (part(31, -1000),), None,
                instrument="EUR_USD")  # fmt: skip
    return transaction(BOOKED + 1, fill)


def test_a_margin_closeout_reduces() -> None:
    found = told(closeout())
    assert turned(found) == [(Protection.MARGIN_CLOSEOUT, Consequence.REDUCE)]
    assert acts(found, TurnDown)[0].why == "the broker closed EUR_USD for want of margin (transaction 41)"


def test_an_unreadable_transaction_halts_and_is_booked() -> None:
    found = told(transaction(BOOKED + 1, Unreadable("KeyError: 'id'"), kind="ORDER_FILL"))
    assert turned(found) == [(Protection.UNREADABLE, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "transaction 41 (ORDER_FILL) cannot be read: KeyError: 'id'"
    assert len(acts(found, Book)) == 1


def test_a_statement_that_does_not_add_up_reduces_before_it_is_booked() -> None:
    found = told(transaction(BOOKED + 1, Transfer(Decimal(5)), balance=Decimal(10_006)))
    assert turned(found) == [(Protection.BALANCE, Consequence.REDUCE)]
    assert "+1 is unexplained" in acts(found, TurnDown)[0].why
    assert turned(told(transaction(BOOKED + 1, Transfer(Decimal(5)), balance=Decimal(10_005)))) == []


def test_the_orders_of_another_account_halt() -> None:
    """Finding B3."""
    found = observation(of=books(elsewhere=("101-7", "101-8")))
    assert turned(found) == [(Protection.FOREIGN_ACCOUNT, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "orders of ours have not ended on another account: 101-7, 101-8"


def test_an_account_begun_anew_halts_and_is_not_booked() -> None:
    """Finding B5."""
    short: dict[str, Any] = {"account": Seen(snapshot(last_transaction_id=BOOKED - 1), MONO)}
    for since in (None, MONO - 9.9):
        lagging = observation(memory=remembered(behind_since=since), of=books(signals=(signal(),)), **short)
        assert acts(lagging) == [], "an answer that lags is no other account, and nothing is concluded from it"
    shorter = observation(memory=remembered(behind_since=MONO - 10), **short)
    assert turned(shorter) == [(Protection.NEW_ACCOUNT, Consequence.HALT)]
    assert "its record ends at 39, our books are at 40" in acts(shorter, TurnDown)[0].why
    anew = replace(snapshot(last_transaction_id=BOOKED + 1), created_time=BEGAN + timedelta(seconds=1))
    record = Seen(Transactions((transaction(BOOKED + 1),), BOOKED + 1), MONO)
    found = observation(account=Seen(anew, MONO), record=record)
    assert turned(found) == [(Protection.NEW_ACCOUNT, Consequence.HALT)]
    why = "it began at 2014-01-01 00:00:01, not at 2014-01-01 00:00:00 UTC"
    assert acts(found, TurnDown)[0].why == f"the account is another one than that which we booked: {why}"
    assert acts(found, Book) == []
    unknown = replace(anew, created_time=None)
    assert turned(observation(account=Seen(unknown, MONO), record=record)) == []
    assert turned(observation(of=books(seen=None), account=Seen(anew, MONO), record=record)) == []


def test_two_databases_on_one_account_halt() -> None:
    """Finding B8."""
    found = observation(trade(tag="sep:db-2"))
    assert turned(found) == [(Protection.TWO_DATABASES, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "trade 31 was opened by another database (sep:db-2), ours is db-1"
    assert acts(found, Close) == []
    assert acts(observation(trade(tag="sep:db-2", stop_loss=None), now=LATER), Protect) == []
    first = observation(trade(tag="sep:db-2", stop_loss=None), now=LATER, memory=Memory())
    assert turned(first) == [(Protection.TWO_DATABASES, Consequence.HALT)]
    assert acts(first, Close) == [], "the first pass of a process knows its own database, too"
    assert acts(first, See)[0].owners == {31: Owner.ANOTHER}
    asleep = observation(trade(tag="sep:db-2"), books=BLIND, record=BLIND, now=LATER)
    assert acts(asleep, Close) == [], "as it was last read"


def test_an_account_that_cannot_be_traded_halts() -> None:
    required = replace(snapshot(), guaranteed_stops=GuaranteedStops.REQUIRED)
    assert turned(observation(account=Seen(required, MONO))) == [(Protection.ACCOUNT_KIND, Consequence.HALT)]
    allowed = replace(snapshot(), guaranteed_stops=GuaranteedStops.ALLOWED)
    assert turned(observation(account=Seen(allowed, MONO))) == []
    found = observation(account_kind="account 1 is a MetaTrader 4 account")
    assert [a.why for a in acts(found, TurnDown)] == ["account 1 is a MetaTrader 4 account"]


def test_a_hole_in_the_record_halts_after_its_patience() -> None:
    for seconds, found in ((59.9, []), (60.0, [(Protection.BOOKS, Consequence.HALT)])):
        memory = remembered(incomplete_since=MONO - seconds)
        assert turned(observation(memory=memory)) == found
    assert acts(observation(memory=remembered(incomplete_since=MONO - 61)), TurnDown)[0].why == (
        "the broker's record has had a hole for 61 s"
    )


def test_orders_whose_end_nobody_knows_reduce() -> None:
    """Finding D3."""
    three = tuple(execution(n, status=ExecutionStatus.UNKNOWN, deadline=LATER) for n in (1, 2, 3))
    old = remembered(unsettled_since={1: MONO - 10, 2: MONO - 10, 3: MONO - 10})
    found = observation(of=books(executions=three), memory=old)
    assert turned(found) == [(Protection.UNKNOWN_ORDERS, Consequence.REDUCE)]
    assert acts(found, TurnDown)[0].why == "3 orders in an hour whose end nobody knows"
    young = remembered(unsettled_since={1: MONO - 10, 2: MONO - 10, 3: MONO - 9.9})
    assert turned(observation(of=books(executions=three), memory=young)) == []
    assert turned(observation(of=books(executions=three), memory=remembered())) == []
    assert turned(observation(of=books(unknown_lately=3))) == [(Protection.UNKNOWN_ORDERS, Consequence.REDUCE)]
    assert turned(observation(of=books(unknown_lately=2))) == []
    intents = tuple(replace(e, status=ExecutionStatus.INTENT) for e in three)
    assert turned(observation(of=books(executions=intents), memory=old)) == []


def test_a_turn_counts_in_its_own_pass() -> None:
    of = books(executions=(execution(open_units=Decimal(7)),), signals=(signal(),))
    found = acts(observation(trade(), of=of, now=NOW))
    refused = next(a for a in found if isinstance(a, Refuse))
    assert refused.refused.code is Reason.TRADING_HALTED
    assert refused.refused.text == "trade 31 has 1000 units at the broker, 7 in our books (books in doubt)"
    late = observation(trade(), of=books(executions=(execution(open_units=Decimal(7)),)), now=LATER)
    assert acts(late, Close) == []


def test_the_switch_as_it_counts() -> None:
    quiet = observation()
    assert effective(quiet, []) == (TradingState.ACTIVE, "begun (Ada)")
    lowered = observation(memory=remembered(floor=(TradingState.REDUCING, Protection.DAILY_LOSS, "3 %")))
    assert effective(lowered, []) == (TradingState.REDUCING, "3 % (daily loss limit)")
    halted = observation(of=books(switch=HALTED), memory=lowered.memory)
    assert effective(halted, []) == (TradingState.HALTED, "I look at it (Ada)")
    blind = observation(books=BLIND, memory=remembered(state=TradingState.REDUCING))
    assert effective(blind, []) == (TradingState.REDUCING, "as it was when the books could be read")
    assert effective(observation(books=BLIND, memory=Memory()), []) == (None, "")
    turn = TurnDown(Protection.BOOKS, Consequence.HALT, "units differ")
    assert effective(quiet, [turn]) == (TradingState.HALTED, "units differ (books in doubt)")


# -- the books


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


# -- signals


def decided(*signals: Any, **changes: Any) -> list[Any]:
    given = {"signals": signals or (signal(),)} | changes.pop("books", {})
    return acts(observation(*changes.pop("trades", ()), of=books(**given), **changes))


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


def code(*signals: Any, **changes: Any) -> Any:
    (refusal,) = decided(*signals, **changes)
    assert isinstance(refusal, Refuse)
    return refusal.refused.code


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


# -- what is told


def test_a_time_that_is_far_off_is_told() -> None:
    (note,) = notes(observation(doubted_time=LATER), "implausible_time")
    assert note.level == "warning"
    assert "2014-05-15 08:31:30 UTC" in note.text
    assert notes(observation(), "implausible_time") == []


def test_a_part_of_the_plan_that_fails_is_told_and_the_rest_goes_on() -> None:
    """An order is not sent by a plan that could not judge what forbids it."""
    of = books(executions=(execution(),), signals=(signal(2, pair="GBP_USD"),), elsewhere=("101-7",))
    found = plan(observation(trade(), of=of, now=LATER), replace(SETTINGS, consequences={}))
    assert [type(a) for a in found] == [Note, Close, See]
    failed = found[0]
    assert isinstance(failed, Note)
    assert (failed.event, failed.level, failed.key) == ("plan_failed", "error", "plan trips")
    assert failed.text.startswith("the plan's trips cannot be decided: KeyError")


def test_the_order_of_the_acts() -> None:
    of = books(
        executions=(execution(), execution(2, status=ExecutionStatus.INTENT, pair="USD_JPY")), signals=(signal(3),),
        elsewhere=(), requests=(),
    )  # fmt: skip
    found = plan(observation(trade(), of=of, now=LATER, memory=remembered()), SETTINGS)
    kinds = [type(a) for a in found]
    assert kinds.index(Close) < kinds.index(Doubt) < kinds.index(See) < kinds.index(Refuse)
    assert found[kinds.index(See)].snapshot.summary.account_id == ACCOUNT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "what"),
    [("_exits", "exits"), ("book_keeping", "books"), ("decide_signals", "signals"), ("_requests_done", "requests"),
     ("_blindness", "blindness")],
)  # fmt: skip
def test_each_part_of_the_plan_that_fails_is_named(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(f"sep_trader.execution.plan.{name}", broken)
    found = [a for a in plan(observation(), SETTINGS) if isinstance(a, Note)]
    text = f"the plan's {what} cannot be decided: RuntimeError: nobody thought of it"
    assert found == [Note("plan_failed", text, "error", key=f"plan {what}")]


def test_what_is_told_word_for_word() -> None:
    blind = [a for a in plan(observation(books=BLIND, record=BLIND), SETTINGS) if isinstance(a, Note)]
    assert blind == [
        Note("blind", "the record cannot be read: no answer", "warning", key="blind record"),
        Note("blind", "the books cannot be read: no answer", "warning", key="blind books"),
    ]
    (time,) = notes(observation(doubted_time=LATER), "implausible_time")
    text = "the broker told 2014-05-15 08:31:30 UTC, which is far off: it moves nothing yet"
    assert time == Note("implausible_time", text, "warning", key="time")
    poisoned = trade(stop_loss=None, price=Decimal("NaN"))
    (failed,) = notes(observation(poisoned, of=books(executions=(execution(),))), "trade_failed")
    text = "trade 31 cannot be judged: InvalidOperation: [<class 'decimal.InvalidOperation'>]"
    assert failed == Note("trade_failed", text, "error", key="trade 31")
    required = replace(snapshot(), guaranteed_stops=GuaranteedStops.REQUIRED)
    (turn,) = acts(observation(account=Seen(required, MONO)), TurnDown)
    assert turn.why == "the account requires guaranteed stops, which this system does not set"
    off = books(executions=(execution(open_units=Decimal(7)),))
    (mismatch,) = notes(observation(trade(), of=off), "reconcile_mismatch")
    text = "trade 31 has 1000 units at the broker, 7 in our books"
    assert mismatch == Note("reconcile_mismatch", text, "error", key=f"mismatch {text}", every_s=300)
    unnamed = replace(closeout(), event=replace(closeout().event, instrument=None))
    assert acts(told(unnamed), TurnDown)[0].why == "the broker closed a trade for want of margin (transaction 41)"


def test_two_trades_are_both_looked_after_whatever_the_first_needs() -> None:
    two = books(switch=HALTED, executions=(execution(), execution(2)))
    assert len(notes(observation(trade(), trade(32), of=two), "halted_with_open_trade")) == 2
    blind: dict[str, Any] = {"account": BLIND, "record": BLIND}
    ended = (execution(), execution(2, horizon_at=NOW))
    seen = snapshot(trade(stop_loss=None), trade(32))
    (closed,) = acts(observation(of=books(executions=ended), last_account=seen, **blind))
    assert closed.trade.trade_id == 32


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
