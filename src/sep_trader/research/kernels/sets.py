"""CPU driver of the sweep: many parameter sets over one series, chunk by chunk so that prices stay in the cache."""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from sep_trader.qfh.kernels.layout import kernel
from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.scalar import CHUNK
from sep_trader.research.kernels.trades import find_exit, trade_result

add_trade = kernel(scalar.add_trade)
# Sums of a set: trades, wins, gross, net, squares of net, peak, drawdown.
SUMS = 7


@kernel
def run_sets(marks, counts, rule, horizon, stop, target, scale, first, last, fills, quotes, half, block_low, block_high,
             slippage, nights, rates, sums):  # fmt: skip
    """Walk parameter sets over the candles first..last-1 and write their sums, float64[S, SUMS].

    marks, counts: as `marks_of_window` writes them. rule: int64[S], whose marks a set follows. horizon: int64[S]. stop,
    target: float64[S], distances in units of scale: float64[N], price units. The rest as `trade_prices`.
    """
    sets = len(rule)
    free = np.full(sets, first)
    sums[:] = 0.0
    for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
        past = min(last - 1, (chunk + 1) * CHUNK)
        for s in range(sets):
            at = free[s]
            if at >= past:
                continue
            r = rule[s]
            here = marks[r, chunk * CHUNK : chunk * CHUNK + counts[r, chunk]]
            trades, wins, gross, net, squares, peak, drawdown = (
                sums[s, 0], sums[s, 1], sums[s, 2], sums[s, 3], sums[s, 4], sums[s, 5], sums[s, 6]
            )  # fmt: skip
            for mark in here:
                t = mark >> 1
                if t < at or t >= past:
                    continue
                row = mark & 1
                entry = t + 1
                fill = fills[row, entry]
                leave, price, reason = find_exit(
                    row, entry, fill, stop[s] * scale[t], target[s] * scale[t], horizon[s], last, quotes, block_low,
                    block_high,
                )  # fmt: skip
                moved, earned, _ = trade_result(row, entry, leave, fill, price, reason, slippage, half, nights, rates)
                trades, wins, gross, net, squares, peak, drawdown = add_trade(
                    moved, earned, trades, wins, gross, net, squares, peak, drawdown
                )
                at = leave
            free[s] = at
            sums[s, 0], sums[s, 1], sums[s, 2], sums[s, 3] = trades, wins, gross, net
            sums[s, 4], sums[s, 5], sums[s, 6] = squares, peak, drawdown
