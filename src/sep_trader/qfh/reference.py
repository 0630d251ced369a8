"""The exact reference of the window metrics: every metric straight from its definition, float64, numpy only."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sep_trader.qfh.bits import NO_BIT, Bits, Bools

Float = npt.NDArray[np.float64]

MIN_DAMPING, MAX_DAMPING = 0.01, 1.0
METRICS = ("null", "flip", "rupture", "up", "entropy", "coherence", "stability", "damping", "trend")


def full_windows(bits: Bits, starts: Bools, window: int) -> Bools:
    """Mark where the `window` bits that end at t all exist and lie in one session."""
    n = len(bits)
    index = np.arange(n, dtype=np.int64)
    # Position of the newest thing that breaks a window: a missing bit, or the candle before a session's first.
    missing = np.where(bits == NO_BIT, index, -1)
    broken = np.where(starts, index - 1, -1)
    last = np.maximum.accumulate(np.maximum(missing, broken)) if n else index
    return np.asarray(index - last >= window)


def reference_metrics(
    bits: Bits, starts: Bools, window: int, *, theta: float = 0.3, k1: float = 0.3, k2: float = 0.2
) -> tuple[dict[str, Float], Bools, Bools]:
    """Compute all metrics by definition: ({metric: float64[N], NaN where no full window}, collapse, valid)."""
    valid = full_windows(bits, starts, window)
    out = {name: np.full(len(bits), np.nan) for name in METRICS}
    collapse = np.zeros(len(bits), dtype=np.bool_)
    rows = np.flatnonzero(valid)
    chunk = max(1, (1 << 20) // window)
    for lo in range(0, len(rows), chunk):
        at = rows[lo : lo + chunk]
        views = np.lib.stride_tricks.sliding_window_view(bits, window)[at - window + 1]
        values = _of_windows(views, k1, k2)
        for name in METRICS:
            out[name][at] = values[name]
        collapse[at] = (values["rupture"] >= theta) | (values["null"] >= theta)
    return out, collapse, valid


def _of_windows(b: Bits, k1: float, k2: float) -> dict[str, Float]:
    """Metrics of the rows of b: int8[rows, W], each oldest bit first."""
    window = b.shape[1]
    before, now = b[:, :-1], b[:, 1:]
    null = ((before == 0) & (now == 0)).sum(axis=1) / (window - 1)
    flip = (before != now).sum(axis=1) / (window - 1)
    rupture = ((before == 1) & (now == 1)).sum(axis=1) / (window - 1)
    entropy = (_information(null) + _information(flip)) + _information(rupture)

    signs = 2.0 * b - 1.0
    half = window // 2
    product = (signs[:, window - half :] * signs[:, window - 2 * half : window - half]).sum(axis=1)
    coherence = (product / half) ** 2

    majority = (b[:, :-3] + b[:, 1:-2] + b[:, 2:-1]) >= 2
    corrected = (majority != (b[:, 3:] == 1)).sum(axis=1)
    stability = 1.0 - corrected / (window - 3)

    damping = np.clip(k1 * entropy + k2 * (1.0 - coherence), MIN_DAMPING, MAX_DAMPING)
    weights = np.exp(-damping[:, None] * np.arange(window - 1, -1, -1.0))
    trend = (signs * weights).sum(axis=1) / weights.sum(axis=1)
    return {
        "null": null,
        "flip": flip,
        "rupture": rupture,
        "up": b.mean(axis=1),
        "entropy": entropy,
        "coherence": coherence,
        "stability": stability,
        "damping": damping,
        "trend": trend,
    }


@lru_cache(maxsize=64)
def entropy_terms(window: int) -> Float:
    """What a state with n of the W - 1 transitions adds to the entropy, n = 0..W-1."""
    return _information(np.arange(window) / (window - 1))


def _information(share: Float) -> Float:
    """-p log p / log 3, and 0 at p = 0."""
    positive = np.where(share > 0.0, share, 1.0)
    return -(positive * np.log(positive)) / math.log(3.0)
