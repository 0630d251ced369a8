"""Rolling figures of a series, each from its own window alone: the same bits however long the series is. Pure.

Running sums are faster, and differ in their last bits by where they begin: so would a backtest and a live stream.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Float = npt.NDArray[np.float64]


def mean(values: npt.ArrayLike, length: int) -> Float:
    """Mean of the newest `length` values; NaN before there are that many."""
    return _filled(values, length, lambda windows: windows.mean(axis=1))


def deviation(values: npt.ArrayLike, length: int) -> Float:
    """Their standard deviation (n - 1)."""
    return _filled(values, length, lambda windows: windows.std(axis=1, ddof=1))


def highest(values: npt.ArrayLike, length: int) -> Float:
    """The largest of them."""
    return _filled(values, length, lambda windows: windows.max(axis=1))


def lowest(values: npt.ArrayLike, length: int) -> Float:
    """The smallest of them."""
    return _filled(values, length, lambda windows: windows.min(axis=1))


def before(values: npt.ArrayLike, candles: int = 1) -> Float:
    """The value so many candles earlier; NaN where there is none."""
    told = np.asarray(values, dtype=np.float64)
    return np.concatenate([np.full(min(candles, len(told)), np.nan), told[: max(0, len(told) - candles)]])


def held(values: npt.ArrayLike, length: int) -> Float:
    """The newest value that is not NaN among the newest `length`; NaN where there is none."""
    told = np.asarray(values, dtype=np.float64)
    at = np.arange(len(told))
    newest = np.maximum.accumulate(np.where(np.isnan(told), -1, at)) if len(told) else at
    return np.where((newest >= 0) & (at - newest < length), told[np.maximum(newest, 0)], np.nan)


def _filled(values: npt.ArrayLike, length: int, figure: Callable[[Float], Float]) -> Float:
    told = np.asarray(values, dtype=np.float64)
    out = np.full(len(told), np.nan)
    if 1 <= length <= len(told):
        out[length - 1 :] = figure(sliding_window_view(told, length))
    return out
