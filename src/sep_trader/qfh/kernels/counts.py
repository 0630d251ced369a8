"""Sliding counts of a block and the metrics that follow from them, all but entropy and trend."""

# mypy: disable-error-code="no-untyped-def"

from sep_trader.qfh.kernels.layout import (
    COHERENCE,
    CORRECTIONS_AT,
    DAMPING,
    ENTROPY,
    FIELD,
    FLIP,
    FLIPS_AT,
    NULL,
    ROWS,
    RUPTURE,
    STABILITY,
    UP,
    f32,
    i32,
    kernel,
)


@kernel
def pack(b0, b1, b2, b3, packed):
    """Pack what each bit adds to the counts: itself, its flip, and its difference from the majority of three before."""
    for i in range(len(packed)):
        x = i32(b0[i])
        y = i32(b1[i])
        z = i32(b2[i])
        w = i32(b3[i])
        majority = (y & z) | (y & w) | (z & w)
        packed[i] = i32(x | ((x ^ y) << FLIPS_AT) | ((majority ^ x) << CORRECTIONS_AT))


@kernel
def running_sums(packed, total):
    """Sum packed counts up in place; the sums wrap, their differences do not."""
    for i in range(len(packed)):
        total = i32(total + packed[i])
        packed[i] = total
    return total


@kernel
def running_disagreement(newer, older, sums, total):
    """Sum up where a bit differs from the one half a window before it."""
    for i in range(len(sums)):
        total = i32(total + i32(newer[i] ^ older[i]))
        sums[i] = total
    return total


@kernel
def count_metrics(now, before, before_flips, before_corrections, apart, apart_before, newest, oldest, scale, cells, out,
                  collapse):  # fmt: skip
    """Turn sums into metrics: writes the cell (null * W + flip) of every row, seven rows of `out`, and collapse.

    scale: (W, h, least count of a collapse, 1/(W-1), 1/W, 1/h, 1/(W-3)). out: float32[9 * ROWS], one flat array: so
    the distance of its rows is known when the loop is compiled.
    """
    window, half, least, per_transition, per_bit, per_half, per_correction = scale
    transitions = i32(window - 1)
    for i in range(len(now)):
        ones = i32(i32(now[i] - before[i]) & FIELD)
        flips = i32((i32(now[i] - before_flips[i]) >> FLIPS_AT) & FIELD)
        corrections = i32((i32(now[i] - before_corrections[i]) >> CORRECTIONS_AT) & FIELD)
        # Ones at the newer and at the older end of the transitions: twice the ruptures and once the flips.
        ruptures = i32(i32(2 * ones - newest[i] - oldest[i] - flips) >> 1)
        nulls = i32(transitions - flips - ruptures)
        cells[i] = i32(i32(nulls * window) + flips)
        out[NULL * ROWS + i] = f32(nulls) * per_transition
        out[FLIP * ROWS + i] = f32(flips) * per_transition
        out[RUPTURE * ROWS + i] = f32(ruptures) * per_transition
        out[UP * ROWS + i] = f32(ones) * per_bit
        out[STABILITY * ROWS + i] = f32(1) - f32(corrections) * per_correction
        product = f32(i32(half - 2 * i32(apart[i] - apart_before[i]))) * per_half
        out[COHERENCE * ROWS + i] = product * product
        collapse[i] = (ruptures >= least) | (nulls >= least)


@kernel
def look_up(cells, table, out):
    """Read entropy from its table."""
    for i in range(len(cells)):
        out[i] = table[cells[i]]


@kernel
def damp(n, out, k1, k2):
    """Compute the damping from entropy and coherence."""
    for i in range(n):
        value = k1 * out[ENTROPY * ROWS + i] + k2 * (f32(1) - out[COHERENCE * ROWS + i])
        value = value if value > f32(0.01) else f32(0.01)
        out[DAMPING * ROWS + i] = value if value < f32(1) else f32(1)
