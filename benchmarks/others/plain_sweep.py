"""A straightforward sweep in numba, as one would write it first: a loop over the bars a set.

It gets the sides of every rule for nothing, and looks at every bar for the stop, the target and the horizon of an open
trade. Costs and the outcome rule are those of sep_trader.research.simulate.
"""

import numba
import numpy as np


@numba.njit(error_model="numpy")
def touched(holding, fill, stop, target, open_, high, low, half):  # type: ignore[no-untyped-def]
    """The price at which a bar ends a trade, NaN where it does not; holding: 1 for a long trade, -1 for a short one."""
    if holding > 0:
        if low - half <= fill - stop:
            return min(open_ - half, fill - stop)
        return fill + target if high - half >= fill + target else np.nan
    if high + half >= fill + stop:
        return max(open_ + half, fill + stop)
    return fill - target if low + half <= fill - target else np.nan


@numba.njit(parallel=True, error_model="numpy")
def plain_sweep(open_, high, low, close, half, nights, time, step, side, rule, stop, target, horizon, slippage, rates):  # type: ignore[no-untyped-def]
    """Trades and net of every set: float64[S], float64[S]. side: int8[R, N]; the others as the kernels have them."""
    n, sets = len(open_), len(rule)
    trades, nets = np.zeros(sets), np.zeros(sets)
    for s in numba.prange(sets):
        proposals = side[rule[s]]
        count, total = 0, 0.0
        holding, entry, fill, deadline = 0, 0, 0.0, 0
        for i in range(1, n):
            price = np.nan
            if holding == 0:
                if proposals[i - 1] == 0:
                    continue
                deadline = time[i - 1] + step * (horizon[s] + 1)
                if time[i] >= deadline:
                    continue
                holding, entry = proposals[i - 1], i
                fill = open_[i] + holding * half[i] + holding * slippage
            elif time[i] >= deadline:
                price = open_[i] - holding * half[i]
            if price != price:
                # The bar of the entry is looked at as well.
                price = touched(holding, fill, stop[s], target[s], open_[i], high[i], low[i], half[i])
            if i == n - 1 and price != price:
                price = close[i] - holding * half[n]
            if price == price:
                paid = (nights[i] - nights[entry]) * (rates[0] if holding > 0 else rates[1]) * fill
                total += (price - holding * slippage - fill) * holding + paid
                count += 1
                holding = 0
        trades[s], nets[s] = count, total
    return trades, nets
