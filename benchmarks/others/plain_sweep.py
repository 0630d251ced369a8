"""A straightforward sweep in numba, as one would write it first: a loop over the bars a set.

It gets the sides of every rule for nothing, and looks at every bar for the stop, the target and the horizon of an open
trade. Costs and the outcome rule are those of sep_trader.research.simulate.
"""

import numba
import numpy as np


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
            if holding != 0:
                price = np.nan
                if time[i] >= deadline:
                    price = open_[i] - half[i] if holding > 0 else open_[i] + half[i]
                elif holding > 0:
                    if low[i] - half[i] <= fill - stop[s]:
                        price = min(open_[i] - half[i], fill - stop[s])
                    elif high[i] - half[i] >= fill + target[s]:
                        price = fill + target[s]
                elif high[i] + half[i] >= fill + stop[s]:
                    price = max(open_[i] + half[i], fill + stop[s])
                elif low[i] + half[i] <= fill - target[s]:
                    price = fill - target[s]
                if i == n - 1 and price != price:
                    price = close[i] - half[n] if holding > 0 else close[i] + half[n]
                if price == price:
                    out = price - slippage if holding > 0 else price + slippage
                    paid = (nights[i] - nights[entry]) * (rates[0] if holding > 0 else rates[1]) * fill
                    total += (out - fill) * holding + paid
                    count += 1
                    holding = 0
                    continue
            if holding == 0 and proposals[i - 1] != 0:
                deadline = time[i - 1] + step * (horizon[s] + 1)
                if time[i] >= deadline:
                    continue
                holding, entry = proposals[i - 1], i
                fill = open_[i] + half[i] + slippage if holding > 0 else open_[i] - half[i] - slippage
                # The bar of the entry is looked at as well.
                touched = np.nan
                if holding > 0:
                    if low[i] - half[i] <= fill - stop[s]:
                        touched = min(open_[i] - half[i], fill - stop[s])
                    elif high[i] - half[i] >= fill + target[s]:
                        touched = fill + target[s]
                elif high[i] + half[i] >= fill + stop[s]:
                    touched = max(open_[i] + half[i], fill + stop[s])
                elif low[i] + half[i] <= fill - target[s]:
                    touched = fill - target[s]
                if i == n - 1 and touched != touched:
                    touched = close[i] - half[n] if holding > 0 else close[i] + half[n]
                if touched == touched:
                    out = touched - slippage if holding > 0 else touched + slippage
                    total += (out - fill) * holding
                    count += 1
                    holding = 0
        trades[s], nets[s] = count, total
    return trades, nets
