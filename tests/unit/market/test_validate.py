"""What makes a row unbelievable."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.validate import check_candles, check_prices, check_times, refusals

NOW = 1_500_000_000


def good(count: int = 4) -> Candles:
    time = 1_400_000_040 + 60 * np.arange(count, dtype=np.int64)
    price = np.full(count, 1.3)
    spread, volume = np.full(count, 1e-4), np.ones(count, np.int64)
    return Candles("EUR_USD", Granularity.M1, time, price, price + 1e-4, price - 1e-4, price, spread, volume)


def test_good_rows_are_not_refused() -> None:
    assert refusals(good(), 5, NOW) == {}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("high", 1.29995, "high is below open or close"),
        ("low", 1.30005, "low is above open or close"),
        ("close", np.nan, "a price is not a number"),
        ("low", 0.0, "a price is not positive"),
        ("high", 1.300125, "a price has more than 5 decimals"),
        ("spread", -1e-5, "the spread is negative"),
        ("volume", -1, "volume is negative"),
        ("volume", 2**31, "volume is out of range"),
        ("time", 1_400_000_161, "time is not on the M1 grid"),
        ("time", NOW - NOW % 60, "time is in the future"),
        ("time", 1_400_000_040, "duplicate time"),
        ("time", 1_399_999_980, "time is before that of the row above"),
    ],
)
def test_each_flaw_is_named_and_costs_its_row_only(column: str, value: float, reason: str) -> None:
    candles = good()
    changed = getattr(candles, column).copy()
    changed[2] = value
    assert refusals(replace(candles, **{column: changed}), 5, NOW) == {2: reason}


def test_both_sides_are_judged() -> None:
    mid = good()
    quotes = QuoteCandles(
        "EUR_USD", Granularity.M1, mid.time, mid.open, mid.high, mid.low, mid.close,
        mid.open + 1e-4, mid.high, mid.low + 1e-4, mid.close + 1e-4, mid.volume,
    )  # fmt: skip
    assert refusals(quotes, 5, NOW) == {}
    assert refusals(replace(quotes, ask_close=mid.close + 2e-4), 5, NOW)[0] == "ask: high is below open or close"


def test_a_series_of_good_candles_passes_every_check() -> None:
    candles = good()
    check_candles(candles)
    check_prices("close", candles.close)
    check_times(candles.time)
    check_times(candles.time[:0])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("open", np.nan, "open of candle 2 is nan"),
        ("high", np.inf, "high of candle 2 is inf"),
        ("low", 0.0, "low of candle 2 is 0.0"),
        ("close", -1.3, "close of candle 2 is -1.3"),
        ("spread", -1e-5, "spread of candle 2 is -1e-05"),
        ("spread", np.nan, "1 of 4 candles have no recorded spread"),
        ("time", 1_400_000_100, "time of candle 2 is 1400000100 s, not after 1400000100 s of the candle before it"),
        ("time", 1_400_000_099, "time of candle 2 is 1400000099 s, not after 1400000100 s of the candle before it"),
    ],
)
def test_the_first_flaw_of_a_series_is_named_by_column_and_index(column: str, value: float, message: str) -> None:
    changed = getattr(good(), column).copy()
    changed[2] = value
    with pytest.raises(InputError, match=re.escape(message)):
        check_candles(replace(good(), **{column: changed}))


@pytest.mark.parametrize(
    ("check", "hint"),
    [
        (lambda: check_prices("close", np.array([1.0, -1.0])), "prices are finite and above 0"),
        (lambda: check_times(np.array([60, 0])), "sort the candles and drop duplicates"),
        (lambda: check_candles(replace(good(), spread=np.full(4, np.nan))), "declare one: --spread-pips"),
        (lambda: check_candles(replace(good(), spread=np.full(4, np.inf))), "a spread is finite and not below 0"),
    ],
)
def test_a_refused_series_says_what_to_do(check: Callable[[], None], hint: str) -> None:
    with pytest.raises(InputError) as refused:
        check()
    assert refused.value.hint == hint


def test_limits_are_where_they_are_said_to_be() -> None:
    candles = good()
    # A spread of 0 was seen; a price of a thousandth is a price; the highest volume that fits is one.
    check_candles(replace(candles, spread=np.zeros(4)))
    check_prices("close", np.array([1e-3]))
    thousandth = np.full(4, 1e-3)
    low = replace(candles, open=thousandth, high=thousandth, low=thousandth, close=thousandth)
    assert refusals(low, 5, NOW) == {}
    assert refusals(replace(candles, volume=np.full(4, 2**31 - 1)), 5, NOW) == {}
    assert refusals(replace(candles, volume=np.zeros(4, np.int64)), 5, NOW) == {}
    assert refusals(replace(candles, spread=np.zeros(4)), 5, NOW) == {}
    assert refusals(replace(candles, spread=np.full(4, np.inf)), 5, NOW)[3] == "the spread is not a number"
    # A candle that ends now is complete.
    last = int(candles.time[3])
    assert refusals(candles, 5, last + 60) == {}
    assert refusals(candles, 5, last + 59) == {3: "time is in the future"}


def test_a_row_has_its_first_flaw_and_the_others_are_kept() -> None:
    candles = good(5)
    price = candles.close.copy()
    price[1], price[3] = np.nan, -1.0
    found = refusals(replace(candles, close=price), 5, NOW)
    assert found == {1: "a price is not a number", 3: "a price is not positive"}


def test_the_ask_may_be_below_the_bid_by_what_was_allowed_and_half_a_tick() -> None:
    mid = good()
    prices = (mid.open, mid.high, mid.low, mid.close)
    quotes = QuoteCandles("EUR_USD", Granularity.M1, mid.time, *prices, *prices, mid.volume)
    assert refusals(quotes, 5, NOW) == {}
    crossed = replace(quotes, ask_close=mid.close - 2e-5)
    assert refusals(crossed, 5, NOW) == dict.fromkeys(range(4), "ask is below bid at the close")
    assert refusals(crossed, 5, NOW, crossed=2e-5) == {}
    assert refusals(crossed, 5, NOW, crossed=1e-5) == dict.fromkeys(range(4), "ask is below bid at the close")
    named = refusals(replace(quotes, bid_low=np.full(4, np.nan)), 5, NOW)
    assert named == dict.fromkeys(range(4), "bid: a price is not a number")


def test_decimals_are_counted_with_room_for_a_floats_own_error() -> None:
    price = np.full(4, 1234567.8)  # 1e6 ticks of 5 decimals are not exact in a float
    candles = replace(good(), open=price, high=price, low=price, close=price)
    assert refusals(candles, 5, NOW) == {}
    assert refusals(candles, 0, NOW) == dict.fromkeys(range(4), "a price has more than 0 decimals")
    with np.errstate(all="raise"):  # what a caller may have set
        huge = np.full(4, 1e308)
        assert refusals(replace(candles, open=huge, high=huge, low=huge, close=huge), 5, NOW) == {}


def test_the_order_is_judged_among_the_rows_that_are_good() -> None:
    candles = good(6)
    time = candles.time.copy()
    time[1], time[2], time[4] = time[3], time[3], time[0]
    found = refusals(replace(candles, time=time), 5, NOW)
    assert found == {2: "duplicate time", 3: "duplicate time", 4: "duplicate time"}
    bad = candles.close.copy()
    bad[1] = np.nan
    assert refusals(replace(candles, time=time, close=bad), 5, NOW) == {
        1: "a price is not a number", 3: "duplicate time", 4: "duplicate time",
    }  # fmt: skip
