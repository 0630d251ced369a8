"""Outcomes of trades in R at the boundary of the null, and with an edge. Many series at once. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sep_trader.research.account import LAMBDAS

Float = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
STOP, TARGET = -1.08, 1.42
"""What a trade loses at its stop and gains at its target, with costs, in R."""
SCALE = 1.35
"""The most that a trade is to lose, as the account takes it."""
FAIR = -STOP / (TARGET - STOP)
"""The share of targets among trades that reach one of both at which nothing is gained or lost on the average."""
AT_THE_HORIZON = 0.308
"""The share of trades that leave at their horizon, at 0 R: so the standard deviation is 1.03 R."""
_LAMBDAS = np.array(LAMBDAS)


def deviation(edge: float = 0.0) -> float:
    """Standard deviation of a trade whose mean is `edge` R."""
    reached = 1 - AT_THE_HORIZON
    share = FAIR + edge / reached / (TARGET - STOP)
    return float(np.sqrt(reached * (share * TARGET**2 + (1 - share) * STOP**2) - edge**2))


def trades(rng: np.random.Generator, shape: int | tuple[int, ...], edge: float = 0.0) -> Float:
    """Outcomes of stop, target and horizon whose mean is `edge` R."""
    reached = 1 - AT_THE_HORIZON
    wins = reached * (FAIR + edge / reached / (TARGET - STOP))
    drawn = rng.random(shape)
    return np.where(drawn < wins, TARGET, np.where(drawn < reached, STOP, 0.0))


def related(rng: np.random.Generator, series: int, pairs: int, common: float = 0.6) -> Float:
    """Outcomes [series, pairs] of trades that are open at once: a share `common` of pairs has the same outcome."""
    own, shared = trades(rng, (series, pairs)), trades(rng, (series, 1))
    return np.where(rng.random((series, pairs)) < common, shared, own)


@dataclass(slots=True)
class Accounts:
    """Many accounts at once: the cash of four gamblers each, as `research.account` keeps one. cash: float64[n, 4]."""

    cash: Float

    @classmethod
    def new(cls, series: int) -> "Accounts":
        """Accounts worth 1 each."""
        return cls(np.full((series, len(LAMBDAS)), 1 / len(LAMBDAS)))

    @property
    def value(self) -> Float:
        """What each is worth."""
        return np.asarray(self.cash.sum(axis=1))

    def trade(self, outcome: Float, betting: Flags | None = None) -> None:
        """One trade of each account, entered and left; where `betting` is false, none."""
        factor = 1 + _LAMBDAS * (outcome / SCALE)[:, None]
        self.cash = self.cash * (factor if betting is None else np.where(betting[:, None], factor, 1.0))

    def together(self, outcomes: Float) -> None:
        """Trades that are open at once, outcomes [n, trades]: each is staked from what the ones before it left."""
        left = self.cash.copy()
        paid = np.zeros_like(left)
        for at in range(outcomes.shape[1]):
            stake = _LAMBDAS * left
            left = left - stake
            paid += stake * (1 + outcomes[:, at : at + 1] / SCALE)
        self.cash = left + paid


def ever(values: Iterator[Float], threshold: float) -> Flags:
    """Which series ever reached a threshold."""
    reached: Flags | None = None
    for value in values:
        now = value >= threshold
        reached = now if reached is None else reached | now
    if reached is None:
        raise ValueError("no value at all")
    return reached
