"""Driver of the metrics over a series: blocks of rows, each for every window, while its bits are in the cache."""

# mypy: disable-error-code="untyped-decorator, no-any-return"

import numpy as np

from sep_trader.qfh.kernels.lanes import LINE, fetch_ahead
from sep_trader.qfh.kernels.layout import (
    BUFFER,
    CONTEXT,
    ENOUGH,
    PADDING,
    ROWS,
    SUMS_LEAD,
    Bits,
    Block,
    Bools,
    Buffers,
    Int32,
    Int64,
    Metrics,
    Real,
    Series,
    Window,
    Windows,
    f32,
    i32,
    kernel,
)
from sep_trader.qfh.kernels.line import line_in_cache, line_past_cache
from sep_trader.qfh.kernels.sums import count_line, mismatch_line
from sep_trader.qfh.kernels.trend import STRIP, trend_of_line, trend_past_cache


@kernel
def make_buffers(windows: int) -> Buffers:
    """Make the buffers of a driver for a number of windows."""
    size = BUFFER + PADDING
    return Buffers(
        np.zeros(size, np.int8),
        np.ones(size, np.float32),
        np.zeros(size, np.int32),
        np.zeros((windows, size), np.int32),
        np.full(ROWS + PADDING, ENOUGH, np.int32),
        np.ones(ROWS + PADDING, np.float32),
    )


@kernel
def window_of(length: int, entropies: Real, theta: float, k1: float, k2: float) -> Window:
    """Make the constants of a window from its length and its entropy table."""
    collapse_count = 0
    while collapse_count < length and collapse_count / (length - 1) < theta:
        collapse_count += 1
    half = length // 2
    return Window(
        length,
        half,
        entropies,
        i32(collapse_count),
        f32(1.0 / (length - 1)),
        f32(1.0 / length),
        f32(2.0 / half),
        f32(1.0 / (length - 3)),
        f32(k1),
        f32(k2),
    )


@kernel
def copy_down(values: np.ndarray, position: int) -> None:
    """Move the context before `position` to the start of a buffer."""
    to, of = values[:CONTEXT], values[position - CONTEXT : position]
    for i in range(CONTEXT):
        to[i] = of[i]


@kernel
def make_room(buffers: Buffers, position: int, rows: int) -> int:
    """Say where the next rows go: at `position`, or after the context, moved down, if the buffers end too early."""
    if position + rows <= BUFFER:
        return position
    copy_down(buffers.bits, position)
    copy_down(buffers.signs, position)
    copy_down(buffers.counts, position)
    for k in range(len(buffers.mismatches)):
        copy_down(buffers.mismatches[k], position)
    return CONTEXT


@kernel
def take_bits(source: Bits, bits: Bits) -> bool:
    """Copy bits, a missing one as 1 (its windows are blanked); says whether any is missing."""
    missing = np.int8(0)
    for i in range(len(source)):
        missing |= source[i]
        bits[i] = source[i] & 1
    return bool(missing < 0)


@kernel
def write_signs(bits: Bits, signs: Real) -> None:
    """Write bits as -1 and +1."""
    for i in range(len(bits)):
        signs[i] = f32(i32(2 * bits[i] - 1))


@kernel
def any_true(values: Bools) -> bool:
    """Say whether any value is true."""
    found = False
    for i in range(len(values)):
        found |= values[i]
    return found


@kernel
def bits_in_session(bits: Bits, starts: Bools, before: int, available: Int32) -> int:
    """Count the bits of the session without a break that end at each row; returns the last count.

    before: the count at the row before the first.
    """
    for i in range(len(available)):
        if starts[i]:
            before = 0
        before = before + 1 if bits[i] >= 0 else 0
        available[i] = before
    return before


@kernel
def write_available(bits: Bits, starts: Bools, missing: bool, before: int, longest: int, available: Int32) -> int:
    """Write the bits available at a block's rows, ENOUGH where each row has the longest window; returns the last count.

    missing: whether a bit of the block is missing. before: the count at the row before the block.
    """
    n = len(bits)
    if missing or before < longest or any_true(starts):
        return bits_in_session(bits, starts, before, available[:n])
    if available[0] != ENOUGH or available[-1] != ENOUGH:
        available[:] = ENOUGH
    return before


@kernel
def take_block(series: Series, block: Block, available: int, longest: int, with_trend: bool, buffers: Buffers) -> int:
    """Take the bits of a block into the buffers; returns the bits available at its last row.

    available: those at the row before the block. longest: the longest window, in bits.
    """
    first, end = block.first, block.first + block.rows
    to = buffers.bits[block.position : block.position + block.rows]
    missing = take_bits(series.bits[first:end], to)
    buffers.bits[block.position + block.rows : block.position + block.rows + PADDING] = 0
    if with_trend:
        write_signs(to, buffers.signs[block.position : block.position + block.rows])
    return write_available(
        series.bits[first:end], series.starts[first:end], missing, available, longest, buffers.available
    )


