"""Columns of candles: slices, joins, and what becomes of bid and ask."""

import numpy as np
import pytest

from sep_trader.market.candles import Candles, QuoteCandles, mid_price
from sep_trader.market.granularity import Granularity

TIME = 1_400_000_040 + 60 * np.arange(4, dtype=np.int64)
QUOTES = QuoteCandles(
    "USD_JPY", Granularity.M1, TIME,
    bid_open=np.array([100.001, 100.002, 100.003, 100.004]), bid_high=np.array([100.101, 100.102, 100.103, 100.104]),
    bid_low=np.array([99.901, 99.902, 99.903, 99.904]), bid_close=np.array([100.051, 100.052, 100.053, 100.054]),
    ask_open=np.array([100.003, 100.005, 100.006, 100.007]), ask_high=np.array([100.111, 100.112, 100.114, 100.114]),
    ask_low=np.array([99.911, 99.913, 99.913, 99.914]), ask_close=np.array([100.061, 100.062, 100.050, 100.054]),
    volume=np.array([5, 6, 7, 8]),
)  # fmt: skip


def test_the_mid_is_half_way_rounded_half_even_and_a_crossed_close_has_no_spread() -> None:
    mid = QUOTES.to_mid(3)
    assert (mid.instrument, mid.granularity) == ("USD_JPY", Granularity.M1)
    assert mid.time is QUOTES.time
    assert mid.volume is QUOTES.volume
    # (100.002 + 100.005) / 2 = 100.0035, the even neighbour is 100.004; (100.003 + 100.006) / 2 = 100.0045 -> 100.004.
    assert mid.open.tolist() == [100.002, 100.004, 100.004, 100.006]
    assert mid.high.tolist() == [100.106, 100.107, 100.108, 100.109]
    assert mid.low.tolist() == [99.906, 99.908, 99.908, 99.909]
    assert mid.close.tolist() == [100.056, 100.057, 100.052, 100.054]
    assert mid.spread.tolist() == [0.01, 0.01, 0.0, 0.0]


@pytest.mark.parametrize(
    ("bid", "ask", "precision", "expected"),
    [
        (1.30000, 1.30002, 5, 1.30001),
        (1.30001, 1.30002, 5, 1.30002),  # 1.300015: half to even
        (1.30002, 1.30003, 5, 1.30002),  # 1.300025: half to even
        (2.0, 2.0, 0, 2.0),
        (2.0, 3.0, 0, 2.0),
        (3.0, 4.0, 0, 4.0),
        (100.5, 100.7, 1, 100.6),
    ],
)
def test_mid_prices(bid: float, ask: float, precision: int, expected: float) -> None:
    assert mid_price(np.array([bid]), np.array([ask]), precision).tolist() == [expected]


def test_between_takes_the_start_and_leaves_the_end() -> None:
    mid = QUOTES.to_mid(3)
    part = mid.between(int(TIME[1]), int(TIME[3]))
    assert part.time.tolist() == TIME[1:3].tolist()
    assert part.close.tolist() == mid.close[1:3].tolist()
    assert (part.instrument, part.granularity, len(part)) == ("USD_JPY", Granularity.M1, 2)
    assert len(mid.between(int(TIME[1]) + 1, int(TIME[2]))) == 0
    assert mid.between(0, int(TIME[3]) + 1).time.tolist() == TIME.tolist()


def test_joined_parts_are_the_whole() -> None:
    mid = QUOTES.to_mid(3)
    whole = Candles.join([mid.take(slice(0, 1)), mid.take(slice(1, 4))])
    assert whole.time.tolist() == TIME.tolist()
    assert whole.spread.tolist() == mid.spread.tolist()
    assert (whole.instrument, whole.granularity) == ("USD_JPY", Granularity.M1)
    other = Candles("EUR_USD", Granularity.M1, *(getattr(mid, name) for name in Candles._column_names()))
    for parts in ([mid, other], []):
        with pytest.raises(ValueError, match=r"^candles to join must share one instrument and one granularity$"):
            Candles.join(parts)


def test_prices_and_spreads_become_the_nearest_decimals() -> None:
    near = np.array([1.300010000000004, 1.29999])
    candles = Candles(
        "EUR_USD", Granularity.H1, TIME[:2], near, near + 2e-5, near - 2e-5, near + 1e-5, np.array([1e-4, np.nan]),
        np.array([1, 2]),
    )  # fmt: skip
    exact = candles.normalised(5)
    assert exact.open.tolist() == [1.30001, 1.29999]
    assert exact.high.tolist() == [1.30003, 1.30001]
    assert exact.low.tolist() == [1.29999, 1.29997]
    assert exact.close.tolist() == [1.30002, 1.3]
    assert exact.spread[0] == 0.0001
    assert np.isnan(exact.spread[1])
    assert (exact.time is candles.time, exact.volume is candles.volume) == (True, True)
    assert not candles.has_spread()
    assert candles.take(slice(0, 1)).has_spread()


def test_normalising_says_nothing_of_what_is_no_number() -> None:
    wild = np.array([1e308, np.inf, np.nan, 1.0])
    candles = Candles("EUR_USD", Granularity.M1, TIME, wild, wild, wild, wild, wild, np.ones(4, np.int64))
    with np.errstate(all="raise"):  # what a caller may have set
        assert candles.normalised(5).open[3] == 1.0
