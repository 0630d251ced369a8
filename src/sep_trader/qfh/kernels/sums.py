"""Running sums over the bits of a series, a line at a time: the difference of two is the count of a window."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

from typing import Any

from numba import types

from sep_trader.qfh.kernels.lanes import BYTE, LINE, Lanes, data_of, intrinsic, splat
from sep_trader.qfh.kernels.layout import CORRECTIONS_AT, FLIPS_AT


@intrinsic
def count_line(_context: Any, inner: Any, at: Any, total: Any, packed: Any) -> Any:
    """Sum up what the sixteen bits inner[at:] add to the counts into packed[at:]; returns the total behind them.

    inner: int8; packed: int32. A bit adds itself, its flip, and its difference from the majority of the three before,
    in a field each; the sums wrap, their differences do not.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = data_of(context, builder, signature.args, arguments)
        _, at, total, _ = arguments
        x, y, z, w = (Lanes.load(builder, data(0), builder.sub(at, at.type(back)), BYTE) for back in range(4))
        majority = (y & z) | (y & w) | (z & w)
        adds = x | ((x ^ y) << FLIPS_AT) | ((majority ^ x) << CORRECTIONS_AT)
        sums = adds.running_sum() + splat(builder, total)
        sums.store(data(3), at)
        return sums.lane(LINE - 1)

    return types.int32(inner, types.intp, types.int32, packed), generate


@intrinsic
def apart_line(_context: Any, inner: Any, at: Any, half: Any, total: Any, apart: Any) -> Any:
    """Sum up where the sixteen bits inner[at:] differ from those `half` before into apart[at:]; returns the total."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = data_of(context, builder, signature.args, arguments)
        _, at, half, total, _ = arguments
        newer = Lanes.load(builder, data(0), at, BYTE)
        older = Lanes.load(builder, data(0), builder.sub(at, half), BYTE)
        sums = (newer ^ older).running_sum() + splat(builder, total)
        sums.store(data(4), at)
        return sums.lane(LINE - 1)

    return types.int32(inner, types.intp, types.intp, types.int32, apart), generate
