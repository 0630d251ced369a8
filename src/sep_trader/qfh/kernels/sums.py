"""Running sums over the bits of a series, a line at a time: the difference of two is the count of a window."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

from typing import Any

from numba import types

from sep_trader.qfh.kernels.lanes import BYTE, LINE, Lanes, arguments_of, intrinsic, splat
from sep_trader.qfh.kernels.layout import CORRECTIONS_AT, FLIPS_AT


@intrinsic
def count_line(_context: Any, buffers: Any, position: Any, total: Any) -> Any:
    """Continue buffers.counts over the sixteen bits from `position` on; returns the new total.

    total: int32, the running sum before `position`. A bit adds itself, its flip, and its difference from the majority
    of the three bits before, in a field each.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        buffers, position, total = arguments_of(context, builder, signature, values)
        at, bits = position.value, buffers.bits.data
        bit, before, second, third = (
            Lanes.load(builder, bits, builder.sub(at, at.type(back)), BYTE) for back in range(4)
        )
        majority = (before & second) | (before & third) | (second & third)
        adds = bit | ((bit ^ before) << FLIPS_AT) | ((majority ^ bit) << CORRECTIONS_AT)
        sums = adds.running_sum() + splat(builder, total.value)
        sums.store(buffers.counts.data, at)
        return sums.lane(LINE - 1)

    return types.int32(buffers, types.intp, types.int32), generate


@intrinsic
def mismatch_line(_context: Any, buffers: Any, mismatches: Any, position: Any, half: Any, total: Any) -> Any:
    """Continue `mismatches` over the sixteen bits from `position` on; returns the new total.

    mismatches: int32, the row of buffers.mismatches of one window. total: int32, the running sum before `position`. A
    bit adds 1 where the bit `half` before differs.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        buffers, mismatches, position, half, total = arguments_of(context, builder, signature, values)
        at, bits = position.value, buffers.bits.data
        newer = Lanes.load(builder, bits, at, BYTE)
        older = Lanes.load(builder, bits, builder.sub(at, half.value), BYTE)
        sums = (newer ^ older).running_sum() + splat(builder, total.value)
        sums.store(mismatches.data, at)
        return sums.lane(LINE - 1)

    return types.int32(buffers, mismatches, types.intp, types.intp, types.int32), generate
