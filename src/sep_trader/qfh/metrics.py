"""Window metrics of a bit series: a struct of arrays, from the compiled kernel or the exact reference."""

from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.counts import WindowCounts, count_windows
from sep_trader.qfh.reference import METRICS, reference_metrics

MIN_WINDOW, MAX_WINDOW = 8, 512
Real = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowMetrics:
    """Metrics of the W bits that end at each candle: float32[N], NaN where there is no full window.

    null, flip, rupture: shares of the W-1 transitions. up: share of 1-bits. entropy, coherence, stability: 0..1.
    damping: 0.01..1. trend: damped trend, -1..1. collapse: bool[N], False where there is no full window.
    valid: bool[N], where a full window exists. window: W. bits: int8, of which the last N are the rows' own bits.
    """

    window: int
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
    bits: Bits

    def __len__(self) -> int:
        return len(self.valid)

    def counts(self) -> WindowCounts:
        """The whole numbers behind the shares, for a decision that no rounding of float32 may change.

        They are counted at each call: only the rule needs them, and kept beside the metrics of a long series they would
        cost ten bytes a row.
        """
        return count_windows(self.bits, self.window, self.valid)


def check_window(window: int) -> None:
    """Refuse a window outside 8..512 bits: raises InputError."""
    if not MIN_WINDOW <= window <= MAX_WINDOW:
        raise InputError(f"window {window} is outside {MIN_WINDOW}..{MAX_WINDOW} bits", "for example 32")


def window_metrics(
    bits: Bits, starts: Bools, window: int, *, theta: float = 0.3, k1: float = 0.3, k2: float = 0.2
) -> WindowMetrics:
    """Compute all metrics for one window length W over a whole series.

    bits: int8[N] of 0 and 1, and -1 for a missing bit. starts: bool[N]; no window spans two sessions. A series shorter
    than W has no full window: every row is NaN. Raises InputError for a window outside 8..512.
    """
    return metrics_by_window(bits, starts, (window,), theta=theta, k1=k1, k2=k2)[window]


def metrics_by_window(
    bits: Bits,
    starts: Bools,
    windows: tuple[int, ...],
    *,
    theta: float = 0.3,
    k1: float = 0.3,
    k2: float = 0.2,
    threads: int = 1,
) -> dict[int, WindowMetrics]:
    """Compute all metrics for several window lengths in one pass over the bits, as `window_metrics` for each."""
    for window in windows:
        check_window(window)
    if len(bits) != len(starts):
        raise ValueError(f"bits and starts differ in length: {len(bits)}, {len(starts)}")
    engine = _engine()
    if engine is None or not windows:
        return {w: _from_reference(bits, starts, w, theta, k1, k2) for w in windows}
    n = len(bits)
    out = engine.empty_metrics(len(windows), n)
    engine.compute(bits, starts, windows, out, theta=theta, k1=k1, k2=k2, threads=threads)
    return {
        window: named_rows(window, [row[:n] for row in out.values[at]], out.collapse[at, :n], out.valid[at, :n], bits)
        for at, window in enumerate(windows)
    }


def _engine() -> ModuleType | None:
    """Load the compiled kernels; None where numba is not installed."""
    try:
        from sep_trader.qfh import engine
    except ImportError:
        return None
    return engine


def _from_reference(bits: Bits, starts: Bools, window: int, theta: float, k1: float, k2: float) -> WindowMetrics:
    values, collapse, valid = reference_metrics(bits, starts, window, theta=theta, k1=k1, k2=k2)
    return named_rows(window, [values[name].astype(np.float32) for name in METRICS], collapse, valid, bits)


def named_rows(window: int, rows: list[Real], collapse: Bools, valid: Bools, bits: Bits) -> WindowMetrics:
    """Name float32 rows that are in the order of METRICS."""
    null, flip, rupture, up, entropy, coherence, stability, damping, trend = rows
    return WindowMetrics(
        window, null, flip, rupture, up, entropy, coherence, stability, damping, trend, collapse, valid, bits
    )


class Row(Protocol):
    """Takes bits and holds the metrics of the windows that end at the newest: float32[K, 9] and collapse bool[K]."""

    values: Real
    collapse: Bools

    def take(self, bit: int) -> None: ...


class _ReferenceRow:
    """Metrics of the newest bit from the exact reference, for a machine without numba."""

    def __init__(self, windows: tuple[int, ...], theta: float, k1: float, k2: float) -> None:
        self.values = np.full((len(windows), len(METRICS)), np.nan, dtype=np.float32)
        self.collapse = np.zeros(len(windows), dtype=np.bool_)
        self._windows, self._options = windows, (theta, k1, k2)
        self._bits = np.zeros(max(windows), dtype=np.int8)

    def take(self, bit: int) -> None:
        self._bits = np.append(self._bits[1:], np.int8(bit))
        no_start = np.zeros(len(self._bits), dtype=np.bool_)
        for at, window in enumerate(self._windows):
            found = _from_reference(self._bits[-window:], no_start[-window:], window, *self._options)
            self.values[at] = [getattr(found, name)[-1] for name in METRICS]
            self.collapse[at] = found.collapse[-1]


def newest_row(windows: tuple[int, ...], theta: float, k1: float, k2: float) -> Row:
    """Make the state that takes one bit at a time; a window's values are right after as many bits as the window has."""
    engine = _engine()
    if engine is None:
        return _ReferenceRow(windows, theta, k1, k2)
    row: Row = engine.NewestRow(windows, theta, k1, k2)
    return row
