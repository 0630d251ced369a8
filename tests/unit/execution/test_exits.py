"""When a trade of ours is closed, and where its stop belongs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.passes import EURO, MONO, NOW, PRICE, execution, trade

from sep_trader.broker.port import BrokerTrade, Price
from sep_trader.execution.actions import Close, Note, Protect
from sep_trader.execution.exits import ExitRules, exit_of, may_try, standing_stop, terms_by
from sep_trader.execution.marks import Terms
from sep_trader.execution.observation import Attempt
from sep_trader.states import ExitReason

PLAIN = ExitRules()
OPENED = execution()


def needed(
    of: BrokerTrade, *, known: Any = OPENED, now: Any = NOW, price: Price | None = PRICE, rules: ExitRules = PLAIN
) -> Close | Protect | Note | None:
    return exit_of(of, known, now, price, EURO, rules)


def sold(**changes: Any) -> BrokerTrade:
    return trade(units=Decimal(-1000), **{"stop_loss": Decimal("1.37400"), **changes})


def test_a_protected_trade_before_its_horizon_needs_nothing() -> None:
    assert needed(trade()) is None
    assert needed(sold()) is None


def test_a_horizon_comes_by_the_brokers_clock_and_not_a_moment_before() -> None:
    end = NOW + timedelta(minutes=30)
    assert needed(trade(), now=end - timedelta(microseconds=1)) is None
    assert needed(trade(), now=end) == Close(trade(), ExitReason.HORIZON, "it has reached its horizon")
    assert needed(trade(), now=None) is None


def test_a_horizon_and_a_stop_are_known_from_the_trades_own_marks() -> None:
    assert needed(trade(), known=None, now=NOW + timedelta(minutes=30)) is not None
    bare = trade(stop_loss=None)
    assert needed(bare, known=None) == Protect(bare, Decimal("1.36600"), "it had no stop: it is put at 1.36600")


def test_a_trade_without_any_terms_is_told() -> None:
    note = needed(trade(comment="by hand"), known=None)
    assert isinstance(note, Note)
    assert (note.event, note.level, note.key) == ("trade_without_terms", "error", "terms 31")
    assert "trade 31 is ours" in note.text


def test_the_books_terms_come_before_those_on_the_trade() -> None:
    own = execution(horizon_at=NOW, stop_distance=Decimal("0.002"))
    assert terms_by(own, trade()) == Terms(NOW, Decimal("0.002"))
    assert terms_by(execution(stop_distance=None), trade()) == Terms(NOW + timedelta(minutes=30), Decimal("0.0040"))
    unbooked = execution(horizon_at=None)
    assert terms_by(unbooked, trade()) == Terms(unbooked.horizon_end, Decimal("0.0040"))


def test_a_late_fill_is_closed_at_once() -> None:
    late = execution(late=True)
    why = "its order had been given up, and was filled after all"
    assert needed(trade(), known=late) == Close(trade(), ExitReason.LATE, why)


def test_a_missing_stop_is_put_back_on_the_tick_away_from_the_entry() -> None:
    bare = trade(stop_loss=None, price=Decimal("1.370004"))
    assert needed(bare) == Protect(bare, Decimal("1.36600"), "it had no stop: it is put at 1.36600")
    short = sold(stop_loss=None, price=Decimal("1.370004"))
    assert needed(short) == Protect(short, Decimal("1.37401"), "it had no stop: it is put at 1.37401")


def test_where_the_market_is_beyond_the_stop_the_trade_is_closed() -> None:
    bare = trade(stop_loss=None)
    at = replace(PRICE, bid=Decimal("1.36600"), ask=Decimal("1.36610"))
    why = "it had no stop, and the market is beyond 1.36600"
    assert needed(bare, price=at) == Close(bare, ExitReason.STOP_PASSED, why)
    assert isinstance(needed(bare, price=replace(at, bid=Decimal("1.36601"))), Protect)
    assert isinstance(needed(bare, price=replace(at, tradeable=False)), Protect), "a closed market is no market"
    assert isinstance(needed(bare, price=None), Protect)
    short = sold(stop_loss=None)
    beyond = replace(PRICE, bid=Decimal("1.37390"), ask=Decimal("1.37400"))
    assert isinstance(needed(short, price=beyond), Close)
    assert isinstance(needed(short, price=replace(beyond, ask=Decimal("1.37399"))), Protect)


def test_a_looser_stop_is_put_back_and_a_tighter_one_stays() -> None:
    loose = trade(stop_loss=Decimal("1.36599"))
    why = "its stop was moved to 1.36599: it is put back at 1.36600"
    assert needed(loose) == Protect(loose, Decimal("1.36600"), why)
    assert needed(trade(stop_loss=Decimal("1.36601"))) is None
    assert isinstance(needed(sold(stop_loss=Decimal("1.37401"))), Protect)
    assert needed(sold(stop_loss=Decimal("1.37399"))) is None
    at = replace(PRICE, bid=Decimal("1.36600"), ask=Decimal("1.36610"))
    why = "its stop was moved to 1.36599, beyond 1.36600"
    assert needed(loose, price=at) == Close(loose, ExitReason.STOP_PASSED, why)


def test_guaranteed_and_trailing_stops_are_stops() -> None:
    assert needed(trade(stop_loss=None, guaranteed_stop=Decimal("1.36600"))) is None
    assert needed(trade(stop_loss=None, trailing_stop=Decimal("0.004"))) is None
    assert needed(trade(stop_loss=None, trailing_stop_price=Decimal("1.36700"))) is None
    three = trade(guaranteed_stop=Decimal("1.36500"), trailing_stop_price=Decimal("1.36700"))
    assert standing_stop(three) == Decimal("1.36700")
    assert standing_stop(sold(guaranteed_stop=Decimal("1.37300"))) == Decimal("1.37300")
    assert standing_stop(trade(stop_loss=None)) is None


def test_without_the_instruments_terms_only_time_is_judged() -> None:
    assert exit_of(trade(stop_loss=None), OPENED, NOW, PRICE, None, PLAIN) is None
    closed = exit_of(trade(), OPENED, NOW + timedelta(hours=1), PRICE, None, PLAIN)
    assert isinstance(closed, Close)


BREAK_EVEN = ExitRules(break_even_at=Decimal(1))
TRAILING = ExitRules(trailing=Decimal(1))


def test_break_even_moves_the_stop_to_the_entry_once() -> None:
    before = replace(PRICE, bid=Decimal("1.37399"), ask=Decimal("1.37409"))
    assert needed(trade(), price=before, rules=BREAK_EVEN) is None
    there = replace(PRICE, bid=Decimal("1.37400"), ask=Decimal("1.37410"))
    why = "break-even: its stop moves from 1.36600 to 1.37"
    assert needed(trade(), price=there, rules=BREAK_EVEN) == Protect(trade(), Decimal("1.37"), why)
    assert needed(trade(stop_loss=Decimal("1.37")), price=there, rules=BREAK_EVEN) is None
    assert needed(trade(), price=replace(there, tradeable=False), rules=BREAK_EVEN) is None
    assert needed(trade(), price=there) is None, "it is off unless the owner wants it"
    short = sold()
    fallen = replace(PRICE, bid=Decimal("1.36590"), ask=Decimal("1.36600"))
    moved = needed(short, price=fallen, rules=BREAK_EVEN)
    assert isinstance(moved, Protect)
    assert moved.stop == Decimal("1.37")


def test_a_trailing_stop_follows_by_steps_and_never_back() -> None:
    there = replace(PRICE, bid=Decimal("1.37040"), ask=Decimal("1.37050"))
    moved = needed(trade(), price=there, rules=TRAILING)
    assert moved == Protect(trade(), Decimal("1.36640"), "trailing: its stop moves from 1.36600 to 1.36640")
    less = replace(there, bid=Decimal("1.37039"))
    assert needed(trade(), price=less, rules=TRAILING) is None, "a tenth of the stop distance is the least step"
    assert needed(trade(stop_loss=Decimal("1.36700")), price=there, rules=TRAILING) is None
    short = needed(sold(), price=replace(PRICE, bid=Decimal("1.36950"), ask=Decimal("1.36960")), rules=TRAILING)
    assert isinstance(short, Protect)
    assert short.stop == Decimal("1.37360")
    both = replace(TRAILING, break_even_at=Decimal(1))
    far = replace(PRICE, bid=Decimal("1.37900"), ask=Decimal("1.37910"))
    best = needed(trade(), price=far, rules=both)
    assert isinstance(best, Protect)
    assert best.stop == Decimal("1.37500")


@pytest.mark.parametrize(
    ("attempt", "after", "may"),
    [
        (Attempt(MONO, 0), 0.99, False),
        (Attempt(MONO, 0), 1.0, True),
        (Attempt(MONO, 1), 0.99, False),
        (Attempt(MONO, 1), 1.0, True),
        (Attempt(MONO, 2), 1.99, False),
        (Attempt(MONO, 2), 2.0, True),
        (Attempt(MONO, 9), 9.99, False),
        (Attempt(MONO, 9), 10.0, True),
        (Attempt(MONO, 1, "MARKET_HALTED", True), 0.0, True),
    ],
)
def test_a_try_that_failed_is_repeated_after_a_growing_pause(attempt: Attempt, after: float, may: bool) -> None:
    assert may_try(attempt, MONO + after, PRICE) is may


def test_a_closed_market_is_tried_again_only_when_it_is_seen_open() -> None:
    closed = Attempt(MONO, 1, "MARKET_HALTED", closed_market=True)
    assert not may_try(closed, MONO + 10_000, replace(PRICE, tradeable=False))
    assert not may_try(closed, MONO + 10_000, None)
    assert may_try(closed, MONO, PRICE)
    assert may_try(None, MONO, None)


def test_a_short_trade_takes_the_lower_of_two_stops_that_follow() -> None:
    both = ExitRules(break_even_at=Decimal(1), trailing=Decimal(2))
    far = replace(PRICE, bid=Decimal("1.36490"), ask=Decimal("1.36500"))
    found = needed(sold(), price=far, rules=both)
    assert isinstance(found, Protect)
    assert (found.stop, found.why) == (Decimal("1.37"), "break-even: its stop moves from 1.37400 to 1.37")
    deeper = needed(sold(), price=replace(far, ask=Decimal("1.35500")), rules=both)
    assert isinstance(deeper, Protect)
    assert deeper.stop == Decimal("1.36300")


def test_without_a_price_nothing_follows_and_a_trade_of_one_unit_is_a_trade() -> None:
    assert needed(trade(), price=None, rules=TRAILING) is None
    assert needed(trade(units=Decimal(1))) is None
    bare = trade(units=Decimal(1), stop_loss=None)
    assert needed(bare) == Protect(bare, Decimal("1.36600"), "it had no stop: it is put at 1.36600")
    assert needed(trade(stop_loss=None, trailing_stop=Decimal("0.004")), rules=BREAK_EVEN) is None
    two = trade(units=Decimal(1), guaranteed_stop=Decimal("1.36500"))
    assert standing_stop(two) == Decimal("1.36600")
    note = needed(trade(comment=None), known=None)
    assert isinstance(note, Note)
    assert note.every_s == 300
