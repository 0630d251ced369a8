"""The damped trend: a sum of signs with weights that differ from row to row, cut off where the weights vanish."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from sep_trader.qfh.kernels.lanes import INT, LINE, REAL, Lanes, Variable, arguments_of, intrinsic, splat
from sep_trader.qfh.kernels.layout import TREND

# Weights below e^-16 of the newest one are left out: a share of 1e-7 of the sum.
REACH = 16.0
# 1 - e^-d = d (1 - d/2 + d^2/6 - ...), to the tenth power: 2e-7 for d up to 1.
SERIES = [(-1) ** (k + 1) / math.factorial(k) for k in range(1, 11)]
# Lines that are summed side by side: an addition need not wait for the one before it in the same line.
ABREAST = 4
STRIP = ABREAST * LINE


def _falls(damping: Lanes) -> Lanes:
    """1 - exp(-damping)."""
    falls = Lanes.of(damping.builder, SERIES[-1])
    for coefficient in reversed(SERIES[:-1]):
        falls = falls.times_plus(damping, coefficient)
    return falls * damping


def _reaches(damping: Sequence[Lanes], window: Any) -> tuple[list[Lanes], Any, Any]:
    """How many signs matter to each row, at most the window's; the fewest and the most of all rows."""
    builder = damping[0].builder
    length = splat(builder, builder.trunc(window, INT))
    reaches = []
    for one in damping:
        far = (Lanes.of(builder, REACH) / one).to_int() + 1
        reaches.append(length.where(far > length, far))
    fewest, most = reaches[0], reaches[0]
    for one in reaches[1:]:
        fewest, most = one.where(fewest > one, fewest), one.where(one > most, most)
    return reaches, builder.sext(fewest.least(), window.type), builder.sext(most.most(), window.type)


def _count_down(builder: Any, start: Any, end: Any, body: Callable[[Any], None]) -> None:
    """Run `body` for start - 1, start - 2, ..., end."""
    place = cgutils.alloca_once_value(builder, start)
    test, inside, after = (builder.append_basic_block(name) for name in ("test", "inside", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    builder.cbranch(builder.icmp_signed(">", builder.load(place), end), inside, after)
    builder.position_at_end(inside)
    builder.store(builder.sub(builder.load(place), start.type(1)), place)
    body(builder.load(place))
    builder.branch(test)
    builder.position_at_end(after)


def _power(ratios: Sequence[Lanes], exponent: Any) -> list[Lanes]:
    """Each to a whole power, by squaring."""
    builder = ratios[0].builder
    squares, powers = ([Variable(one) for one in ratios], [Variable(Lanes.of(builder, 1.0)) for _ in ratios])
    left = cgutils.alloca_once_value(builder, exponent)
    test, inside, after = (builder.append_basic_block(name) for name in ("test", "inside", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    builder.cbranch(builder.icmp_signed(">", builder.load(left), exponent.type(0)), inside, after)
    builder.position_at_end(inside)
    with builder.if_then(builder.trunc(builder.load(left), ir.IntType(1))):
        for power, square in zip(powers, squares, strict=True):
            power.set(power.get() * square.get())
    for square in squares:
        square.set(square.get() * square.get())
    builder.store(builder.lshr(builder.load(left), exponent.type(1)), left)
    builder.branch(test)
    builder.position_at_end(after)
    return [power.get() for power in powers]


def _trend(lines: int, past_cache: bool) -> Any:
    """The intrinsic for so many lines, whose result goes past the cache or stays in it."""

    @intrinsic
    def trend(_context: Any, buffers: Any, length: Any, position: Any, row: Any, metrics: Any, out_row: Any) -> Any:
        """Compute the damped trend of `lines` times sixteen rows into metrics[TREND, out_row:].

        buffers: Buffers, of which signs, damping and available are read. length: of the window, in bits. position: of
        the first row's bit in the buffers. row: the first row in the block. metrics: float32[9, n]. NaN where no full
        window ends. A row's value depends on its own window only, bit for bit, whichever rows are computed with it.
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            buffers, length, position, row, metrics, out_row = arguments_of(context, builder, signature, values)
            signs = buffers.signs.data

            def place(base: Any, line: int) -> Any:
                return builder.add(base, base.type(line * LINE))

            damping = [Lanes.load(builder, buffers.damping.data, place(row.value, n), REAL) for n in range(lines)]
            falls = [_falls(one) for one in damping]
            ratios = [1.0 - one for one in falls]
            reaches, fewest, most = _reaches(damping, length.value)
            totals = [Variable(Lanes.of(builder, 0.0)) for _ in range(lines)]

            def take(back: Any, masked: bool) -> None:
                for line in range(lines):
                    sign = Lanes.load(builder, signs, builder.sub(place(position.value, line), back), REAL)
                    if masked:
                        sign = sign.where(reaches[line] > builder.trunc(back, INT), 0.0)
                    totals[line].set(totals[line].get().times_plus(ratios[line], sign))

            # From the oldest sign that matters to the newest; with a mask while it does not matter to all rows.
            _count_down(builder, most, fewest, lambda back: take(back, True))
            _count_down(builder, fewest, fewest.type(0), lambda back: take(back, False))
            start = builder.add(builder.mul(metrics.row_length, metrics.row_length.type(TREND)), out_row.value)
            for line, power in enumerate(_power(ratios, length.value)):
                # The sum of the weights is (1 - x^W) / (1 - x).
                value = (totals[line].get() * falls[line] / (1.0 - power)).at_least(-1.0).at_most(1.0)
                full = Lanes.load(builder, buffers.available.data, place(row.value, line)) >= length.int32
                value.where(full, math.nan).store(metrics.data, place(start, line), past_cache=past_cache)
            return context.get_dummy_value()

        whole = types.intp
        return types.void(buffers, whole, whole, whole, metrics, whole), generate

    return trend


trend_past_cache, trend_in_cache, trend_of_line = _trend(ABREAST, True), _trend(ABREAST, False), _trend(1, False)
