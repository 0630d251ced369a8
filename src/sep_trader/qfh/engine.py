"""Typed front of the compiled metrics: tables, aligned results, blocks over threads. Needs numba."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.kernels.lanes import LINE
from sep_trader.qfh.kernels.layout import CONTEXT, METRIC_ROWS, ROWS, Metrics, Series, Windows
from sep_trader.qfh.kernels.series import make_buffers, metrics_of_newest, metrics_of_series
from sep_trader.qfh.kernels.trend import STRIP
from sep_trader.qfh.reference import entropy_terms

Real = npt.NDArray[np.float32]


@lru_cache(maxsize=64)
def entropy_table(window: int) -> Real:
    """Compute the entropy at every index null * W + flip: float32[W * W], 0 where null + flip exceeds W - 1."""
    term = entropy_terms(window)
    null, flip = np.divmod(np.arange(window * window), window)
    rupture = window - 1 - null - flip
    possible = rupture >= 0
    values = (term[null] + term[flip]) + term[np.where(possible, rupture, 0)]
    return np.where(possible, values, 0.0).astype(np.float32)


@lru_cache(maxsize=16)
def joined_tables(windows: tuple[int, ...]) -> tuple[Real, npt.NDArray[np.int64]]:
    """Join the entropy tables of several windows in one array; returns the array and where each table begins."""
    tables = [entropy_table(window) for window in windows]
    table_starts = np.cumsum([0, *(len(table) for table in tables)])
    return np.concatenate(tables), table_starts.astype(np.int64)


def empty_metrics(windows: int, n: int) -> Metrics:
    """Make room for the metrics of `windows` windows over n rows; it can be used again for any series of that length.

    Returns values float32[K, 9, N] on 64-byte boundaries and collapse, valid bool[K, N], where N is n rounded up to a
    whole strip of 64. Values behind the end of the series mean nothing.
    """
    padded = -(-n // STRIP) * STRIP
    raw = np.empty(windows * METRIC_ROWS * padded + LINE, dtype=np.float32)
    shift = (-raw.ctypes.data % 64) // 4
    values = raw[shift : shift + windows * METRIC_ROWS * padded].reshape(windows, METRIC_ROWS, padded)
    flags = np.empty((2, windows, padded), dtype=np.bool_)
    return Metrics(values, flags[0], flags[1])


def _windows(lengths: tuple[int, ...], theta: float, k1: float, k2: float) -> Windows:
    """The windows of a call with their entropy tables."""
    return Windows(np.array(lengths, dtype=np.int64), *joined_tables(lengths), float(theta), float(k1), float(k2))


def compute(
    bits: Bits,
    starts: Bools,
    windows: tuple[int, ...],
    out: Metrics,
    *,
    theta: float = 0.3,
    k1: float = 0.3,
    k2: float = 0.2,
    trend: bool = True,
    threads: int = 1,
) -> None:
    """Compute the metrics of all windows into `out`, in the order of METRICS; the same for any number of threads.

    trend: False leaves the row of the damped trend untouched, which is a third to half of the time.
    """
    n = len(bits)
    series = Series(np.ascontiguousarray(bits, dtype=np.int8), np.ascontiguousarray(starts, dtype=np.bool_))
    given = _windows(windows, theta, k1, k2)
    blocks = -(-n // ROWS)
    edges = [min(n, ROWS * (blocks * part // threads)) for part in range(threads + 1)]

    def run(part: int) -> None:
        metrics_of_series(series, given, trend, edges[part], edges[part + 1], out)

    if threads == 1:
        run(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))


class NewestRow:
    """Metrics of several windows, bit by bit: after each bit the values that `compute` gives at that row of a series.

    values: float32[K, 9]. collapse: bool[K].
    """

    __slots__ = ("_arguments", "collapse", "values")

    def __init__(self, windows: tuple[int, ...], theta: float, k1: float, k2: float) -> None:
        count = len(windows)
        out = Metrics(
            np.empty((count, METRIC_ROWS, LINE), dtype=np.float32),
            np.empty((count, LINE), dtype=np.bool_),
            np.empty((count, LINE), dtype=np.bool_),
        )
        self.values, self.collapse = out.values[:, :, 0], out.collapse[:, 0]
        state = np.zeros(2 + count, dtype=np.int64)
        state[0] = CONTEXT
        self._arguments = (state, tuple(make_buffers(count)), tuple(_windows(windows, theta, k1, k2)), tuple(out))

    def take(self, bit: int) -> None:
        """Take the next bit and update `values` and `collapse` to the windows that end at this bit."""
        metrics_of_newest(bit, *self._arguments)
