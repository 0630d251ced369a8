"""CPU driver of the decisions: from bits to marks, every rule of a window in one pass, no metric stored."""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from sep_trader.qfh.kernels.counts import pack, running_disagreement, running_sums
from sep_trader.qfh.kernels.layout import (
    BUFFER,
    CONTEXT,
    CORRECTIONS_AT,
    FIELD,
    FLIPS_AT,
    METRIC_ROWS,
    ROWS,
    TREND,
    i32,
    kernel,
)
from sep_trader.qfh.kernels.series import any_true, bits_in_session, copy_down, metrics_of_rows, take_bits
from sep_trader.qfh.kernels.trend import STRIP
from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.scalar import CHUNK

decide = kernel(scalar.decide)
trend_sign = kernel(scalar.trend_sign)

# The float32 trend is within 1e-5 of the exact one: its sign is certain beyond this, and computed exactly below.
CERTAIN = np.float32(1e-4)


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
def sign_rows(block, n, bits, at, window, entropy, apart, apart_before, k1, k2, sign):
    """Write the sign of every row's trend, exactly where float32 leaves it open."""
    for i in range(n):
        value = block[TREND * ROWS + i]
        if value > CERTAIN:
            sign[i] = 1
        elif value < -CERTAIN:
            sign[i] = -1
        else:
            sign[i] = trend_sign(bits, at + i, window, entropy[i], i32(apart[i] - apart_before[i]), k1, k2)


@kernel
def marks_of_window(bits, starts, window, table, terms, k1, k2, rules, marks, counts):
    """Write the marks 2 * t + (1 if short) of every rule of one window, CHUNK candles to a chunk, oldest first.

    bits: int8[N]; table: float32[W * W] and terms: float64[W], entropy by cell and by count. rules: float64[R, 4] of
    (least, most_corrected, most_entropy, fade). marks: int32[R, chunks * CHUNK]; counts: int32[R, chunks].
    """
    packed, apart = np.zeros(BUFFER, np.int32), np.zeros(BUFFER, np.int32)
    inner, spins = np.zeros(BUFFER, np.int8), np.ones(BUFFER, np.float32)
    block, cells = np.empty(METRIC_ROWS * ROWS, np.float32), np.empty(ROWS, np.int32)
    ages, collapse = np.empty(ROWS, np.int32), np.empty(ROWS, np.bool_)
    scratch, reach = np.empty((5, STRIP), np.float32), np.empty(STRIP, np.int32)
    ints = np.empty((4, ROWS), np.int32)
    entropy, sign = np.empty(ROWS, np.float64), np.empty(ROWS, np.int32)
    n_all, half, age, at = len(bits), window // 2, 0, CONTEXT
    total, total_apart = i32(0), i32(0)
    counts[:] = 0
    for lo in range(0, n_all, ROWS):
        n = min(ROWS, n_all - lo)
        if at + n > BUFFER:
            copy_down(packed, at)
            copy_down(inner, at)
            copy_down(spins, at)
            copy_down(apart, at)
            at = CONTEXT
        end = at + n
        missing = take_bits(bits[lo : lo + n], inner[at:end], spins[at:end])
        now = packed[at:end]
        pack(inner[at:end], inner[at - 1 : end - 1], inner[at - 2 : end - 2], inner[at - 3 : end - 3], now)
        total = running_sums(now, total)
        total_apart = running_disagreement(inner[at:end], inner[at - half : end - half], apart[at:end], total_apart)
        if missing or any_true(starts[lo : lo + n]) or age < window:
            age = bits_in_session(bits[lo : lo + n], starts[lo : lo + n], age, ages[:n])
        else:
            ages[:n] = window
        metrics_of_rows(
            packed, apart, inner, spins, at, n, window, 0.5, table, np.float32(k1), np.float32(k2), True, cells, block,
            collapse[:n], scratch, reach,
        )  # fmt: skip
        null, flip, rupture, corrected = ints[0, :n], ints[1, :n], ints[2, :n], ints[3, :n]
        count_rows(
            now, packed[at - window : end - window], packed[at - window + 1 : end - window + 1],
            packed[at - window + 3 : end - window + 3], inner[at:end], inner[at - window + 1 : end - window + 1],
            window, null, flip, rupture, corrected,
        )  # fmt: skip
        for i in range(n):
            entropy[i] = (terms[null[i]] + terms[flip[i]]) + terms[rupture[i]]
        sign_rows(block, n, inner, at, window, entropy, apart[at:end], apart[at - half : end - half], k1, k2, sign)
        chunk = lo // CHUNK
        for r in range(len(rules)):
            least, most_corrected, most_entropy = i32(rules[r, 0]), i32(rules[r, 1]), rules[r, 2]
            fade = i32(rules[r, 3])
            count = counts[r, chunk]
            to = marks[r, chunk * CHUNK : (chunk + 1) * CHUNK]
            for i in range(n):
                side = decide(
                    null[i], rupture[i], entropy[i], corrected[i], sign[i], least, most_corrected, most_entropy, fade
                )
                # Written in any case, kept if it counts: no branch to guess wrong.
                to[count] = 2 * (lo + i) + (side < 0)
                count += (side != 0) & (ages[i] >= window)
            counts[r, chunk] = count
        at = end
