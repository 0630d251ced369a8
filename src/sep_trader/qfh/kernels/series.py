"""Driver of the metrics over a series: blocks of rows, each for every window, while its bits are in the cache."""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from sep_trader.qfh.kernels.counts import count_metrics, damp, look_up, pack, running_disagreement, running_sums
from sep_trader.qfh.kernels.layout import (
    BUFFER,
    CONTEXT,
    DAMPING,
    ENTROPY,
    METRIC_ROWS,
    ROWS,
    TREND,
    f32,
    i32,
    kernel,
)
from sep_trader.qfh.kernels.store import stream_out
from sep_trader.qfh.kernels.trend import STRIP, trend_rows


@kernel
def copy_down(values, at):
    """Move the context before `at` to the start of a buffer."""
    values[:CONTEXT] = values[at - CONTEXT : at].copy()


@kernel
def take_bits(source, bits, spins):
    """Copy bits, a missing one as 1 (its windows are blanked), and write them as spins; says whether any is missing."""
    missing = np.int8(0)
    for i in range(len(source)):
        missing |= source[i]
        bits[i] = source[i] & 1
    for i in range(len(source)):
        spins[i] = f32(i32(2 * bits[i] - 1))
    return missing < 0


@kernel
def any_true(values):
    """Say whether any value is true."""
    found = False
    for i in range(len(values)):
        found |= values[i]
    return found


@kernel
def bits_in_session(bits, starts, before, ages):
    """Count the unbroken bits of the session that end at each row; returns the last count."""
    for i in range(len(ages)):
        if starts[i]:
            before = 0
        before = before + 1 if bits[i] >= 0 else 0
        ages[i] = before
    return before


@kernel
def blank(ages, window, with_trend, out, collapse, valid):
    """Write NaN and False where no full window ends."""
    for i in range(len(ages)):
        valid[i] = ages[i] >= window
        collapse[i] &= valid[i]
        if ages[i] < window:
            for row in range(METRIC_ROWS - 1):
                out[row * ROWS + i] = f32(np.nan)
            if with_trend:
                out[TREND * ROWS + i] = f32(np.nan)


@kernel
def scale_of(window, theta):
    """Constants of a window for `count_metrics`; the least count is exact against count / (W - 1) >= theta."""
    least = 0
    while least < window and least / (window - 1) < theta:
        least += 1
    half = window // 2
    return (
        i32(window),
        i32(half),
        i32(least),
        f32(1.0 / (window - 1)),
        f32(1.0 / window),
        f32(1.0 / half),
        f32(1.0 / (window - 3)),
    )


@kernel
def metrics_of_rows(packed, apart, inner, spins, at, n, w, theta, table, k1, k2, with_trend, cells, block, collapse,
                    scratch, reach):  # fmt: skip
    """Compute the metrics of n rows for one window into `block`, from the sums and bits in the buffers at `at`."""
    end = at + n
    half = w // 2
    count_metrics(
        packed[at:end],
        packed[at - w : end - w],
        packed[at - w + 1 : end - w + 1],
        packed[at - w + 3 : end - w + 3],
        apart[at:end],
        apart[at - half : end - half],
        inner[at:end],
        inner[at - w + 1 : end - w + 1],
        scale_of(w, theta),
        cells[:n],
        block,
        collapse,
    )
    look_up(cells[:n], table, block[ENTROPY * ROWS : ENTROPY * ROWS + n])
    damp(n, block, k1, k2)
    if with_trend:
        damping = block[DAMPING * ROWS : DAMPING * ROWS + n]
        trend_rows(spins, at, damping, w, scratch, reach, block[TREND * ROWS : TREND * ROWS + n])


