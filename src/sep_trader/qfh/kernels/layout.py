"""Sizes and constants that the kernels share; the loops are compiled with them as constants."""

from typing import Any

import numba
import numpy as np

# Rows of a block, and room for the bits before it that a window of 512 needs; behind the end, room for a whole strip.
ROWS = 4096
CONTEXT = 512
BUFFER = CONTEXT + ROWS
SPARE = 64
LEAD = 128
# Rows of the metric matrix.
NULL, FLIP, RUPTURE, UP, ENTROPY, COHERENCE, STABILITY, DAMPING, TREND = range(9)
METRIC_ROWS = 9
# Fields of a packed count: ones, flips and corrections, ten bits each, summed by one addition.
FLIPS_AT, CORRECTIONS_AT, FIELD = 10, 20, 1023
# Age that is written when every window is full.
OLD = 1 << 30

i32, f32 = np.int32, np.float32

kernel: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
