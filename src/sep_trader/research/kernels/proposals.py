"""CPU driver of the decisions: from bits to words of proposals, every rule of a window in one pass."""

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
from sep_trader.research.kernels.compiled import calling
from sep_trader.research.kernels.inputs import DOWN, UP
from sep_trader.research.kernels.scalar import CERTAIN, K1, K2, WORD, Int8, Words

chosen = kernel(scalar.chosen)
trend_sign = kernel(calling(scalar.trend_sign, product=kernel(scalar.product)))
# Candles of one pass: their counts stay in the cache.
CHUNK = 1024


def pack_sides(sides: Int8) -> Words:
    """Words of proposed and short, uint32[R, 2, ceil(N / 32) + 1], from sides -1, 0 and +1, int8[R, N]."""
    rows, n = sides.shape
    padded = np.zeros((rows, (-(-n // WORD) + 1) * WORD), np.int8)
    padded[:, :n] = sides
    pairs = [np.packbits(padded != 0, axis=1, bitorder="little"), np.packbits(padded < 0, axis=1, bitorder="little")]
    return np.ascontiguousarray(np.stack([one.view("<u4") for one in pairs], axis=1))


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
def sign_rows(trend, bits, at, window, null, flip, rupture, terms, apart, apart_before, k1, k2, sign):
    """Write the sign of every row's trend, exactly where float32 leaves it open; 0 where no full window ends."""
    for i in range(len(sign)):
        value = trend[i]
        if value > CERTAIN:
            sign[i] = 1
        elif value < -CERTAIN:
            sign[i] = -1
        elif value == value:
            entropy = (terms[null[i]] + terms[flip[i]]) + terms[rupture[i]]
            sign[i] = trend_sign(bits, at + i, window, entropy, i32(apart[i] - apart_before[i]), k1, k2)
        else:
            sign[i] = 0


@kernel
def keep_allowed(allowed, sign):
    """Write 0 over every sign that does not count."""
    for i in range(len(sign)):
        needed = UP if sign[i] > 0 else DOWN
        sign[i] = sign[i] if allowed[i] & needed else 0


@kernel
def flags_of(null, rupture, entropy, corrected, sign, least, most_corrected, most_entropy, flags):
    """Write 1 where a rule proposes a trade, 0 elsewhere."""
    for i in range(len(flags)):
        go = chosen(null[i], rupture[i], entropy[i], corrected[i], least, most_corrected, most_entropy)
        flags[i] = i32(1) if go & (sign[i] != 0) else i32(0)


@kernel
def word_at(flags, first):
    """The word of the flags from `first` on."""
    word = np.uint32(0)
    for k in range(WORD):
        word |= np.uint32(flags[first + k]) << np.uint32(k)
    return word


@kernel
def write_words(null, rupture, entropy, by_entropy, corrected, sign, limits, flags, downs, words):
    """Write the words of every rule over a chunk.

    by_entropy: False where no rule refuses any entropy. flags, downs: int32[CHUNK], 0 behind the chunk, are
    overwritten.
    """
    n = len(sign)
    short = np.empty(CHUNK // WORD, np.uint32)
    for i in range(n):
        downs[i] = i32(1) if sign[i] < 0 else i32(0)
    for k in range((n + WORD - 1) // WORD):
        short[k] = word_at(downs, k * WORD)
    for r in range(len(limits)):
        least, most_corrected, most_entropy = i32(limits[r, 0]), i32(limits[r, 1]), limits[r, 2]
        if by_entropy:
            flags_of(null, rupture, entropy, corrected, sign, least, most_corrected, most_entropy, flags[:n])
        else:
            # Whole numbers only, a vector of them at a time; no count is above the number of rows.
            flags_of(null, rupture, null, corrected, sign, least, most_corrected, i32(ROWS), flags[:n])
        for k in range((n + WORD - 1) // WORD):
            proposed = word_at(flags, k * WORD)
            words[r, 0, k] = proposed
            words[r, 1, k] = proposed & short[k]


@kernel
def propose_window(market, begin, last, lead, k, window, table, terms, highest, limits, words):
    """Write the words of every rule of the k-th window over the candles begin..last-1, as `propose_words`.

    table: float32[W * W] and terms: float64[W], entropy by cell and by count; highest: of any window. limits:
    float64[R, 3] of (least, most_corrected, most_entropy).
    """
    buffers = make_buffers(1)
    counts, mismatches, held = buffers.counts, buffers.mismatches[0], buffers.bits
    size = ROWS + PADDING
    block_metrics = Metrics(
        np.empty((METRIC_ROWS, size), np.float32), np.empty(size, np.bool_), np.empty(size, np.bool_)
    )
    ints, entropy, signs = np.empty((4, ROWS), np.int32), np.empty(ROWS, np.float64), np.empty(ROWS, np.int32)
    flags = np.zeros((2, CHUNK), np.int32)
    written = np.empty((len(limits), 2, CHUNK // WORD), np.uint32)
    series, shape = Series(market.bits, market.starts), window_of(window, table, 0.5, K1, K2)
    half, available, at = window // 2, 0, CONTEXT
    by_entropy = limits[:, 2].min() < highest
    total, total_mismatches = i32(0), i32(0)
    for lo in range(begin, last, CHUNK):
        n = min(CHUNK, last - lo)
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
        if by_entropy:
            for i in range(n):
                entropy[i] = (terms[null[i]] + terms[flip[i]]) + terms[rupture[i]]
        sign_rows(
            block_metrics.values[TREND], held, at, window, null, flip, rupture, terms, mismatches[at:end],
            mismatches[at - half : end - half], K1, K2, sign,
        )  # fmt: skip
        if len(market.allowed) > 0:
            keep_allowed(market.allowed[k, lo : lo + n], sign)
        flags[:, n:] = 0
        write_words(null, rupture, entropy, by_entropy, corrected, sign, limits, flags[0], flags[1], written)
        first = (lo - begin) // WORD - lead
        for word in range(max(0, -first), (n + WORD - 1) // WORD):
            for r in range(len(limits)):
                words[r, 0, first + word] = written[r, 0, word]
                words[r, 1, first + word] = written[r, 1, word]
        at = end


@kernel
def propose_words(market, decisions, first, last, words):
    """Write the words of every rule for the proposals of candles first..last-1.

    first: a multiple of 32. words: uint32[R, 2, ceil((last - first) / 32)] of proposed and short.
    """
    for k in range(len(decisions.windows)):
        window = decisions.windows[k]
        # Windows of the first candles look at bits before them.
        lead = min(first // WORD, (window + WORD - 1) // WORD)
        rules = slice(decisions.rule_starts[k], decisions.rule_starts[k + 1])
        cells, terms = decisions.entropy_starts[k], decisions.term_starts[k]
        propose_window(
            market, first - lead * WORD, last, lead, k, window, decisions.entropies[cells : cells + window * window],
            decisions.terms[terms : terms + window], decisions.highest[k], decisions.limits[rules], words[rules],
        )  # fmt: skip