@kernel
def metrics_of_series(
    bits, starts, windows, tables, places, theta, k1, k2, with_trend, first, last, out, collapse, valid
):
    """Compute the metrics of rows first..last-1 for every window.

    bits: int8[N]; starts: bool[N]; windows: int64[K]; tables: the float32[W * W] entropies by cell of all windows, at
    places[k]. first: a multiple of ROWS. out: float32[K, 9, N], N rounded up to a whole line, every row of it at a
    64-byte boundary; collapse, valid: bool[K, N].
    """
    packed = np.zeros(BUFFER, np.int32)
    apart = np.zeros((len(windows), BUFFER), np.int32)
    inner = np.zeros(BUFFER, np.int8)
    spins = np.ones(BUFFER, np.float32)
    block = np.empty(METRIC_ROWS * ROWS, np.float32)
    cells = np.empty(ROWS, np.int32)
    ages = np.empty(ROWS, np.int32)
    scratch, reach = np.empty((5, STRIP), np.float32), np.empty(STRIP, np.int32)
    longest = windows.max()
    rows = METRIC_ROWS if with_trend else METRIC_ROWS - 1

    age = 0
    at = CONTEXT
    lo = max(0, first - ROWS)
    total = i32(0)
    totals = np.zeros(len(windows), np.int32)
    while lo < last:
        n = min(ROWS, last - lo)
        if at + n > BUFFER:
            copy_down(packed, at)
            copy_down(inner, at)
            copy_down(spins, at)
            for k in range(len(windows)):
                copy_down(apart[k], at)
            at = CONTEXT
        end = at + n
        missing = take_bits(bits[lo : lo + n], inner[at:end], spins[at:end])
        now = packed[at:end]
        pack(inner[at:end], inner[at - 1 : end - 1], inner[at - 2 : end - 2], inner[at - 3 : end - 3], now)
        total = running_sums(now, total)
        broken = missing or any_true(starts[lo : lo + n]) or age < longest
        if broken:
            age = bits_in_session(bits[lo : lo + n], starts[lo : lo + n], age, ages[:n])
        for k in range(len(windows)):
            w = windows[k]
            half = w // 2
            totals[k] = running_disagreement(inner[at:end], inner[at - half : end - half], apart[k, at:end], totals[k])
            if lo < first:
                continue
            metrics_of_rows(
                packed, apart[k], inner, spins, at, n, w, theta, tables[places[k] : places[k] + w * w], k1, k2,
                with_trend, cells, block, collapse[k, lo : lo + n], scratch, reach,
            )  # fmt: skip
            if broken:
                blank(ages[:n], w, with_trend, block, collapse[k, lo : lo + n], valid[k, lo : lo + n])
            else:
                valid[k, lo : lo + n] = True
            for row in range(rows):
                stream_out(block[row * ROWS : (row + 1) * ROWS], out[k, row], lo, n)
        at = end
        lo += n


@kernel
def metrics_of_newest(bit, state, packed, apart, inner, spins, windows, tables, places, theta, k1, k2, cells, block,
                      flag, scratch, reach, out):  # fmt: skip
    """Take one bit and compute the metrics of the windows that end at it, as `metrics_of_series` for a block of one.

    state: int64[2 + K], where the bit goes, the packed total, the totals of disagreement. out: float32[K, 9].
    """
    at = state[0]
    if at == BUFFER:
        copy_down(packed, at)
        copy_down(inner, at)
        copy_down(spins, at)
        for k in range(len(windows)):
            copy_down(apart[k], at)
        at = CONTEXT
    inner[at] = bit
    spins[at] = f32(2 * bit - 1)
    pack(inner[at : at + 1], inner[at - 1 : at], inner[at - 2 : at - 1], inner[at - 3 : at - 2], packed[at : at + 1])
    state[1] = running_sums(packed[at : at + 1], i32(state[1]))
    for k in range(len(windows)):
        w = windows[k]
        half = w // 2
        older = inner[at - half : at - half + 1]
        state[2 + k] = running_disagreement(inner[at : at + 1], older, apart[k, at : at + 1], i32(state[2 + k]))
        metrics_of_rows(
            packed, apart[k], inner, spins, at, 1, w, theta, tables[places[k] : places[k] + w * w], k1, k2, True, cells,
            block, flag[k : k + 1], scratch, reach,
        )  # fmt: skip
        for row in range(METRIC_ROWS):
            out[k, row] = block[row * ROWS]
    state[0] = at + 1
