"""The owner's file of limits: what it may say, and what it says of mistakes."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sep_trader.errors import InputError
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.risk.limits import Hours, RiskLimits
from sep_trader.risk.protections import CHOSEN, CONSEQUENCES, OF_LOSSES, Consequence, Protection
from sep_trader.risk.terms import read_hours, read_news, read_terms

EXAMPLES = Path(__file__).parents[3] / "examples"
BASE = RiskLimits(max_open_trades=7)


def test_an_empty_file_changes_nothing() -> None:
    terms = read_terms("", "risk.toml", BASE)
    assert (terms.limits, terms.consequences, terms.exits) == (BASE, CONSEQUENCES, {})


def test_the_prop_firms_example_says_what_it_means() -> None:
    terms = read_terms((EXAMPLES / "risk-prop-firm.toml").read_text(), "risk.toml", BASE)
    limits = terms.limits
    assert (limits.max_daily_loss, limits.max_drawdown, limits.max_open_trades) == (Decimal("0.04"), Decimal("0.08"), 3)
    assert (limits.losing_streak, limits.cooldown_minutes) == (4, 240)
    assert terms.consequences[Protection.DAILY_LOSS] is Consequence.FLATTEN
    assert terms.consequences[Protection.BOOKS] is Consequence.HALT
    euro, pound = limits.pairs["EUR_USD"], limits.pairs["GBP_JPY"]
    assert euro.max_spread_pips == Decimal("1.5")
    assert euro.hours == (
        Hours(frozenset({0, 1, 2, 3}), 360, 1140), Hours(frozenset({4}), 360, 960),
    )  # fmt: skip
    assert (pound.sides, pound.min_stop_pips, pound.min_confidence) == (frozenset({1}), Decimal(8), Decimal("0.6"))


def test_the_example_of_news_is_read() -> None:
    windows = read_news((EXAMPLES / "news.csv").read_text(), "news.csv")
    first, last = windows[0], windows[-1]
    assert (first.start, first.end) == (
        datetime(2026, 12, 4, 13, 0, tzinfo=UTC), datetime(2026, 12, 4, 14, 0, tzinfo=UTC),
    )  # fmt: skip
    assert (first.currencies, first.title) == (frozenset({"USD"}), "US employment")
    assert last.currencies == frozenset()


def test_exits_follow_the_market_where_the_owner_says_so() -> None:
    terms = read_terms("[exits]\nbreak_even_at = 1.5\ntrailing = 2", "risk.toml", BASE)
    assert terms.exits == {"break_even_at": Decimal("1.5"), "trailing": Decimal(2)}


MISTAKES = {
    "limits =": "risk.toml is no TOML: Invalid value (at end of document)",
    "limits = 3": "risk.toml: limits is no table (write it as [limits])",
    "[limit]\n": "risk.toml: unknown table [limit] (expected limits, pairs, trips, exits)",
    "[limits]\nmax_daily_los = 0.1": (
        "risk.toml [limits]: unknown limit max_daily_los (expected cooldown_minutes, losing_streak, "
        "margin_headroom, max_currency_exposure, max_daily_loss, max_drawdown, max_evidence_age_days, max_leverage, "
        "max_open_trades, max_orders_a_minute, max_spread_pips, max_unknown_orders, max_weekly_loss, "
        "min_stop_pips, min_stop_spreads, price_max_age_s, risk_per_trade)"
    ),
    "[limits]\nmax_daily_loss = -0.1": "risk.toml [limits] max_daily_loss is -0.1 (expected a number, 0 or more)",
    "[limits]\nmax_daily_loss = true": "risk.toml [limits] max_daily_loss is True (expected a number, 0 or more)",
    "[limits]\nmax_daily_loss = nan": "risk.toml [limits] max_daily_loss is NaN (expected a number, 0 or more)",
    "[limits]\nmax_daily_loss = 'much'": "risk.toml [limits] max_daily_loss is 'much' (expected a number, 0 or more)",
    "[limits]\nmax_daily_loss = [1]": "risk.toml [limits] max_daily_loss is [1] (expected a number, 0 or more)",
    "[limits]\nmax_open_trades = 2.5": "risk.toml [limits] max_open_trades is 2.5 (expected a whole number)",
    "[limits]\nmax_drawdown = 0": (
        "risk.toml [limits] max_drawdown is 0: nothing would be traded (expected a number above 0)"
    ),
    "[limits]\nrisk_per_trade = 0.06": "risk.toml [limits] risk_per_trade is 0.06 (at most 0.05)",
    "pairs = 3": "risk.toml: pairs is no table (write it as [pairs])",
    "[pairs.EURO]\nsides = 'buy'": "risk.toml [pairs.EURO]: unknown pair 'EURO' (write it as EUR_USD)",
    "[pairs]\nEUR_USD = 3": "risk.toml [pairs.EUR_USD] is no table",
    "[pairs.EUR_USD]\nsides = 'long'": "risk.toml [pairs.EUR_USD] sides is 'long' (buy, sell or both)",
    "[pairs.EUR_USD]\nspread = 2": (
        "risk.toml [pairs.EUR_USD]: unknown key spread (expected max_spread_pips, min_stop_pips, "
        "min_confidence, sides, hours)"
    ),
    "[pairs.EUR_USD]\nmax_spread_pips = -1": (
        "risk.toml [pairs.EUR_USD] max_spread_pips is -1 (expected a number, 0 or more)"
    ),
    "[pairs.EUR_USD]\nmin_stop_pips = -1": (
        "risk.toml [pairs.EUR_USD] min_stop_pips is -1 (expected a number, 0 or more)"
    ),
    "[pairs.EUR_USD]\nmin_confidence = -1": (
        "risk.toml [pairs.EUR_USD] min_confidence is -1 (expected a number, 0 or more)"
    ),
    "[pairs.EUR_USD]\nhours = 'mon 9-10'": (
        "risk.toml [pairs.EUR_USD] hours is 'mon 9-10' (write it as mon-fri 07:00-16:00, in UTC)"
    ),
    "trips = 3": "risk.toml: trips is no table (write it as [trips])",
    "[trips]\nbooks = 'reduce'": (
        "risk.toml [trips]: unknown protection books (expected daily_loss, drawdown, margin_closeout, weekly_loss)"
    ),
    "[trips]\ndaily_loss = 'cry'": "risk.toml [trips] daily_loss is 'cry' (expected reduce, flatten or halt)",
    "exits = 3": "risk.toml: exits is no table (write it as [exits])",
    "[exits]\ntrail = 1": "risk.toml [exits]: unknown key trail (expected break_even_at, trailing, least_step)",
    "[exits]\ntrailing = -1": "risk.toml [exits] trailing is -1 (expected a number, 0 or more)",
}
"""What people write, and the whole sentence that they are told."""


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_terms(text, "risk.toml", BASE)
    assert str(caught.value) == MISTAKES[text]


HEAD = "time,before,after,currencies,title\n"
NEWS_MISTAKES = {
    "time,title\n": "news.csv: the header is ['time', 'title'] (expected time,before,after,currencies,title)",
    "time,before,after,currencies,title\nsoon,1,1,USD,x\n": (
        "news.csv line 2: not an RFC 3339 time: 'soon' (like 2014-05-01T00:00:00Z)"
    ),
    "time,before,after,currencies,title\n,1,1,USD,x\n": (
        "news.csv line 2: not an RFC 3339 time: '' (like 2014-05-01T00:00:00Z)"
    ),
    "time,before,after,currencies,title\n2026-12-04T13:30:00Z,1,one,USD,x\n": (
        "news.csv line 2: minutes are whole numbers (before=1, after=one)"
    ),
    "time,before,after,currencies,title\n2026-12-04T13:30:00Z,,1,USD,x\n": (
        "news.csv line 2: minutes are whole numbers (before=, after=1)"
    ),
    "time,before,after,currencies,title\n2026-12-04T13:30:00Z,1,1,USX,x\n": "news.csv line 2: unknown currency USX",
}


@pytest.mark.parametrize("text", NEWS_MISTAKES)
def test_a_mistake_in_the_news_is_named_with_its_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_news(text, "news.csv")
    assert str(caught.value) == NEWS_MISTAKES[text]


def test_news_without_a_title_or_currencies_are_news_of_everything() -> None:
    (window,) = read_news(HEAD + "2026-12-04T13:30:00Z,1,1,,\n", "news.csv")
    assert (window.currencies, window.title) == (frozenset(), "news")


def test_the_edges_of_what_is_taken() -> None:
    assert read_terms("[limits]\nrisk_per_trade = 0.05", "f", BASE).limits.risk_per_trade == Decimal("0.05")
    assert read_terms("[limits]\nmin_stop_pips = 0", "f", BASE).limits.min_stop_pips == 0
    assert read_terms("[limits]\nlosing_streak = 0", "f", BASE).limits.losing_streak == 0
    assert read_hours("mon 08:59-10:59", "f") == Hours(frozenset({0}), 539, 659)
    one = read_terms("[pairs.EUR_USD]\nhours = 'mon 08:00-09:00'", "f", BASE).limits.pairs["EUR_USD"]
    assert one.hours == (Hours(frozenset({0}), 480, 540),)


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("mon 00:00-24:00", {0}, 0, 1440),
        ("Mon-Fri 07:30-16:00", {0, 1, 2, 3, 4}, 450, 960),
        ("fri-mon 21:00-22:00", {4, 5, 6, 0}, 1260, 1320),
        ("sun-sun 21:00-22:00", {6}, 1260, 1320),
    ],
)
def test_hours(text: str, days: set[int], start: int, end: int) -> None:
    assert read_hours(text, "risk.toml") == Hours(frozenset(days), start, end)


@pytest.mark.parametrize("text", ["mon 10:00-09:00", "mon 10:00-10:00", "xyz 09:00-10:00", "mon-xyz 09:00-10:00",
                                  "mon 09:00-24:01", "mon 09:60-10:00", "mon 09:00-10:60", 7])  # fmt: skip
def test_hours_that_are_none(text: object) -> None:
    with pytest.raises(InputError, match="hours is") as caught:
        read_hours(text, "risk.toml")
    assert str(caught.value).endswith("(write it as mon-fri 07:00-16:00, in UTC)")


@pytest.mark.parametrize(
    ("moment", "day", "week"),
    [
        (datetime(2014, 5, 15, 20, 59, tzinfo=UTC), date(2014, 5, 15), date(2014, 5, 12)),
        (datetime(2014, 5, 15, 21, 0, tzinfo=UTC), date(2014, 5, 16), date(2014, 5, 12)),
        (datetime(2014, 12, 15, 21, 59, tzinfo=UTC), date(2014, 12, 15), date(2014, 12, 15)),
        (datetime(2014, 12, 15, 22, 0, tzinfo=UTC), date(2014, 12, 16), date(2014, 12, 15)),
        (datetime(2014, 5, 18, 20, 59, tzinfo=UTC), date(2014, 5, 18), date(2014, 5, 12)),
        (datetime(2014, 5, 18, 21, 0, tzinfo=UTC), date(2014, 5, 19), date(2014, 5, 19)),
    ],
)
def test_the_brokers_day_begins_at_five_in_new_york(moment: datetime, day: date, week: date) -> None:
    assert (broker_day(moment), broker_week(moment)) == (day, week)


def test_one_table_says_what_each_protection_does() -> None:
    assert CONSEQUENCES.keys() == set(Protection)
    assert set(OF_LOSSES.values()) <= CHOSEN
    assert {p for p, c in CONSEQUENCES.items() if c is Consequence.HALT}.isdisjoint(CHOSEN)
