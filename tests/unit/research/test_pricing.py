"""Proposals as they can be traded."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.pricing import copied_opens, priced_on, too_near, whole_ticks
from sep_trader.research.simulate import ExitReason, simulate
from sep_trader.research.strategies import Proposals

TERMS = standard_instrument("EUR_USD")
FREE = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)


def series(n: int = 12, spread: float = 0.0, price: float = 1.1) -> Candles:
    at = np.arange(n, dtype=np.int64) * 60
    flat = np.full(n, price)
    return Candles(
        "EUR_USD", Granularity.M1, at, flat, flat + 1e-4, flat - 1e-4, flat, np.full(n, spread), np.ones(n, np.int64)
    )  # fmt: skip


def proposals(n: int, stop: float, target: float) -> Proposals:
    side = np.zeros(n, np.int8)
    side[1] = 1
    return Proposals(side, np.ones(n), np.full(n, stop), np.full(n, target), metrics=None)


@given(st.floats(1e-7, 5.0))
def test_a_distance_is_whole_ticks_and_at_least_one(distance: float) -> None:
    (found,) = whole_ticks(np.array([distance]), TERMS).tolist()
    exact = Decimal(repr(found))
    assert exact == exact.quantize(TERMS.tick)
    assert exact >= TERMS.tick
    assert abs(found - distance) <= float(TERMS.tick) * (1.0 if distance < 1e-5 else 0.5000001)


def test_no_stop_inside_two_spreads_is_proposed() -> None:
    for stop, left in ((0.00019, 0), (0.0002, 1), (0.00021, 1)):
        found = priced_on(proposals(12, stop, 0.0004), series(spread=0.0001))
        assert np.count_nonzero(found.side) == left
    unknown = replace(series(), spread=np.full(12, np.nan))
    assert np.count_nonzero(priced_on(proposals(12, 0.00001, 0.1), unknown).side) == 1
    assert not too_near(np.array([1e-9]), np.array([np.nan]))[0]


def test_no_target_stays_none() -> None:
    assert np.isinf(priced_on(proposals(12, 0.0004, np.inf), series()).target).all()


def test_a_price_exactly_on_the_stop_is_met() -> None:
    """1.3926 against 1.3925999999999998: the level is that of the ticks, not of the subtraction."""
    candles = series(price=1.39302)
    low = candles.low.copy()
    low[5] = 1.3926
    candles = replace(candles, low=low)
    found = proposals(12, 0.00042, np.inf)
    assert 1.39302 - 0.00042 < 1.3926
    trades = simulate(candles, found.side, found.stop, found.target, 8, FREE, digits=5)
    assert trades.reason.tolist() == [ExitReason.STOP]
    assert trades.exit_price[0] == pytest.approx(1.3926, abs=1e-15)
    assert trades.exit.tolist() == [5]
    missed = simulate(candles, found.side, found.stop, found.target, 8, FREE)
    assert missed.reason.tolist() == [ExitReason.HORIZON]


def test_copied_opens_are_known_by_the_gaps() -> None:
    day = 86_400
    at = np.array([0, 3_600, 3 * day, 3 * day + 3_600, 6 * day, 9 * day, 12 * day], dtype=np.int64)
    close = np.linspace(1.1, 1.2, len(at))
    copied = np.concatenate([close[:1], close[:-1]])
    candles = Candles("EUR_USD", Granularity.H1, at, copied, close, copied, close, np.zeros(7), np.ones(7, np.int64))
    assert copied_opens(candles)
    assert not copied_opens(replace(candles, open=copied + 1e-5))
    # Too few gaps tell nothing.
    assert not copied_opens(candles.take(slice(0, 5)))
