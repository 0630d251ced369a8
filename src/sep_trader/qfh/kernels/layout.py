"""Sizes, constants and groups of arrays that the kernels share; the loops are compiled with them as constants."""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Real = npt.NDArray[np.float32]

ROWS = 4096
"""Rows of one block: its buffers fit into the first-level cache."""
CONTEXT = 512
"""Bits before a block that the longest window of its rows needs."""
BUFFER = CONTEXT + ROWS
PADDING = 64
"""Places behind the end of a buffer, for a strip of rows that begins before the end."""
SUMS_LEAD = 128
"""Rows by which the running sums are ahead of the metrics that read them."""

NULL, FLIP, RUPTURE, UP, ENTROPY, COHERENCE, STABILITY, DAMPING, TREND = range(9)
"""Rows of the metric matrix."""
METRIC_ROWS = 9

FLIPS_AT, CORRECTIONS_AT, FIELD = 10, 20, 1023
"""Fields of a packed count: ones from bit 0, flips from bit 10, corrections from bit 20, of ten bits each."""
ENOUGH = 1 << 30
"""Written as the number of bits available where every window is full."""

i32, f32 = np.int32, np.float32

# A decorator that a type checker does not see through: numba's scalars are numpy's and Python's at the same time.
kernel: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


class Buffers(NamedTuple):
    """Arrays for the bits of one block and the CONTEXT bits before them; all are sized once and used for every block.

    The first four are indexed by a bit's position in the buffer, the last two by the row in the block.
    """

    bits: Bits
    """int8: 0 or 1; a missing bit is 1, and its windows are blanked."""
    signs: Real
    """float32: -1 for bit 0, +1 for bit 1."""
    counts: Int32
    """int32: running sums of packed counts (ones, flips, corrections); they wrap, their differences do not."""
    mismatches: Int32
    """int32[K, ...]: for every window, running sums of bits that differ from the bit half a window before."""
    available: Int32
    """int32: bits of the session without a break that end at the row, or ENOUGH."""
    damping: Real
    """float32: the damping of one window at every row, kept for its trend."""


class Window(NamedTuple):
    """One window length with the constants that its metrics need."""

    length: int
    """W, in bits."""
    half: int
    """floor(W / 2)."""
    entropies: Real
    """float32[W * W]: entropy at the index null * W + flip."""
    collapse_count: np.int32
    """Fewest nulls or ruptures n of a collapse: the least n with n / (W - 1) >= theta, exact in float64."""
    per_transition: np.float32
    """1 / (W - 1)."""
    per_bit: np.float32
    """1 / W."""
    per_pair: np.float32
    """2 / floor(W / 2): what one mismatch takes from the mean product of the halves."""
    per_correction: np.float32
    """1 / (W - 3)."""
    k1: np.float32
    """Weight of the entropy in the damping."""
    k2: np.float32
    """Weight of 1 - coherence in the damping."""


class Windows(NamedTuple):
    """The window lengths of one call, and the settings that they share."""

    lengths: Int64
    """int64[K]."""
    entropies: Real
    """float32: the entropy tables of all windows, one behind the other."""
    table_starts: Int64
    """int64[K]: where the table of each window begins."""
    theta: float
    """Share of nulls or ruptures that is a collapse."""
    k1: float
    k2: float


class Series(NamedTuple):
    """A whole series: bits int8[N] with -1 for a missing one, starts bool[N] of its sessions."""

    bits: Bits
    starts: Bools


class Metrics(NamedTuple):
    """Where metrics are written, N rounded up to a whole strip; values behind the end of the series mean nothing.

    All windows: values float32[K, 9, N] with every row of it at a 64-byte boundary, collapse and valid bool[K, N].
    One window: the same without K.
    """

    values: Real
    collapse: Bools
    valid: Bools


class Block(NamedTuple):
    """Rows first..first + rows - 1 of a series, whose bits begin at `position` in the buffers."""

    first: int
    rows: int
    position: int
