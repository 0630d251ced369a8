"""The window metrics in plain numba: the same algorithm as qfh/kernels, in loops over slices instead of LLVM vectors.

benchmarks/kernels.py measures the kernels against it; nothing else uses it. Blocks stay in the first-level cache, and a
loop has few slices, so that LLVM vectorises it. Plain numba cannot say two things: store past the cache, and keep a
value in a register from one loop to the next.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math
from typing import Any

import numba
import numpy as np

i32, f32 = np.int32, np.float32
CONTEXT = 512
STRIP, CHUNK, REACH = 64, 8, 16.0
NULL, FLIP, RUPTURE, UP, ENTROPY, COHERENCE, STABILITY, DAMPING, TREND = range(9)
FLIPS_AT, CORRECTIONS_AT, FIELD = 10, 20, 1023
C1, C2, C3, C4, C5, C6, C7, C8, C9, C10 = (np.float32((-1) ** (k + 1) / math.factorial(k)) for k in range(1, 11))

kernel = numba.njit(cache=True, nogil=True, error_model="numpy")
contracting = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@kernel
def take_bits(source, bits, signs):
    """Copy bits, a missing one as 1, and write them as signs; says whether any is missing."""
    missing = np.int8(0)
    for i in range(len(source)):
        missing |= source[i]
        bits[i] = source[i] & 1
    for i in range(len(source)):
        signs[i] = f32(i32(2 * bits[i] - 1))
    return missing < 0


@kernel
def pack(b0, b1, b2, b3, packed):
    """Pack what each bit adds to the counts."""
    for i in range(len(packed)):
        x, y, z, w = i32(b0[i]), i32(b1[i]), i32(b2[i]), i32(b3[i])
        majority = (y & z) | (y & w) | (z & w)
        packed[i] = i32(x | ((x ^ y) << FLIPS_AT) | ((majority ^ x) << CORRECTIONS_AT))


@kernel
def differ(newer, older, out):
    for i in range(len(out)):
        out[i] = i32(newer[i] ^ older[i])


@kernel
def running_sum(values, total):
    for i in range(len(values)):
        total = i32(total + values[i])
        values[i] = total
    return total


@kernel
def bits_in_session(bits, starts, before, available):
    """Count the bits of the session without a break that end at each row; returns the last count."""
    for i in range(len(available)):
        if starts[i]:
            before = 0
        before = before + 1 if bits[i] >= 0 else 0
        available[i] = before
    return before


@kernel
def any_true(values):
    found = False
    for i in range(len(values)):
        found |= values[i]
    return found


@kernel
def tally(now, before, before_flips, newest, oldest, window, ones, flips, ruptures, nulls):
    """Turn sums into counts. A loop over few slices: LLVM vectorises none that needs many checks for overlaps."""
    for i in range(len(now)):
        one = i32(i32(now[i] - before[i]) & FIELD)
        flip = i32((i32(now[i] - before_flips[i]) >> FLIPS_AT) & FIELD)
        rupture = i32(i32(2 * one - newest[i] - oldest[i] - flip) >> 1)
        ones[i], flips[i], ruptures[i], nulls[i] = one, flip, rupture, i32(window - 1 - flip - rupture)


@kernel
def share(counts, of, out):
    for i in range(len(out)):
        out[i] = f32(counts[i]) * of


@kernel
def stability(now, before, of, out):
    for i in range(len(out)):
        out[i] = f32(1) - f32(i32((i32(now[i] - before[i]) >> CORRECTIONS_AT) & FIELD)) * of


@kernel
def coherence(now, before, of, kept, out):
    for i in range(len(out)):
        product = f32(1) - f32(i32(now[i] - before[i])) * of
        kept[i] = product * product
        out[i] = product * product


@kernel
def cells_and_collapse(nulls, flips, ruptures, window, least, cells, collapse):
    for i in range(len(cells)):
        cells[i] = i32(nulls[i] * window + flips[i])
        collapse[i] = (ruptures[i] >= least) | (nulls[i] >= least)


@kernel
def look_up(cells, table, out):
    for i in range(len(cells)):
        out[i] = table[cells[i]]


@kernel
def damp(entropy, coherence, k1, k2, out):
    for i in range(len(out)):
        value = entropy[i] * k1 + (f32(1) - coherence[i]) * k2
        value = value if value > f32(0.01) else f32(0.01)
        out[i] = value if value < f32(1) else f32(1)


@kernel
def copy(values, out):
    for i in range(len(out)):
        out[i] = values[i]


@kernel
def blank(available, window, rows, out, collapse, valid):
    """Write NaN and False where no full window ends."""
    for i in range(len(available)):
        valid[i] = available[i] >= window
        collapse[i] &= valid[i]
        if available[i] < window:
            for row in range(rows):
                out[row, i] = f32(np.nan)


@contracting
def weights(damping, window, x, y, reach):
    """Compute x = exp(-damping), y = 1 - x and how many bits matter, a multiple of CHUNK or the window."""
    for i in range(len(damping)):
        d = damping[i]
        y[i] = d * (
            C1 + d * (C2 + d * (C3 + d * (C4 + d * (C5 + d * (C6 + d * (C7 + d * (C8 + d * (C9 + d * C10))))))))
        )
        x[i] = f32(1) - y[i]
        far = i32((i32(f32(REACH) / d) | (CHUNK - 1)) + 1)
        reach[i] = far if far < window else window


@contracting
def powers(x, exponent, square, power):
    for i in range(len(x)):
        square[i] = x[i]
        power[i] = f32(1)
    while exponent > 0:
        if exponent & 1:
            for i in range(len(x)):
                power[i] *= square[i]
        for i in range(len(x)):
            square[i] *= square[i]
        exponent >>= 1


@contracting
def add_chunk(signs, x, reach, upto, total):
    """Take eight more signs into the sums, signs[i + 7] the newest of row i; rows whose reach ends here begin at 0."""
    for i in range(len(total)):
        a = total[i] if reach[i] > upto else f32(0)
        d = x[i]
        a = (((a * d + signs[i]) * d + signs[i + 1]) * d + signs[i + 2]) * d + signs[i + 3]
        total[i] = (((a * d + signs[i + 4]) * d + signs[i + 5]) * d + signs[i + 6]) * d + signs[i + 7]


@contracting
def add_one(sign, x, total):
    for i in range(len(total)):
        total[i] = total[i] * x[i] + sign[i]


@contracting
def normalise(total, y, power, out):
    for i in range(len(out)):
        value = total[i] * y[i] / (f32(1) - power[i])
        value = value if value > f32(-1) else f32(-1)
        out[i] = value if value < f32(1) else f32(1)


@kernel
def trend_rows(signs, position, damping, window, scratch, reach, out):
    """Compute the damped trend of the rows whose newest signs are signs[position], signs[position + 1], ..."""
    for first in range(0, len(damping), STRIP):
        n = min(STRIP, len(damping) - first)
        p = position + first
        x, y, square, power, total = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n], scratch[4, :n]
        far = reach[:n]
        weights(damping[first : first + n], i32(window), x, y, far)
        farthest = i32(0)
        for i in range(n):
            farthest = max(farthest, far[i])
        total[:] = f32(0)
        chunks = farthest // CHUNK
        if farthest == window:
            chunks = window // CHUNK
            for k in range(window - 1, chunks * CHUNK - 1, -1):
                add_one(signs[p - k : p - k + n], x, total)
        for chunk in range(chunks - 1, -1, -1):
            q = p - chunk * CHUNK
            add_chunk(signs[q - 7 : q + n], x, far, i32((chunk + 1) * CHUNK), total)
        powers(x, window, square, power)
        normalise(total, y, power, out[first : first + n])


@kernel
def scale_of(window, theta):
    least = 0
    while least < window and least / (window - 1) < theta:
        least += 1
    return (
        i32(least), f32(1.0 / (window - 1)), f32(1.0 / window), f32(2.0 / (window // 2)),
        f32(1.0 / (window - 3)),
    )  # fmt: skip


def _driver(rows):
    """The driver with a block of so many rows, a constant of the compiled loops."""

    @kernel
    def metrics(bits, starts, window, table, theta, k1, k2, with_trend, out, collapse, valid):
        """Compute the metrics of a whole series for one window; out: float32[9, N]."""
        size = CONTEXT + 4 * rows
        counts, mismatches = np.zeros(size, np.int32), np.zeros(size, np.int32)
        held, signs = np.zeros(size, np.int8), np.ones(size, np.float32)
        ints, available = np.empty((5, rows), np.int32), np.empty(rows, np.int32)
        reals = np.empty((3, rows), np.float32)
        scratch, reach = np.empty((5, STRIP), np.float32), np.empty(STRIP, np.int32)
        k1, k2, half = f32(k1), f32(k2), window // 2
        least, per_transition, per_bit, per_pair, per_correction = scale_of(window, theta)
        at, ages, total, total_mismatches = CONTEXT, 0, i32(0), i32(0)
        for lo in range(0, len(bits), rows):
            n = min(rows, len(bits) - lo)
            if at + n > size:
                for values in (counts, mismatches):
                    values[:CONTEXT] = values[at - CONTEXT : at].copy()
                held[:CONTEXT] = held[at - CONTEXT : at].copy()
                signs[:CONTEXT] = signs[at - CONTEXT : at].copy()
                at = CONTEXT
            end = at + n
            missing = take_bits(bits[lo : lo + n], held[at:end], signs[at:end])
            pack(held[at:end], held[at - 1 : end - 1], held[at - 2 : end - 2], held[at - 3 : end - 3], counts[at:end])
            total = running_sum(counts[at:end], total)
            differ(held[at:end], held[at - half : end - half], mismatches[at:end])
            total_mismatches = running_sum(mismatches[at:end], total_mismatches)
            broken = missing or any_true(starts[lo : lo + n]) or ages < window
            if broken:
                ages = bits_in_session(bits[lo : lo + n], starts[lo : lo + n], ages, available[:n])
            ones, flips, ruptures, nulls, cells = ints[0, :n], ints[1, :n], ints[2, :n], ints[3, :n], ints[4, :n]
            entropies, coherences, damping = reals[0, :n], reals[1, :n], reals[2, :n]
            tally(
                counts[at:end], counts[at - window : end - window], counts[at - window + 1 : end - window + 1],
                held[at:end], held[at - window + 1 : end - window + 1], i32(window), ones, flips, ruptures, nulls,
            )  # fmt: skip
            share(nulls, per_transition, out[NULL, lo : lo + n])
            share(flips, per_transition, out[FLIP, lo : lo + n])
            share(ruptures, per_transition, out[RUPTURE, lo : lo + n])
            share(ones, per_bit, out[UP, lo : lo + n])
            stability(
                counts[at:end], counts[at - window + 3 : end - window + 3], per_correction, out[STABILITY, lo : lo + n]
            )
            coherence(
                mismatches[at:end],
                mismatches[at - half : end - half],
                per_pair,
                coherences,
                out[COHERENCE, lo : lo + n],
            )
            cells_and_collapse(nulls, flips, ruptures, i32(window), least, cells, collapse[lo : lo + n])
            look_up(cells, table, entropies)
            copy(entropies, out[ENTROPY, lo : lo + n])
            damp(entropies, coherences, k1, k2, damping)
            copy(damping, out[DAMPING, lo : lo + n])
            if with_trend:
                trend_rows(signs, at, damping, window, scratch, reach, out[TREND, lo : lo + n])
            if broken:
                height = 9 if with_trend else TREND
                blank(available[:n], window, height, out[:, lo : lo + n], collapse[lo : lo + n], valid[lo : lo + n])
            else:
                valid[lo : lo + n] = True
            at = end

    return metrics


_drivers: dict[int, Any] = {}


def run(
    bits: Any, starts: Any, window: int, table: Any, trend: bool, out: Any, collapse: Any, valid: Any, rows: int
) -> None:
    """Compute the metrics of a whole series for one window, in blocks of `rows`, with the default theta, k1 and k2.

    out: float32[9, N].
    """
    if rows not in _drivers:
        _drivers[rows] = _driver(rows)
    _drivers[rows](bits, starts, window, table, 0.3, 0.3, 0.2, trend, out, collapse, valid)
