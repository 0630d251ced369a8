"""CPU driver of the decisions: from bits to proposals, every rule of a window in one pass, no metric stored."""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from sep_trader.qfh.kernels.lanes import LINE
from sep_trader.qfh.kernels.layout import (
    CONTEXT,
    CORRECTIONS_AT,
    FIELD,
    FLIPS_AT,
    METRIC_ROWS,
    PADDING,
    ROWS,
    TREND,
    Block,
    Metrics,
    Series,
    i32,
    kernel,
)
from sep_trader.qfh.kernels.line import line_in_cache
from sep_trader.qfh.kernels.series import make_buffers, make_room, take_block, window_of
from sep_trader.qfh.kernels.sums import count_line, mismatch_line
from sep_trader.qfh.kernels.trend import STRIP, trend_in_cache
from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.inputs import DOWN, UP
from sep_trader.research.kernels.scalar import CERTAIN, CHUNK, NOTHING

decide = kernel(scalar.decide)
trend_sign = kernel(scalar.trend_sign)


@kernel
def count_rows(now, before, before_flips, before_corrections, newest, oldest, window, null, flip, rupture, corrected):
    """Write the counts of every row of a block."""
    for i in range(len(now)):
        ones = i32(i32(now[i] - before[i]) & FIELD)
        flips = i32((i32(now[i] - before_flips[i]) >> FLIPS_AT) & FIELD)
        ruptures = i32(i32(2 * ones - newest[i] - oldest[i] - flips) >> 1)
        corrected[i] = i32((i32(now[i] - before_corrections[i]) >> CORRECTIONS_AT) & FIELD)
        flip[i] = flips
        rupture[i] = ruptures
        null[i] = i32(window - 1 - flips - ruptures)


@kernel
def sign_rows(trend, bits, at, window, entropy, apart, apart_before, k1, k2, sign):
    """Write the sign of every row's trend, exactly where float32 leaves it open; 0 where no full window ends."""
    for i in range(len(sign)):
        value = trend[i]
        if value > CERTAIN:
            sign[i] = 1
        elif value < -CERTAIN:
            sign[i] = -1
        elif value == value:
            sign[i] = trend_sign(bits, at + i, window, entropy[i], i32(apart[i] - apart_before[i]), k1, k2)
        else:
            sign[i] = 0


@kernel
def keep_allowed(allowed, sign):
    """Write 0 over every sign that does not count."""
    for i in range(len(sign)):
        needed = UP if sign[i] > 0 else DOWN
        sign[i] = sign[i] if allowed[i] & needed else 0


@kernel
def write_ahead(null, rupture, entropy, corrected, sign, first, rules, ahead):
    """Write what lies ahead of every row of a chunk, the first of them row `first` of the series, for every rule."""
    for r in range(len(rules)):
        least, most_corrected, most_entropy = i32(rules[r, 0]), i32(rules[r, 1]), rules[r, 2]
        fade = i32(rules[r, 3])
        to = ahead[r, first : first + len(sign)]
        for i in range(len(sign)):
            side = decide(
                null[i], rupture[i], entropy[i], corrected[i], sign[i], least, most_corrected, most_entropy, fade
            )
            to[i] = 2 * (first + i) + (side < 0) if side != 0 else NOTHING
        newest = i32(NOTHING)
        for i in range(len(to) - 1, -1, -1):
            newest = to[i] if to[i] != NOTHING else newest
            to[i] = newest


@kernel
def proposals_ahead(bits, starts, allowed, window, table, terms, k1, k2, rules, ahead):
    """Write for every rule of one window and every candle the next proposal: 2 * t + (1 if short), or NOTHING.

    Next is at the candle or after it in its chunk of CHUNK candles. bits: int8[N]; allowed: int8[N], the signs of the
    trend that count, 1 up, 2 down, 3 both, or empty for both everywhere; table: float32[W * W] and terms:
    float64[W], entropy by cell and by count. rules: float64[R, 4] of (least, most_corrected, most_entropy, fade).
    ahead: int32[R, N].
    """
    buffers = make_buffers(1)
    counts, mismatches, held = buffers.counts, buffers.mismatches[0], buffers.bits
    size = ROWS + PADDING
    block_metrics = Metrics(
        np.empty((METRIC_ROWS, size), np.float32), np.empty(size, np.bool_), np.empty(size, np.bool_)
    )
    ints, entropy, signs = np.empty((4, ROWS), np.int32), np.empty(ROWS, np.float64), np.empty(ROWS, np.int32)
    series, shape = Series(bits, starts), window_of(window, table, 0.5, k1, k2)
    n_all, half, available, at = len(bits), window // 2, 0, CONTEXT
    total, total_mismatches = i32(0), i32(0)
    for lo in range(0, n_all, CHUNK):
        n = min(CHUNK, n_all - lo)
        at = make_room(buffers, at, n)
        end = at + n
        available = take_block(series, Block(lo, n, at), available, window, True, buffers)
        for i in range(0, n, LINE):
            total = count_line(buffers, at + i, total)
            total_mismatches = mismatch_line(buffers, mismatches, at + i, half, total_mismatches)
        for i in range(0, n, LINE):
            line_in_cache(buffers, mismatches, shape, at + i, i, True, block_metrics, i)
        for row in range(0, n, STRIP):
            trend_in_cache(buffers, window, at + row, row, block_metrics.values, row)
        null, flip, rupture, corrected, sign = ints[0, :n], ints[1, :n], ints[2, :n], ints[3, :n], signs[:n]
        count_rows(
            counts[at:end], counts[at - window : end - window], counts[at - window + 1 : end - window + 1],
            counts[at - window + 3 : end - window + 3], held[at:end], held[at - window + 1 : end - window + 1],
            window, null, flip, rupture, corrected,
        )  # fmt: skip
        for i in range(n):
            entropy[i] = (terms[null[i]] + terms[flip[i]]) + terms[rupture[i]]
        sign_rows(
            block_metrics.values[TREND], held, at, window, entropy, mismatches[at:end],
            mismatches[at - half : end - half], k1, k2, sign,
        )  # fmt: skip
        if len(allowed) > 0:
            keep_allowed(allowed[lo : lo + n], sign)
        write_ahead(null, rupture, entropy, corrected, sign, lo, rules, ahead)
        at = end
