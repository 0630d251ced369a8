"""The rule's decisions from window metrics, the same to the last candle as those of the sweep's kernels."""

import numpy as np
import numpy.typing as npt

from sep_trader.qfh import WindowMetrics
from sep_trader.qfh.bits import Bits
from sep_trader.qfh.reference import entropy_terms
from sep_trader.research.kernels import scalar

Int = npt.NDArray[np.int64]
Real = npt.NDArray[np.float32]


def trend_sides(
    metrics: WindowMetrics, bits: Bits, window: int, theta: float, max_entropy: float, min_stability: float
) -> npt.NDArray[np.int8]:
    """Sign of the trend where a run and its quality let the rule propose, 0 elsewhere: int8[N].

    Shares are turned back into the counts that they are, so that no rounding of float32 decides. bits: int8, of which
    the last N belong to the metrics; those before them are looked at where a trend is too close to 0 for float32.
    """
    least, most_corrected, most_entropy, _ = scalar.rule_limits(window, theta, max_entropy, min_stability, False)
    null, flip, rupture = (_counts(share, window - 1) for share in (metrics.null, metrics.flip, metrics.rupture))
    corrected = window - 3 - _counts(metrics.stability, window - 3)
    terms = entropy_terms(window)
    entropy = (terms[null] + terms[flip]) + terms[rupture]
    go = metrics.valid & ((null >= least) | (rupture >= least))
    go &= (corrected <= most_corrected) & (entropy <= most_entropy)
    trend = np.where(go, metrics.trend, np.float32(0))
    side = np.sign(trend).astype(np.int8)
    for row in np.flatnonzero(go & (np.abs(trend) <= scalar.CERTAIN)).tolist():
        at = len(bits) - len(metrics) + row
        apart = scalar.window_counts(bits, at, window)[4]
        side[row] = scalar.trend_sign(bits, at, window, float(entropy[row]), apart, scalar.K1, scalar.K2)
    return side


def _counts(share: Real, of: int) -> Int:
    """The whole numbers whose shares these are; 0 where there is none."""
    return np.rint(np.nan_to_num(share) * np.float64(of)).astype(np.int64)
