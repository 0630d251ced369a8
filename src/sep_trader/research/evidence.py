"""Is an out-of-sample result more than luck? Bootstrap, deflated Sharpe ratio, Holm, and the verdict in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import e, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sep_trader.research.costs import CostModel
from sep_trader.research.spreads import Spreads
from sep_trader.states import SpreadSource, Verdict

Float = npt.NDArray[np.float64]

ALPHA = 0.05
MIN_TRADES = 100
MIN_DAYS = 10
"""Resampling fewer days than this finds an edge in noise too often: the p-value is then 1."""
STRESS = 1.5
"""Multiple of the measured spread at which the expectancy must still be positive."""
_EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Evidence:
    """Out-of-sample figures of one pair. Expectancies in pips a trade, returns in pips a day."""

    trades: int
    days: int
    expectancy: float
    stressed_expectancy: float
    win_rate: float
    mean_daily: float
    p_value: float
    deflated_sharpe: float
    trials: int


class Shortfall(StrEnum):
    """What keeps a pair from being READY: the codes in the `reasons` of a pair."""

    NO_SPREAD = "NO_SPREAD"
    """Candles came without a spread and nobody declared one: trading looks free."""
    TOO_FEW_TRADES = "TOO_FEW_TRADES"
    STRESSED_EXPECTANCY = "STRESSED_EXPECTANCY"
    """Trading does not pay at a wider spread."""
    P_VALUE = "P_VALUE"
    """The result may be luck."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """READY or NOT_READY, with the reason in words and numbers, and the codes of what falls short."""

    verdict: Verdict
    reason: str
    adjusted_p: float
    reasons: tuple[Shortfall, ...] = ()


def stressed(costs: CostModel) -> CostModel:
    """The costs at which trading must still pay."""
    return replace(costs, spread_multiplier=costs.spread_multiplier * STRESS)


def stationary_bootstrap_p(daily: Float, *, seed: int, draws: int = 5_000, block: float | None = None) -> float:
    """One-sided p-value for mean > 0 of a daily series, by the stationary bootstrap of the centred series.

    Blocks have geometric length with mean `block` days (default n^(1/3)). Source: Politis and Romano (1994).
    Returns 1.0 for fewer than MIN_DAYS days or a mean that is not positive.
    """
    n = len(daily)
    if n < MIN_DAYS or daily.mean() <= 0:
        return 1.0
    rng = np.random.default_rng(seed)
    restart = 1.0 / max(1.0, block if block is not None else n ** (1 / 3))
    centred = daily - daily.mean()
    index = rng.integers(0, n, draws)
    total = np.zeros(draws)
    for _ in range(n):
        total += centred[index]
        jump = rng.random(draws) < restart
        index = np.where(jump, rng.integers(0, n, draws), (index + 1) % n)
    return float((1 + np.count_nonzero(total / n >= daily.mean())) / (draws + 1))


def deflated_sharpe(daily: Float, trials: int) -> float:
    """Probability that the true Sharpe ratio is above what the best of `trials` worthless tries would show.

    Source: Bailey and Lopez de Prado (2014), with the spread of the tried Sharpe ratios taken as their sampling error.
    Returns 0.0 where the series is too short or constant.
    """
    n = len(daily)
    deviation = float(daily.std(ddof=1)) if n > 2 else 0.0
    if deviation == 0.0:
        return 0.0
    sharpe = float(daily.mean()) / deviation
    z = (daily - daily.mean()) / deviation
    skew, kurtosis = float((z**3).mean()), float((z**4).mean())
    normal = NormalDist()
    best_of_luck = 0.0
    if trials > 1:
        expected = (1 - _EULER_GAMMA) * normal.inv_cdf(1 - 1 / trials) + _EULER_GAMMA * normal.inv_cdf(
            1 - 1 / (trials * e)
        )
        best_of_luck = expected / sqrt(n)
    spread = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if spread <= 0:
        return 0.0
    return normal.cdf((sharpe - best_of_luck) * sqrt(n - 1) / sqrt(spread))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for the family of all pairs of a run. Source: Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def judge(evidence: Evidence, adjusted_p: float, pairs: int, spreads: Spreads) -> Judgement:
    """The verdict on a pair: every condition that fails is named with its figure."""
    figures = (
        f"expectancy {evidence.expectancy:+.2f} pip a trade, "
        f"p = {adjusted_p:.2g} after {pairs} pair{'s' * (pairs != 1)}, "
        f"{evidence.trades} out-of-sample trades on {evidence.days} days"
    )
    if spreads.source in (SpreadSource.DECLARED, SpreadSource.MEASURED):
        figures += f", {spreads}"
    faults: dict[Shortfall, str] = {}
    if spreads.source is SpreadSource.UNKNOWN:
        faults[Shortfall.NO_SPREAD] = f"{spreads}: trading looks free"
    if evidence.trades < MIN_TRADES:
        faults[Shortfall.TOO_FEW_TRADES] = f"{evidence.trades} out-of-sample trades, {MIN_TRADES} needed"
    if evidence.trades and evidence.stressed_expectancy <= 0:
        faults[Shortfall.STRESSED_EXPECTANCY] = (
            f"expectancy {evidence.stressed_expectancy:+.2f} pip a trade at {STRESS} times the spread"
        )
    if adjusted_p > ALPHA:
        faults[Shortfall.P_VALUE] = f"p = {adjusted_p:.2g}, at most {ALPHA} allowed"
    if faults:
        reason = f"{figures}: {'; '.join(faults.values())}"
        return Judgement(Verdict.NOT_READY, reason, adjusted_p, tuple(faults))
    deflated = f"deflated Sharpe {evidence.deflated_sharpe:.2f} after {evidence.trials} trials"
    return Judgement(Verdict.READY, f"{figures}; {deflated}", adjusted_p)
