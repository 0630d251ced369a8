"""What a pass does without an order: exits, requests, and what is told."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support.passes import (
    ACCOUNT,
    BOOKED,
    MONO,
    NOW,
    PRICE,
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
from tests.support.plans import (
    BLIND,
    HALTED,
    LATER,
    REDUCING,
    acts,
    closeout,
    notes,
    open_trade,
    remembered,
    request,
    told,
)

from sep_trader.broker.port import GuaranteedStops, Transactions
from sep_trader.execution.actions import (
    Answer,
    Close,
    Doubt,
    Note,
    Protect,
    Refuse,
    See,
    TurnDown,
)
from sep_trader.execution.marks import Owner
from sep_trader.execution.observation import Attempt, Memory, Seen
from sep_trader.execution.plan import plan
from sep_trader.execution.rows import Request
from sep_trader.states import ExecutionStatus, ExitReason, RequestKind, TradingState


def test_a_quiet_pass_only_keeps_what_it_sees() -> None:
    (only,) = plan(observation(), SETTINGS)
    assert isinstance(only, See)
    assert acts(open_trade()) == []


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
    for memory in (closed, None):  # at the first try, too: each start would be one
        waiting = open_trade(now=LATER, memory=memory, pricing=shut)
        assert acts(waiting) == []
        assert any(isinstance(a, Note) and a.event == "exit_waits" for a in plan(waiting, SETTINGS))
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
