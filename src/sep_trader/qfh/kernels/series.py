"""Driver of the metrics over a series: blocks of rows, each for every window, while its bits are in the cache."""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from sep_trader.qfh.kernels.lanes import LINE, fetch_ahead
from sep_trader.qfh.kernels.layout import BUFFER, CONTEXT, LEAD, OLD, ROWS, SPARE, f32, i32, kernel
from sep_trader.qfh.kernels.line import line_in_cache, line_past_cache
from sep_trader.qfh.kernels.sums import apart_line, count_line
from sep_trader.qfh.kernels.trend import STRIP, trend_of_line, trend_past_cache


@kernel
def buffers(windows):
    """Make the buffers of a driver: packed sums, disagreements by window, bits, spins, ages, damping."""
    size = BUFFER + SPARE
    return (
        np.zeros(size, np.int32),
        np.zeros((windows, size), np.int32),
        np.zeros(size, np.int8),
        np.ones(size, np.float32),
        np.full(ROWS + SPARE, OLD, np.int32),
        np.ones(ROWS + SPARE, np.float32),
    )


@kernel
def copy_down(values, at):
    """Move the context before `at` to the start of a buffer."""
    to, of = values[:CONTEXT], values[at - CONTEXT : at]
    for i in range(CONTEXT):
        to[i] = of[i]


@kernel
def make_room(packed, apart, inner, spins, at, n):
    """Where the next n rows go: at `at`, or behind the context moved down where the buffers end before."""
    if at + n <= BUFFER:
        return at
    copy_down(packed, at)
    copy_down(inner, at)
    copy_down(spins, at)
    for k in range(len(apart)):
        copy_down(apart[k], at)
    return CONTEXT


@kernel
def take_bits(source, bits):
    """Copy bits, a missing one as 1 (its windows are blanked); says whether any is missing."""
    missing = np.int8(0)
    for i in range(len(source)):
        missing |= source[i]
        bits[i] = source[i] & 1
    return missing < 0


@kernel
def write_spins(bits, spins):
    """Write bits as -1 and +1."""
    for i in range(len(bits)):
        spins[i] = f32(i32(2 * bits[i] - 1))


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
def ages_of(bits, starts, missing, before, longest, ages):
    """Write the ages of a block's rows, OLD where none of them matters; returns the last one."""
    n = len(bits)
    if missing or before < longest or any_true(starts):
        return bits_in_session(bits, starts, before, ages[:n])
    if ages[0] != OLD or ages[-1] != OLD:
        ages[:] = OLD
    return before


@kernel
def scale_of(window, theta, k1, k2):
    """Constants of a window for its lines; the least count is exact against count / (W - 1) >= theta."""
    least = 0
    while least < window and least / (window - 1) < theta:
        least += 1
    return (
        i32(least),
        f32(1.0 / (window - 1)),
        f32(1.0 / window),
        f32(2.0 / (window // 2)),
        f32(1.0 / (window - 3)),
        f32(k1),
        f32(k2),
    )


# Sums and metrics take turns, so that counting hides behind writing; the sums run ahead, so that none is read while it
# is on its way to the cache.
@kernel
def rows_of_window(bits, starts, counting, packed, apart, inner, ages, table, damped, at, n, w, scale, with_trend, out,
                   lo, wanted, collapse, valid, total, total_apart):  # fmt: skip
    """Compute the metrics of a block's rows for one window; returns the totals of counts and disagreement behind them.

    counting: sum the counts up, too, which the first window does for all. wanted: else only the sums are.
    """
    for i in range(0, n + LEAD, LINE):
        if i < n:
            if counting:
                fetch_ahead(bits, lo + n + i)
                fetch_ahead(starts, lo + n + i)
                total = count_line(inner, at + i, total, packed)
            total_apart = apart_line(inner, at + i, w // 2, total_apart, apart)
        row = i - LEAD
        if wanted and row >= 0:
            line_past_cache(
                packed, apart, inner, ages, table, damped, at + row, row, w, w // 2, scale, with_trend, out, lo + row,
                collapse, valid,
            )  # fmt: skip
    return total, total_apart


@kernel
def metrics_of_series(
    bits, starts, windows, tables, places, theta, k1, k2, with_trend, first, last, out, collapse, valid
):
    """Compute the metrics of rows first..last-1 for every window.

    bits: int8[N]; starts: bool[N]; windows: int64[K]; tables: the float32[W * W] entropies by cell of all windows, at
    places[k]. first: a multiple of ROWS. out: float32[K, 9, N], every row of it at a 64-byte boundary; collapse, valid:
    bool[K, N]; the N of all three rounded up to a whole strip.
    """
    packed, apart, inner, spins, ages, damped = buffers(len(windows))
    longest = windows.max()
    age, at = 0, CONTEXT
    lo = max(0, first - ROWS)
    total, totals = i32(0), np.zeros(len(windows), np.int32)
    while lo < last:
        n = min(ROWS, last - lo)
        at = make_room(packed, apart, inner, spins, at, n)
        end = at + n
        missing = take_bits(bits[lo : lo + n], inner[at:end])
        inner[end : end + SPARE] = 0
        if with_trend:
            write_spins(inner[at:end], spins[at:end])
        age = ages_of(bits[lo : lo + n], starts[lo : lo + n], missing, age, longest, ages)
        for k in range(len(windows)):
            w = windows[k]
            scale, table = scale_of(w, theta, k1, k2), tables[places[k] : places[k] + w * w]
            total, totals[k] = rows_of_window(
                bits, starts, k == 0, packed, apart[k], inner, ages, table, damped, at, n, w, scale, with_trend, out[k],
                lo, lo >= first, collapse[k], valid[k], total, totals[k],
            )  # fmt: skip
            if with_trend and lo >= first:
                for row in range(0, n, STRIP):
                    trend_past_cache(spins, at + row, damped, ages, row, w, out[k], lo + row)
        at = end
        lo += n


@kernel
def metrics_of_newest(bit, state, packed, apart, inner, spins, ages, damped, windows, tables, places, theta, k1, k2,
                      out, collapse, valid):  # fmt: skip
    """Take one bit and compute the metrics of the windows that end at it, as `metrics_of_series` for a block of one.

    state: int64[2 + K], where the bit goes, the packed total, the totals of disagreement. out: float32[K, 9, LINE],
    collapse, valid: bool[K, LINE], of which the first row counts.
    """
    at = make_room(packed, apart, inner, spins, state[0], 1)
    inner[at] = bit
    spins[at] = f32(2 * bit - 1)
    inner[at + 1 : at + LINE] = 0
    count_line(inner, at, i32(state[1]), packed)
    state[1] = packed[at]
    for k in range(len(windows)):
        w = windows[k]
        half = w // 2
        apart_line(inner, at, half, i32(state[2 + k]), apart[k])
        state[2 + k] = apart[k, at]
        line_in_cache(
            packed, apart[k], inner, ages, tables[places[k] : places[k] + w * w], damped, at, 0, w, half,
            scale_of(w, theta, k1, k2), True, out[k], 0, collapse[k], valid[k],
        )  # fmt: skip
        trend_of_line(spins, at, damped, ages, 0, w, out[k], 0)
    state[0] = at + 1
