"""Markets without an edge, and with one: candles whose volatility comes in clusters and follows the day. Pure."""

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity

_SUNDAY = 1_704_578_400  # 2024-01-06T22:00:00Z, a Saturday; the market opens a day later
_WEEK_S, _OPEN_S = 7 * 86_400, 5 * 86_400 - 3_600
_STEPS = 6
"""Steps inside a minute, for its high and low."""
_MINUTES_A_DAY = 1_440
_CLUSTER_SD = 0.7
_HALF_LIFE = _MINUTES_A_DAY
_TYPICAL = 8e-5
"""Standard deviation of a minute's return."""


def null_market(rng: np.random.Generator, weeks: int, spread: float = 0.0) -> Candles:
    """A walk without a drift: log-volatility is AR(1) with a half-life of a day, times a factor of the hour.

    Within a minute, too, the mid price is a martingale. spread: price units.
    """
    time = np.concatenate([_SUNDAY + 86_400 + week * _WEEK_S + 60 * np.arange(_OPEN_S // 60) for week in range(weeks)])
    n = len(time)
    keep = 0.5 ** (1 / _HALF_LIFE)
    noise = rng.standard_normal(n) * _CLUSTER_SD * np.sqrt(1 - keep**2)
    noise[0] = rng.standard_normal() * _CLUSTER_SD
    cluster = _autoregressive(noise, keep)
    diurnal = 1 + 0.5 * np.cos((time % 86_400 - 14 * 3_600) / 86_400 * 2 * np.pi)
    volatility = _TYPICAL * diurnal * np.exp(cluster - _CLUSTER_SD**2 / 2)
    steps = rng.standard_normal((n, _STEPS)) * (volatility / np.sqrt(_STEPS))[:, None]
    # E[exp(step)] = 1: the price itself is a martingale, not only its logarithm.
    steps -= (volatility**2 / _STEPS / 2)[:, None]
    return _candles(time, steps, spread)


def _autoregressive(noise: np.ndarray, keep: float) -> np.ndarray:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -keep], noise))


def _candles(time: np.ndarray, steps: np.ndarray, spread: float) -> Candles:
    path = 1.2 * np.exp(np.cumsum(steps, axis=None).reshape(steps.shape))
    opened = np.concatenate([[1.2], path[:-1, -1]])
    return Candles(
        instrument="EUR_USD",
        granularity=Granularity.M1,
        time=time.astype(np.int64),
        open=opened,
        high=np.maximum(opened, path.max(axis=1)),
        low=np.minimum(opened, path.min(axis=1)),
        close=path[:, -1],
        spread=np.full(len(time), spread),
        volume=np.full(len(time), _STEPS),
    )
