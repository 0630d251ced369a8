"""The damped trend: a sum of spins with weights that differ from row to row, cut off where they vanish."""

# mypy: disable-error-code="no-untyped-def"

import math

import numpy as np

from sep_trader.qfh.kernels.layout import f32, i32, kernel

STRIP = 64
CHUNK = 8
# Weights below e^-16 of the newest one are left out: a share of 1e-7 of the sum.
REACH = 16.0
# 1 - e^-d = d (1 - d/2 + d^2/6 - ...), to the tenth power: 2e-7 for d up to 1.
C1, C2, C3, C4, C5, C6, C7, C8, C9, C10 = (np.float32((-1) ** (k + 1) / math.factorial(k)) for k in range(1, 11))


@kernel
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


@kernel
def powers(x, exponent, square, power):
    """Raise x to a whole exponent by squaring, row by row in the same order."""
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


@kernel
def add_chunk(s0, s1, s2, s3, s4, s5, s6, s7, x, reach, upto, total):
    """Take eight more spins into the sums, s7 the oldest; rows whose reach ends here start from nothing."""
    for i in range(len(total)):
        a = total[i] if reach[i] > upto else f32(0)
        d = x[i]
        a = (((a * d + s7[i]) * d + s6[i]) * d + s5[i]) * d + s4[i]
        total[i] = (((a * d + s3[i]) * d + s2[i]) * d + s1[i]) * d + s0[i]


@kernel
def add_one(spin, x, total):
    """Take one more spin into the sums."""
    for i in range(len(total)):
        total[i] = total[i] * x[i] + spin[i]


@kernel
def trend_rows(spins, at, damping, window, scratch, reach, out):
    """Compute the damped trend of the rows whose newest spins are spins[at], spins[at+1], ...

    spins: float32, each row's older ones before it. scratch: float32[5, STRIP] and reach: int32[STRIP] are overwritten.
    A row's value depends on its own window only, bit for bit, whichever rows are computed with it.
    """
    for lo in range(0, len(damping), STRIP):
        n = min(STRIP, len(damping) - lo)
        p = at + lo
        x, y, square, power, total = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n], scratch[4, :n]
        far = reach[:n]
        weights(damping[lo : lo + n], i32(window), x, y, far)
        farthest = i32(0)
        for i in range(n):
            farthest = max(farthest, far[i])
        total[:] = f32(0)
        chunks = farthest // CHUNK
        if farthest == window:
            chunks = window // CHUNK
            for k in range(window - 1, chunks * CHUNK - 1, -1):
                add_one(spins[p - k : p - k + n], x, total)
        for chunk in range(chunks - 1, -1, -1):
            q = p - chunk * CHUNK
            add_chunk(
                spins[q : q + n],
                spins[q - 1 : q - 1 + n],
                spins[q - 2 : q - 2 + n],
                spins[q - 3 : q - 3 + n],
                spins[q - 4 : q - 4 + n],
                spins[q - 5 : q - 5 + n],
                spins[q - 6 : q - 6 + n],
                spins[q - 7 : q - 7 + n],
                x,
                far,
                i32((chunk + 1) * CHUNK),
                total,
            )
        powers(x, window, square, power)
        normalise(total, y, power, out[lo : lo + n])


@kernel
def normalise(total, y, power, out):
    """Divide by the sum of the weights, (1 - x^W) / (1 - x)."""
    for i in range(len(out)):
        out[i] = total[i] * y[i] / (f32(1) - power[i])