@kernel
def window_at(windows: Windows, k: int) -> Window:
    """Make the constants of the k-th window."""
    length, table = windows.lengths[k], windows.table_starts[k]
    entropies = windows.entropies[table : table + length * length]
    return window_of(length, entropies, windows.theta, windows.k1, windows.k2)


# Sums and metrics take turns, so that counting hides behind writing; the sums run ahead, so that none is read while it
# is on its way to the cache.
@kernel
def rows_of_window(
    series: Series, block: Block, buffers: Buffers, window: Window, k: int, wanted: bool, with_trend: bool,
    totals: Int32, out: Metrics,
) -> None:  # fmt: skip
    """Compute the metrics of a block's rows for the k-th window, all but the trend.

    wanted: write the metrics; otherwise only the running sums are continued. with_trend: keep the damping for it.
    totals: int32[1 + K], the running sums at the row before the block and, afterwards, at its last row: of
    buffers.counts, which the first window continues for all, and of each window's mismatches. out: of this window.
    """
    counting, mismatches = k == 0, buffers.mismatches[k]
    total, total_mismatches = totals[0], totals[1 + k]
    for i in range(0, block.rows + SUMS_LEAD, LINE):
        if i < block.rows:
            if counting:
                fetch_ahead(series.bits, block.first + block.rows + i)
                fetch_ahead(series.starts, block.first + block.rows + i)
                total = count_line(buffers, block.position + i, total)
            total_mismatches = mismatch_line(buffers, mismatches, block.position + i, window.half, total_mismatches)
        row = i - SUMS_LEAD
        if wanted and row >= 0:
            position = block.position + row
            line_past_cache(buffers, mismatches, window, position, row, with_trend, out, block.first + row)
    totals[0], totals[1 + k] = total, total_mismatches


@kernel
def metrics_of_series(series: Series, windows: Windows, with_trend: bool, first: int, last: int, out: Metrics) -> None:
    """Compute the metrics of rows first..last-1 for every window; `out` holds all windows.

    first: a multiple of ROWS. with_trend: False leaves the row of the damped trend untouched.
    """
    count = len(windows.lengths)
    buffers, totals = make_buffers(count), np.zeros(1 + count, np.int32)
    longest = windows.lengths.max()
    available, position = 0, CONTEXT
    for begin in range(max(0, first - ROWS), last, ROWS):
        rows, wanted = min(ROWS, last - begin), begin >= first
        position = make_room(buffers, position, rows)
        block = Block(begin, rows, position)
        available = take_block(series, block, available, longest, with_trend, buffers)
        for k in range(count):
            window, one = window_at(windows, k), Metrics(out.values[k], out.collapse[k], out.valid[k])
            rows_of_window(series, block, buffers, window, k, wanted, with_trend, totals, one)
            if with_trend and wanted:
                for row in range(0, rows, STRIP):
                    trend_past_cache(buffers, window.length, position + row, row, one.values, begin + row)
        position += rows


@kernel
def metrics_of_newest(
    bit: int,
    state: Int64,
    buffer_arrays: tuple[Bits, Real, Int32, Int32, Int32, Real],
    window_values: tuple[Int64, Real, Int64, float, float, float],
    out_arrays: tuple[Real, Bools, Bools],
) -> None:
    """Take one bit and compute the metrics of the windows that end at it, as `metrics_of_series` for a block of one.

    state: int64[2 + K]: the bit's position, the total of buffers.counts, the totals of buffers.mismatches. The others
    are the fields of Buffers, Windows and Metrics (all windows, N = LINE, of which the first row counts): numba takes
    plain tuples from Python three times as fast as named ones.
    """
    buffers, windows, out = Buffers(*buffer_arrays), Windows(*window_values), Metrics(*out_arrays)
    position = make_room(buffers, state[0], 1)
    buffers.bits[position] = bit
    buffers.signs[position] = f32(2 * bit - 1)
    buffers.bits[position + 1 : position + LINE] = 0
    count_line(buffers, position, i32(state[1]))
    state[1] = buffers.counts[position]
    for k in range(len(windows.lengths)):
        window, mismatches = window_at(windows, k), buffers.mismatches[k]
        mismatch_line(buffers, mismatches, position, window.half, i32(state[2 + k]))
        state[2 + k] = mismatches[position]
        one = Metrics(out.values[k], out.collapse[k], out.valid[k])
        line_in_cache(buffers, mismatches, window, position, 0, True, one, 0)
        trend_of_line(buffers, window.length, position, 0, one.values, 0)
    state[0] = position + 1
