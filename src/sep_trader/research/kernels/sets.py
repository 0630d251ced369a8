"""CPU driver of the sweep: many parameter sets over one series, chunk by chunk so that prices stay in the cache."""

# mypy: disable-error-code="no-untyped-def"

from functools import partial
from typing import Any

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import compiled
from sep_trader.research.kernels.scalar import CHUNK, NOTHING
from sep_trader.research.kernels.trades import find_exit, trade_result

kernel: Any = partial(compiled, allocates=False)
add_trade = kernel(scalar.add_trade)
# Sums of a set: trades, wins, gross, net, squares of net, peak, drawdown.
SUMS = 7


@kernel
def run_sets(ahead, rule, horizon, stop, target, scale, first, last, fills, quotes, half, block_low, block_high,
             slippage, nights, rates, free, sums):  # fmt: skip
    """Walk parameter sets over the candles first..last-1 and write their sums, float64[S, SUMS].

    ahead: as `proposals_ahead` writes it. rule: int64[S], which a set follows. horizon: int64[S]. stop, target:
    float64[S], distances in units of scale: float64[N], price units. free: int64[S] is overwritten. The rest as
    `trade_prices`.
    """
    sets = len(rule)
    free[:] = first
    sums[:] = 0.0
    for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
        past = min(last - 1, (chunk + 1) * CHUNK)
        for s in range(sets):
            at = free[s]
            if at >= past:
                continue
            r = rule[s]
            trades, wins, gross, net, squares, peak, drawdown = (
                sums[s, 0], sums[s, 1], sums[s, 2], sums[s, 3], sums[s, 4], sums[s, 5], sums[s, 6]
            )  # fmt: skip
            while at < past:
                proposal = ahead[r, at]
                t = proposal >> 1
                if proposal == NOTHING or t >= past:
                    at = past
                    break
                row = proposal & 1
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
