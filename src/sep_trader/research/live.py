"""What live trades say of the expectancy: an interval that holds at every look. Pure.

Source: Waudby-Smith and Ramdas (2024), estimating means of bounded random variables by betting (hedged capital).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sep_trader.research.account import LAMBDAS

LOWEST_R = -2.0
"""An outcome below it counts as it."""
_LEAST_HIGHEST_R = 1.0
_GRID = 401
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class LiveExpectancy:
    """Mean outcome of a pair's live trades in R, and the 95 % confidence sequence of it; all that is possible where
    there is no trade."""

    trades: int
    expectancy_r: float | None
    low_r: float
    high_r: float


def live_expectancy(outcomes: Sequence[float], most: Sequence[float]) -> LiveExpectancy:
    """The interval of the mean outcome. outcomes: R, oldest first. most: the most that each could have brought.

    With a chance of 95 % it holds the true mean at all looks together.
    """
    highest = max([_LEAST_HIGHEST_R, *most])
    means = np.linspace(LOWEST_R, highest, _GRID)[1:-1]
    if not outcomes:
        return LiveExpectancy(0, None, LOWEST_R, highest)
    apart = np.clip(np.asarray(outcomes, dtype=float), LOWEST_R, highest)[:, None] - means
    worth = np.zeros_like(apart)
    for share in LAMBDAS:
        up = np.cumsum(np.log1p(share * apart / (means - LOWEST_R)), axis=0)
        down = np.cumsum(np.log1p(-share * apart / (highest - means)), axis=0)
        worth += (np.exp(np.minimum(up, 700.0)) + np.exp(np.minimum(down, 700.0))) / (2 * len(LAMBDAS))
    left = means[worth.max(axis=0) < 1 / _ALPHA]
    mean = float(np.mean(outcomes))
    low, high = (float(left[0]), float(left[-1])) if len(left) else (mean, mean)
    return LiveExpectancy(len(outcomes), mean, low, high)
