"""Student's t on daily sums of outcomes in R: information beside a verdict, never a condition."""

import numpy as np
import numpy.typing as npt

LEAST_DAYS = 10
_FIVE_DAYS_FROM = 60
_FIVE = 5


def student_t(days: npt.NDArray[np.int64], outcomes: npt.NDArray[np.float64]) -> float | None:
    """One-sided p-value of a mean above 0, not clipped; None below ten days of trading, or where nothing varies.

    days: day number of each outcome. Sums of a day, of five days from 60 days on. Size 4.6 to 5.1 % for trades of stop
    and target; strong negative skew has no simple cure, so that it is shown only where the target is no nearer than the
    stop.
    """
    from scipy.stats import ttest_1samp

    numbers, place = np.unique(days, return_inverse=True)
    sums = np.zeros(len(numbers))
    np.add.at(sums, place, outcomes)
    if len(sums) >= _FIVE_DAYS_FROM:
        whole = len(sums) // _FIVE * _FIVE
        sums = sums[:whole].reshape(-1, _FIVE).sum(axis=1)
    if len(numbers) < LEAST_DAYS or float(sums.std()) == 0.0:
        return None
    return float(ttest_1samp(sums, 0.0, alternative="greater").pvalue)
