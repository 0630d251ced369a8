"""Labels: what each proposal would have brought by itself."""

from collections.abc import Callable

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.simulate import net_outcomes, simulate


def test_every_proposal_is_labelled_as_if_it_were_alone(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(400)
    rng = np.random.default_rng(5)
    side = rng.integers(-1, 2, len(candles)).astype(np.int8)
    side[-3:] = 0
    stop, target = np.full(len(candles), 3e-4), np.full(len(candles), 5e-4)
    labels = net_outcomes(candles, side, stop, target, 10, CostModel())
    # Where a gap longer than the horizon follows, there is no trade.
    late = np.append(np.diff(candles.time) >= 60 * (10 + 1), True)
    assert late[:-1].any()
    assert np.array_equal(np.isfinite(labels), (side != 0) & ~late)
    for t in np.flatnonzero((side != 0) & ~late)[::17]:
        alone = np.zeros(len(candles), np.int8)
        alone[t] = side[t]
        (net,) = simulate(candles, alone, stop, target, 10, CostModel()).net
        assert labels[t] == net


def test_costs_are_in_every_label(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(200)
    side = np.ones(len(candles), np.int8)
    side[-2:] = 0
    none = np.full(len(candles), np.inf)
    cheap = net_outcomes(candles, side, none, none, 5, CostModel(slippage_pips=0.0, spread_multiplier=0.0))
    dear = net_outcomes(candles, side, none, none, 5, CostModel(slippage_pips=0.5, spread_multiplier=1.0))
    paid = (cheap - dear)[np.isfinite(cheap)]
    # Half a spread at each fill, or none where it ends at the last close, and half a pip of slippage twice.
    assert np.all(paid > 2 * 0.5e-4 - 1e-12)
