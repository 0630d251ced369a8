"""Outcome labels: the net result of each proposal, taken alone, costs included."""

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.simulate import simulate

Float = npt.NDArray[np.float64]


def net_outcomes(
    candles: Candles, side: npt.NDArray[np.int8], stop: Float, target: Float, horizon: int, costs: CostModel
) -> Float:
    """Net outcome, in price units, of entering at each candle that has a side, each on its own; NaN elsewhere.

    Proposals are spread over disjoint passes so that none is ignored because another is in the market.
    """
    net = np.full(len(candles), np.nan)
    wanted = np.flatnonzero(side)
    step = horizon + 2
    for offset in range(step):
        chosen = wanted[wanted % step == offset]
        if len(chosen) == 0:
            continue
        alone = np.zeros(len(candles), np.int8)
        alone[chosen] = side[chosen]
        trades = simulate(candles, alone, stop, target, horizon, costs)
        net[trades.entry - 1] = trades.net
    return net
