"""What makes a row unbelievable."""

import re
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
