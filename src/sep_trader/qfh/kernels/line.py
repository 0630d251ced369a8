"""The metrics of sixteen rows at a time, from running sums to finished lines, without a look at memory in between."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

import math
from collections.abc import Callable, Sequence
from typing import Any

from numba import types
from numba.core import cgutils

from sep_trader.qfh.kernels.lanes import BYTE, INT, Lanes, data_of, intrinsic, splat
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


def _sources(builder: Any, data: Callable[[int], Any], arguments: Sequence[Any]) -> tuple[Lanes, ...]:
    """Ones, flips, ruptures, corrections and disagreements of the windows that end at sixteen rows."""
    at, window, half = arguments[6], arguments[8], arguments[9]

    def summed(back: int) -> Lanes:
        oldest = builder.add(builder.sub(at, window), window.type(back))
        return Lanes.load(builder, data(0), oldest)

    now = Lanes.load(builder, data(0), at)
    oldest = builder.add(builder.sub(at, window), window.type(1))
    newest_bit, oldest_bit = (Lanes.load(builder, data(2), place, BYTE) for place in (at, oldest))
    ones = (now - summed(0)) & FIELD
    flips = ((now - summed(1)) >> FLIPS_AT) & FIELD
    corrections = ((now - summed(3)) >> CORRECTIONS_AT) & FIELD
    # Ones at the newer and at the older end of the transitions: twice the ruptures and once the flips.
    ruptures = (ones + ones - newest_bit - oldest_bit - flips) >> 1
    apart = Lanes.load(builder, data(1), at) - Lanes.load(builder, data(1), builder.sub(at, half))
    return ones, flips, ruptures, corrections, apart


def _line(past_cache: bool) -> Any:
    """The intrinsic whose lines go past the cache, or stay in it."""

    @intrinsic
    def line(
        _context: Any, packed: Any, apart: Any, inner: Any, ages: Any, table: Any, damped: Any, at: Any, row: Any,
        window: Any, half: Any, scale: Any, keep: Any, out: Any, lo: Any, collapse: Any, valid: Any,
    ) -> Any:  # fmt: skip
        """Compute the metrics of the rows `at`..`at + 15` for one window into out[:, lo:], collapse[lo:], valid[lo:].

        packed, apart: running sums, int32; inner: bits, int8; at: the first row's place in them. ages: unbroken bits of
        the session, int32; damped: float32, gets the damping of every row where `keep` says so; row: the first row's
        place in them. table: float32, entropy by cell. scale: as `scale_of`. out: float32[9, n], all but the trend, NaN
        where no full window ends; collapse, valid: bool.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = data_of(context, builder, signature.args, arguments)
            row, window, _, scale, keep, _, lo = arguments[7:14]
            least, per_transition, per_bit, per_half, per_correction, k1, k2 = cgutils.unpack_tuple(builder, scale)
            ones, flips, ruptures, corrections, differing = _sources(builder, data, arguments)
            rows = context.make_array(signature.args[12])(context, builder, arguments[12])
            length = cgutils.unpack_tuple(builder, rows.shape)[1]
            full = Lanes.load(builder, data(3), row) >= builder.trunc(window, INT)

            def write(row: int, values: Lanes) -> None:
                place = builder.add(builder.mul(length, length.type(row)), lo)
                values.where(full, math.nan).store(rows.data, place, past_cache=past_cache)

            nulls = splat(builder, builder.trunc(builder.sub(window, window.type(1)), INT)) - flips - ruptures
            write(NULL, nulls.to_real() * per_transition)
            write(FLIP, flips.to_real() * per_transition)
            write(RUPTURE, ruptures.to_real() * per_transition)
            write(UP, ones.to_real() * per_bit)
            write(STABILITY, 1.0 - corrections.to_real() * per_correction)
            entropy = (nulls * builder.trunc(window, INT) + flips).look_up(data(4))
            write(ENTROPY, entropy)
            product = 1.0 - differing.to_real() * per_half
            coherence = product * product
            write(COHERENCE, coherence)
            damping = (entropy * k1 + (1.0 - coherence) * k2).at_least(0.01).at_most(1.0)
            write(DAMPING, damping)
            with builder.if_then(keep):
                damping.store(data(5), row)
            (((ruptures >= least) | (nulls >= least)) & full).store(data(14), lo)
            full.store(data(15), lo)
            return context.get_dummy_value()

        whole = types.intp
        places = (whole, whole, whole, whole, scale, types.boolean, out, whole, collapse, valid)
        return types.void(packed, apart, inner, ages, table, damped, *places), generate

    return line


line_past_cache, line_in_cache = _line(True), _line(False)
