"""Window metrics of a bit series: a struct of arrays, from the compiled kernel or the exact reference."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.reference import reference_metrics

MIN_WINDOW, MAX_WINDOW = 8, 512
Real = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowMetrics:
    """Metrics of the W bits that end at each candle: float32[N], NaN where there is no full window.

    null, flip, rupture: shares of the W-1 transitions. up: share of 1-bits. entropy, coherence, stability: 0..1.
    damping: 0.01..1. trend: damped trend, -1..1. collapse: bool[N], False where there is no full window.
    valid: bool[N], where a full window exists.
    """

    null: Real
    flip: Real
    rupture: Real
    up: Real
    entropy: Real
    coherence: Real
    stability: Real
    damping: Real
    trend: Real
    collapse: Bools
    valid: Bools

    def __len__(self) -> int:
        return len(self.valid)


def check_window(window: int) -> None:
    """Refuse a window outside 8..512 bits: raises InputError."""
    if not MIN_WINDOW <= window <= MAX_WINDOW:
        raise InputError(f"window {window} is outside {MIN_WINDOW}..{MAX_WINDOW} bits", "for example 32")


def window_metrics(
    bits: Bits, starts: Bools, window: int, *, theta: float = 0.3, k1: float = 0.3, k2: float = 0.2
) -> WindowMetrics:
    """Compute all metrics for one window length W over a whole series.

    bits: int8[N] of 0, 1 and -1 (none); starts: bool[N], no window spans two sessions. A series shorter than W has
    no full window: every row is NaN. Raises InputError for a window outside 8..512.
    """
    check_window(window)
    values, collapse, valid = reference_metrics(bits, starts, window, theta=theta, k1=k1, k2=k2)
    return WindowMetrics(**{k: v.astype(np.float32) for k, v in values.items()}, collapse=collapse, valid=valid)
