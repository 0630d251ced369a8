"""The rule's decisions from window metrics, the same to the last candle as those of the sweep's kernels."""

import numpy as np
import numpy.typing as npt

from sep_trader.qfh import WindowMetrics
from sep_trader.research.kernels import scalar


def trend_sides(metrics: WindowMetrics, theta: float, max_entropy: float, min_stability: float) -> npt.NDArray[np.int8]:
    """Sign of the trend where a run and its quality let the rule propose, 0 elsewhere: int8[N].

    The rule compares whole numbers, so that no rounding of float32 decides. Where a trend is too close to 0 for
    float32, its sign is computed again from the bits of its window.
    """
    window, bits, counts = metrics.window, metrics.bits, metrics.counts()
    least, most_corrected, most_entropy = scalar.rule_limits(window, theta, max_entropy, min_stability)
    entropy = counts.entropy()
    go = metrics.valid & ((counts.null >= least) | (counts.rupture >= least))
    go &= (counts.corrected <= most_corrected) & (entropy <= most_entropy)
    trend = np.where(go, metrics.trend, np.float32(0))
    side = np.sign(trend).astype(np.int8)
    for row in np.flatnonzero(go & (np.abs(trend) <= scalar.CERTAIN)).tolist():
        at, mismatched = len(bits) - len(metrics) + row, int(counts.mismatched[row])
        side[row] = scalar.trend_sign(bits, at, window, float(entropy[row]), mismatched, scalar.K1, scalar.K2)
    return side
