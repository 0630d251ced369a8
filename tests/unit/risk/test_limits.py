"""Limits refuse with their code and their figures, at the edge and not before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.market.instrument import standard_instrument
from sep_trader.risk.limits import (
    Exposure,
    Hours,
    Marks,
    NewsWindow,
    PairLimits,
    Reason,
    Refused,
    RiskLimits,
    Wanted,
    check_exposure,
    check_pair,
    check_quote,
    check_size,
    losses,
    price_age_s,
)

NOW = datetime(2014, 5, 15, 8, 1, tzinfo=UTC)  # a Thursday
SECOND = timedelta(seconds=1)
EURO = standard_instrument("EUR_USD")
WANTED = Wanted("EUR_USD", 1, Decimal("0.5"), NOW)
NAV = Decimal(10_000)
FLAT = Exposure(
    nav=NAV, margin_available=NAV, open_trades=0, unsettled_pairs=frozenset(), marks=Marks(NAV, NAV, NAV),
    gross=Decimal(0), by_currency={},
)  # fmt: skip
LIMITS = RiskLimits(max_open_trades=2)


def refused(found: Refused | None, code: Reason, text: str) -> None:
    assert found == Refused(code, text)


def exposed(**changes: Any) -> Refused | None:
    return check_exposure(WANTED, NOW, replace(FLAT, **changes), LIMITS)


def test_nothing_forbids_a_flat_account() -> None:
    assert exposed() is None
    assert check_pair(WANTED, NOW, LIMITS) is None


def test_a_busy_pair_is_refused_and_another_one_is_not() -> None:
    text = "EUR_USD has an open trade or an unsettled order"
    refused(exposed(unsettled_pairs=frozenset({"EUR_USD"}), open_trades=1), Reason.PAIR_BUSY, text)
    assert exposed(unsettled_pairs=frozenset({"NZD_USD"}), open_trades=1) is None


def test_a_pair_is_busy_for_candles_that_ended_with_its_trade_or_before() -> None:
    assert exposed(last_exits={"EUR_USD": NOW - SECOND}) is None
    assert exposed(last_exits={"NZD_USD": NOW + SECOND}) is None
    assert exposed(last_exits={"EUR_USD": NOW}) is not None
    text = "the candle ended at 08:01:00, the trade of EUR_USD at 08:01:07 UTC"
    refused(exposed(last_exits={"EUR_USD": NOW + 7 * SECOND}), Reason.PAIR_BUSY, text)


def test_the_number_of_trades_is_limited() -> None:
    assert exposed(open_trades=1) is None
    refused(exposed(open_trades=2), Reason.MAX_OPEN_TRADES, "2 trades are open, 2 allowed")


def test_the_number_of_orders_in_a_minute_is_limited() -> None:
    assert exposed(orders_last_minute=9) is None
    refused(exposed(orders_last_minute=10), Reason.ORDER_RATE, "10 orders in a minute, 10 allowed")


def test_a_losing_streak_is_followed_by_a_pause() -> None:
    late, gone = NOW - timedelta(minutes=60) + SECOND, NOW - timedelta(minutes=60)
    text = "8 trades in a row were lost; trading goes on at 08:01:01 UTC"
    refused(exposed(losses_in_a_row=8, last_loss=late), Reason.COOLDOWN, text)
    assert exposed(losses_in_a_row=7, last_loss=late) is None
    assert exposed(losses_in_a_row=8, last_loss=gone) is None
    assert exposed(losses_in_a_row=8, last_loss=None) is None
    never = replace(LIMITS, losing_streak=0)
    assert check_exposure(WANTED, NOW, replace(FLAT, losses_in_a_row=9, last_loss=late), never) is None


@pytest.mark.parametrize(
    ("mark", "code", "share", "text"),
    [
        ("day_nav", Reason.DAILY_LOSS_LIMIT, "0.03", "at the start of the day, 3.0% may be lost"),
        ("week_nav", Reason.WEEKLY_LOSS_LIMIT, "0.06", "at the start of the week, 6.0% may be lost"),
        ("nav_high", Reason.MAX_DRAWDOWN, "0.2", "at its highest, 20.0% may be drawn down"),
    ],
)
def test_losses_are_measured_from_their_mark_open_trades_included(
    mark: str, code: Reason, share: str, text: str
) -> None:
    start = Decimal(10_000)
    gone = start - Decimal(share) * start
    others = {name: gone for name in ("day_nav", "week_nav", "nav_high") if name != mark}
    marks = Marks(**{**others, mark: start})
    assert losses(gone + Decimal("0.01"), marks, LIMITS) is None
    refused(losses(gone, marks, LIMITS), code, f"NAV is {gone} after 10000 {text}")
    refused(exposed(nav=gone, marks=marks), code, f"NAV is {gone} after 10000 {text}")


def test_a_pairs_sides_and_confidence() -> None:
    own = replace(LIMITS, pairs={"EUR_USD": PairLimits(sides=frozenset({-1}))})
    refused(check_pair(WANTED, NOW, own), Reason.SIDE_DISABLED, "EUR_USD may not be bought")
    assert check_pair(replace(WANTED, side=-1), NOW, own) is None
    own = replace(LIMITS, pairs={"EUR_USD": PairLimits(sides=frozenset({1}))})
    refused(check_pair(replace(WANTED, side=-1), NOW, own), Reason.SIDE_DISABLED, "EUR_USD may not be sold")
    sure = replace(LIMITS, pairs={"EUR_USD": PairLimits(min_confidence=Decimal("0.6"))})
    text = "the confidence is 0.5, 0.6 is the least for EUR_USD"
    refused(check_pair(WANTED, NOW, sure), Reason.LOW_CONFIDENCE, text)
    assert check_pair(replace(WANTED, confidence=Decimal("0.6")), NOW, sure) is None
    assert check_pair(replace(WANTED, pair="NZD_USD"), NOW, sure) is None


def test_hours_are_spans_of_the_week() -> None:
    thursday = Hours(frozenset({3}), 8 * 60 + 1, 8 * 60 + 2)
    assert thursday.hold(NOW)
    assert thursday.hold(NOW + timedelta(seconds=59))
    assert not thursday.hold(NOW - SECOND)
    assert not thursday.hold(NOW + timedelta(seconds=60))
    assert not thursday.hold(NOW + timedelta(days=1))
    closed = replace(LIMITS, pairs={"EUR_USD": PairLimits(hours=(thursday,))})
    assert check_pair(WANTED, NOW, closed) is None
    later = NOW + timedelta(hours=1)
    refused(check_pair(WANTED, later, closed), Reason.OUTSIDE_HOURS, "EUR_USD is not traded at Thursday 09:01 UTC")


def test_news_keep_their_currencies_out_of_the_market() -> None:
    window = NewsWindow(NOW, NOW + timedelta(minutes=30), frozenset({"USD"}), "US employment")
    limits = replace(LIMITS, news=(window,))
    text = "US employment until 2014-05-15 08:31 UTC"
    refused(check_pair(WANTED, NOW, limits), Reason.NEWS_WINDOW, text)
    assert check_pair(WANTED, NOW - SECOND, limits) is None
    assert check_pair(WANTED, window.end, limits) is None
    assert check_pair(replace(WANTED, pair="EUR_GBP"), NOW, limits) is None
    everything = replace(limits, news=(replace(window, currencies=frozenset()),))
    assert check_pair(replace(WANTED, pair="EUR_GBP"), NOW, everything) is not None


def test_the_spread_is_limited_by_pair() -> None:
    assert check_quote(EURO, Decimal("0.00050"), Decimal("0.01"), LIMITS) is None
    found = check_quote(EURO, Decimal("0.00051"), Decimal("0.01"), LIMITS)
    refused(found, Reason.SPREAD_TOO_WIDE, "the spread is 5.1 pips, 5 allowed")
    own = replace(LIMITS, pairs={"EUR_USD": PairLimits(max_spread_pips=Decimal(6))})
    assert check_quote(EURO, Decimal("0.00051"), Decimal("0.01"), own) is None


def test_the_least_stop_is_two_spreads_or_some_pips() -> None:
    inside = check_quote(EURO, Decimal("0.00010"), Decimal("0.00010"), LIMITS)
    refused(inside, Reason.STOP_INSIDE_SPREAD, "the stop distance 0.00010 is not wider than the spread")
    pips = check_quote(EURO, Decimal("0.00010"), Decimal("0.00029"), LIMITS)
    refused(pips, Reason.STOP_TOO_CLOSE, "the stop distance is 0.00029, 0.0003 is the least")
    assert check_quote(EURO, Decimal("0.00010"), Decimal("0.00030"), LIMITS) is None
    spreads = check_quote(EURO, Decimal("0.00020"), Decimal("0.00039"), LIMITS)
    refused(spreads, Reason.STOP_TOO_CLOSE, "the stop distance is 0.00039, 0.0004 is the least")
    assert check_quote(EURO, Decimal("0.00020"), Decimal("0.00040"), LIMITS) is None
    own = replace(LIMITS, pairs={"EUR_USD": PairLimits(min_stop_pips=Decimal(8))})
    assert check_quote(EURO, Decimal("0.00010"), Decimal("0.00079"), own) is not None
    assert check_quote(EURO, Decimal("0.00010"), Decimal("0.00080"), own) is None


def sized(units: int, exposure: Exposure = FLAT, limits: RiskLimits = LIMITS, home: str = "USD") -> Refused | None:
    return check_size(Decimal(units), EURO, Decimal(1), home, exposure, limits)


OPEN = replace(LIMITS, max_currency_exposure=Decimal(100), margin_headroom=Decimal(0))


def test_leverage_counts_what_is_open_already() -> None:
    carried = replace(FLAT, gross=Decimal(40_000))
    assert sized(60_000, carried, OPEN) is None
    assert sized(-60_000, carried, OPEN) is None
    text = "exposure would be 100001, 10.0 times the NAV; 10 allowed"
    refused(sized(60_001, carried, OPEN), Reason.LEVERAGE_LIMIT, text)
    assert sized(-60_001, carried, OPEN) is not None


def test_an_exposure_that_is_not_known_is_not_taken_as_zero() -> None:
    text = "the exposure of an open trade is not known: its rate is missing"
    refused(sized(1, replace(FLAT, gross=None)), Reason.NO_CONVERSION_RATE, text)


def test_the_exposure_in_a_currency_is_net_and_leaves_the_accounts_own_out() -> None:
    limits = replace(OPEN, max_currency_exposure=Decimal(3))
    long = replace(FLAT, by_currency={"EUR": Decimal(20_000), "USD": Decimal(-200_000)})
    assert sized(10_000, long, limits) is None
    text = "exposure in EUR would be 3.0 times the NAV; 3 allowed"
    refused(sized(10_001, long, limits), Reason.CURRENCY_LIMIT, text)
    assert sized(-50_000, long, limits) is None
    assert sized(-50_001, long, limits) is not None
    # In an account in francs the dollar is a currency like any other; what lessens an exposure is never refused for it.
    text = "exposure in USD would be 20.5 times the NAV; 3 allowed"
    refused(sized(5_000, long, limits, "CHF"), Reason.CURRENCY_LIMIT, text)
    assert sized(-5_000, long, limits, "CHF") is None


def test_a_share_of_the_nav_stays_free_of_margin() -> None:
    limits = replace(OPEN, margin_headroom=Decimal("0.9"))
    assert sized(50_000, limits=limits) is None  # 1,000 margin of 10,000
    text = "1000.02 margin of 10000.00 free leaves less than 90% of the NAV"
    refused(sized(50_001, limits=limits), Reason.MARGIN_HEADROOM, text)


def test_the_age_of_a_quote() -> None:
    assert price_age_s(NOW - SECOND, NOW) == 1
