"""CUDA drivers: grids over candles, rules and sets round the scalar functions. Needs numba-cuda; no GPU to compile."""

# mypy: disable-error-code="no-untyped-def"

from importlib import import_module
from typing import Any

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.inputs import DOWN, UP
from sep_trader.research.kernels.scalar import CHUNK, NOTHING

cuda: Any = import_module("numba.cuda")
device: Any = cuda.jit(device=True)
kernel: Any = cuda.jit

find_exit = device(scalar.find_exit)
trade_result = device(scalar.trade_result)
add_trade = device(scalar.add_trade)
decide = device(scalar.decide)
window_counts = device(scalar.window_counts)
trend_sign = device(scalar.trend_sign)


@kernel
def count_windows(bits, ages, allowed, windows, terms, places, k1, k2, counts, entropy, sign):
    """Count the windows that end at every candle: one thread a candle and window.

    bits: int8[T]; ages: int32[T], unbroken bits of the session; allowed: int8[K, T], the signs of the trend that count,
    1 up, 2 down, 3 both; terms: float64, entropy by count, of window k at
    places[k]. Writes counts: int16[3, K, T] of null, rupture and corrected, entropy: float64[K, T], sign: int8[K, T],
    0 where there is no full window.
    """
    at = cuda.grid(1)
    k = cuda.blockIdx.y
    if at >= bits.shape[0]:
        return
    window = windows[k]
    if ages[at] < window:
        sign[k, at] = 0
        return
    null, flip, rupture, corrected, apart = window_counts(bits, at, window)
    place = places[k]
    value = (terms[place + null] + terms[place + flip]) + terms[place + rupture]
    counts[0, k, at] = null
    counts[1, k, at] = rupture
    counts[2, k, at] = corrected
    entropy[k, at] = value
    trend = trend_sign(bits, at, window, value, apart, k1, k2)
    sign[k, at] = trend if allowed[k, at] & (UP if trend > 0 else DOWN) else 0


@kernel
def propose_ahead(counts, entropy, sign, window_of, limits, first_rule, ahead):
    """Write for every rule and candle the next proposal in its chunk: one thread a chunk and rule, from its end.

    As the CPU driver writes them, with the index of the joined series. window_of: int64[R], the place of a rule's
    window; limits: float64[R, 4]; ahead: int32[R', T], T whole chunks.
    """
    chunk = cuda.grid(1)
    here = cuda.blockIdx.y
    if (chunk + 1) * CHUNK > ahead.shape[1]:
        return
    rule = first_rule + here
    k = window_of[rule]
    least, most_corrected, most_entropy = int(limits[rule, 0]), int(limits[rule, 1]), limits[rule, 2]
    fade = int(limits[rule, 3])
    newest = NOTHING
    for at in range((chunk + 1) * CHUNK - 1, chunk * CHUNK - 1, -1):
        trend = sign[k, at]
        if trend != 0:
            side = decide(
                counts[0, k, at], counts[1, k, at], entropy[k, at], counts[2, k, at], trend, least, most_corrected,
                most_entropy, fade,
            )  # fmt: skip
            if side != 0:
                newest = 2 * at + (1 if side < 0 else 0)
        ahead[here, at] = newest


@kernel
def run_sets(ahead, first_rule, rule, horizon, stop, target, scale, folds, costs, fills, quotes, half,
             block_low, block_high, nights, sums):  # fmt: skip
    """Walk the parameter sets: one thread a set and fold.

    folds: int64[F, 3] of first and last candle in the joined series and the series' number; costs: float64[series,
    3] of slippage and the financing of a night, long and short. sums: float64[F, S, 7], as the CPU driver writes them.
    """
    s = cuda.grid(1)
    fold = cuda.blockIdx.y
    if s >= rule.shape[0]:
        return
    first, last, series = folds[fold, 0], folds[fold, 1], folds[fold, 2]
    slippage = costs[series, 0]
    rates = costs[series, 1:3]
    here = rule[s] - first_rule
    span, near, far = horizon[s], stop[s], target[s]
    trades, wins, gross, net, squares, peak, drawdown = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    free = first
    for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
        past = min(last - 1, (chunk + 1) * CHUNK)
        if free >= past:
            continue
        while free < past:
            proposal = ahead[here, free]
            t = proposal >> 1
            if proposal == NOTHING or t >= past:
                free = past
                break
            row = proposal & 1
            entry = t + 1
            fill = fills[row, entry]
            leave, price, reason = find_exit(
                row, entry, fill, near * scale[t], far * scale[t], span, last, quotes, block_low, block_high
            )
            moved, earned, _ = trade_result(row, entry, leave, fill, price, reason, slippage, half, nights, rates)
            trades, wins, gross, net, squares, peak, drawdown = add_trade(
                moved, earned, trades, wins, gross, net, squares, peak, drawdown
            )
            free = leave
    sums[fold, s, 0], sums[fold, s, 1], sums[fold, s, 2] = trades, wins, gross
    sums[fold, s, 3], sums[fold, s, 4], sums[fold, s, 5], sums[fold, s, 6] = net, squares, peak, drawdown
