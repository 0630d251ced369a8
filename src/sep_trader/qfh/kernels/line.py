"""The metrics of sixteen rows at a time, from running sums to finished lines, held in registers in between."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

import math
from typing import Any, NamedTuple

from numba import types

from sep_trader.qfh.kernels.lanes import BYTE, Argument, Lanes, arguments_of, intrinsic, splat
from sep_trader.qfh.kernels.layout import (
    COHERENCE,
    CORRECTIONS_AT,
    DAMPING,
    ENTROPY,
    FIELD,
    FLIP,
    FLIPS_AT,
    NULL,
    RUPTURE,
    STABILITY,
    UP,
)


class _Counts(NamedTuple):
    """What the windows that end at sixteen rows hold, int32 each."""

    ones: Lanes
    flips: Lanes
    ruptures: Lanes
    corrections: Lanes
    mismatches: Lanes


def _counts(buffers: Argument, mismatches: Argument, window: Argument, position: Argument) -> _Counts:
    """Count by differences of the running sums at sixteen positions."""
    builder, at, length = position.builder, position.value, window.length.value
    before_window = builder.sub(at, length)
    oldest = builder.add(before_window, length.type(1))
    counts, bits = buffers.counts.data, buffers.bits.data
    now = Lanes.load(builder, counts, at)

    def since(skipped: int) -> Lanes:
        """The packed counts of the window without its `skipped` oldest bits."""
        return now - Lanes.load(builder, counts, builder.add(before_window, length.type(skipped)))

    ones = since(0) & FIELD
    flips = (since(1) >> FLIPS_AT) & FIELD
    corrections = (since(3) >> CORRECTIONS_AT) & FIELD
    # Ones at the newer and at the older end of the transitions: twice the ruptures and once the flips.
    newest_bit, oldest_bit = (Lanes.load(builder, bits, place, BYTE) for place in (at, oldest))
    ruptures = (ones + ones - newest_bit - oldest_bit - flips) >> 1
    before_half = Lanes.load(builder, mismatches.data, builder.sub(at, window.half.value))
    return _Counts(ones, flips, ruptures, corrections, Lanes.load(builder, mismatches.data, at) - before_half)


def _line(past_cache: bool) -> Any:
    """The intrinsic whose lines go past the cache, or stay in it."""

    @intrinsic
    def line(
        _context: Any, buffers: Any, mismatches: Any, window: Any, position: Any, row: Any, keep_damping: Any,
        out: Any, out_row: Any,
    ) -> Any:  # fmt: skip
        """Compute the metrics of sixteen rows for one window into rows out_row.. of `out`, all metrics but the trend.

        buffers: Buffers. mismatches: int32, the row of buffers.mismatches of this window. window: Window. position: of
        the first row's bit in the buffers. row: the first row in the block. keep_damping: write buffers.damping, too.
        out: Metrics of one window; NaN and False where no full window ends.
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = arguments_of(context, builder, signature, values)
            buffers, mismatches, window, position, row, keep_damping, out, out_row = given
            counts = _counts(buffers, mismatches, window, position)
            length = window.length.int32
            full = Lanes.load(builder, buffers.available.data, row.value) >= length
            matrix, row_length = out.values.data, out.values.row_length

            def write(metric: int, lanes: Lanes) -> None:
                place = builder.add(builder.mul(row_length, row_length.type(metric)), out_row.value)
                lanes.where(full, math.nan).store(matrix, place, past_cache=past_cache)

            nulls = splat(builder, builder.sub(length, length.type(1))) - counts.flips - counts.ruptures
            per_transition = window.per_transition.value
            write(NULL, nulls.to_real() * per_transition)
            write(FLIP, counts.flips.to_real() * per_transition)
            write(RUPTURE, counts.ruptures.to_real() * per_transition)
            write(UP, counts.ones.to_real() * window.per_bit.value)
            write(STABILITY, 1.0 - counts.corrections.to_real() * window.per_correction.value)
            entropy = (nulls * length + counts.flips).look_up(window.entropies.data)
            write(ENTROPY, entropy)
            mean_product = 1.0 - counts.mismatches.to_real() * window.per_pair.value
            coherence = mean_product * mean_product
            write(COHERENCE, coherence)
            damping = (entropy * window.k1.value + (1.0 - coherence) * window.k2.value).at_least(0.01).at_most(1.0)
            write(DAMPING, damping)
            with builder.if_then(keep_damping.value):
                damping.store(buffers.damping.data, row.value)
            least = window.collapse_count.value
            (((counts.ruptures >= least) | (nulls >= least)) & full).store(out.collapse.data, out_row.value)
            full.store(out.valid.data, out_row.value)
            return context.get_dummy_value()

        kinds = (buffers, mismatches, window, types.intp, types.intp, types.boolean, out, types.intp)
        return types.void(*kinds), generate

    return line


line_past_cache, line_in_cache = _line(True), _line(False)
