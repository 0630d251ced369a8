"""Is an out-of-sample result more than luck? The verdict in words; deflated Sharpe ratio and overfitting beside it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from math import e, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sep_trader.research.costs import CostModel
from sep_trader.research.decay import AGAINST_LIMIT, AGAINST_R
from sep_trader.research.spreads import Spreads
from sep_trader.research.standing import Accounts, Standing, needed
from sep_trader.states import SpreadSource, Verdict

Float = npt.NDArray[np.float64]

WITHDRAWN = 20.0
"""A pair that was READY stays so until its account is worth less than this part of its threshold."""
_DAYS_A_YEAR = 365.25
MIN_TRADES = 100
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
    p_value: float | None
    """Student's t, one-sided; None where it does not tell."""
    deflated_sharpe: float
    trials: int
    edge_sd: float | None = None
    """Mean over standard deviation of the trades' outcomes in R; None where they have none."""
    edge_r: float | None = None
    """Mean outcome in R."""
    pbo: float | None = None
    """Probability of backtest overfitting; None where no two sets traded."""
    stability: float | None = None
    """Share of the folds that chose the set that was chosen most often."""
    copied_opens: bool = False
    """Whether the opens are copies of the closes before: no gap passes a stop."""


@dataclass(frozen=True, slots=True)
class Checks:
    """How many of so many cuts changed proposals: looked ahead, or needed more than the stated warm-up."""

    cuts: int
    ahead: int
    warm: int


UNCHECKED = Checks(0, 0, 0)


class Shortfall(StrEnum):
    """What keeps a pair from being READY: the codes in the `reasons` of a pair."""

    NO_SPREAD = "NO_SPREAD"
    """Candles came without a spread and nobody declared one: trading looks free."""
    TOO_FEW_TRADES = "TOO_FEW_TRADES"
    STRESSED_EXPECTANCY = "STRESSED_EXPECTANCY"
    """Trading does not pay at a wider spread."""
    NO_EDGE = "NO_EDGE"
    """The account that bets against an edge of 0.05 R has won."""
    BELOW_THRESHOLD = "BELOW_THRESHOLD"
    """The account is not worth enough yet: the result may be luck."""
    LOOKS_AHEAD = "LOOKS_AHEAD"
    """Its proposals change when later candles are taken away."""
    WARM_UP = "WARM_UP"
    """Its proposals need more candles before them than it says."""
    DECAYED = "DECAYED"
    """Its live trades showed that the edge was gone; its account since then is not worth enough."""
    OTHER_DESIGN = "OTHER_DESIGN"
    """The pair's account rests on other designs than the one that was trained."""
    EXPLORED = "EXPLORED"
    """The run was of no design of the catalogue: it books nothing."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, with the reason in words and numbers, and the codes of what falls short."""

    verdict: Verdict
    reason: str
    reasons: tuple[Shortfall, ...] = ()


def stressed(costs: CostModel) -> CostModel:
    """The costs at which trading must still pay."""
    return replace(costs, spread_multiplier=costs.spread_multiplier * STRESS)


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


def overfitting(blocks: Float) -> float | None:
    """Probability of backtest overfitting: how often the set that is best in one half of the blocks of time is no
    better than the median in the other half, over all halves (CSCV). None where fewer than two sets have a result.

    blocks: float64[S, sets], net result of each set in each of S (even) blocks. Source: Bailey, Borwein, Lopez de Prado
    and Zhu (2015), with the sum of a half as the measure.
    """
    blocks = blocks[:, np.any(blocks != 0.0, axis=0)]
    count, sets = blocks.shape
    if sets < 2:
        return None
    halves = np.array(list(combinations(range(count), count // 2)))
    inside = np.zeros((len(halves), count))
    np.put_along_axis(inside, halves, 1.0, axis=1)
    trained, tested = inside @ blocks, (1.0 - inside) @ blocks
    best = tested[np.arange(len(halves)), trained.argmax(axis=1)][:, None]
    rank = (tested < best).sum(axis=1) + (tested == best).sum(axis=1) / 2 + 0.5
    return float((rank / (sets + 1) <= 0.5).mean())


def judge(
    evidence: Evidence,
    spreads: Spreads,
    standing: Standing,
    booked: Accounts | None,
    *,
    was_ready: bool = False,
    checks: Checks = UNCHECKED,
    decayed: bool = False,
    own: float | None = None,
) -> Judgement:
    """The verdict on a pair: every condition that fails is named with its figure.

    booked: the accounts of the design that was trained; None where the run explored. was_ready: whether the pair was
    READY before: it stays so until its account is worth less than a twentieth of what it needed. decayed: whether its
    account began anew because its live trades had shown that the edge was gone. own: what the trained design's own
    account is worth: the model that trades must be of a design that carries the pair's.
    """
    against: dict[Shortfall, str] = {}
    if spreads.source is SpreadSource.UNKNOWN:
        against[Shortfall.NO_SPREAD] = f"{spreads}: trading looks free"
    if evidence.trades and evidence.stressed_expectancy <= 0:
        against[Shortfall.STRESSED_EXPECTANCY] = (
            f"expectancy {evidence.stressed_expectancy:+.2f} pip a trade at {STRESS} times the spread"
        )
    if booked is not None and booked.against >= AGAINST_LIMIT:
        against[Shortfall.NO_EDGE] = f"an edge of {AGAINST_R} R is ruled out"
    if checks.ahead:
        against[Shortfall.LOOKS_AHEAD] = f"it looks ahead: {checks.ahead} of {checks.cuts} cuts change its proposals"
    if checks.warm:
        against[Shortfall.WARM_UP] = f"its warm-up is too short at {checks.warm} of {checks.cuts} cuts"
    missing: dict[Shortfall, str] = {}
    counted = trades_that_count(evidence, booked)
    if counted < MIN_TRADES:
        missing[Shortfall.TOO_FEW_TRADES] = f"{counted} out-of-sample trades, {MIN_TRADES} needed"
    if booked is None:
        missing[Shortfall.EXPLORED] = "not of a design of the catalogue: this run explores and books nothing"
    wanted = standing.threshold / WITHDRAWN if was_ready else standing.threshold
    if standing.e_value < wanted:
        missing[Shortfall.BELOW_THRESHOLD] = _below(evidence, standing, booked)
        if decayed:
            missing[Shortfall.DECAYED] = "its account began anew when its live trades had lost the edge"
    elif own is not None and own < wanted:
        text = f"its own account is worth {own:.3g}: the pair's rests on other designs"
        missing[Shortfall.OTHER_DESIGN] = text
    figures = _figures(evidence, standing, spreads)
    if against or missing:
        verdict = Verdict.NOT_READY if against else Verdict.UNDECIDABLE
        faults = against | missing
        return Judgement(verdict, f"{figures}: {'; '.join(faults.values())}", tuple(faults))
    return Judgement(Verdict.READY, f"{figures}; basis: {standing.basis}")


def trades_that_count(evidence: Evidence, booked: Accounts | None) -> int:
    """Out-of-sample trades of which there must be enough: those booked since the account began."""
    return evidence.trades if booked is None else min(evidence.trades, booked.trades)


def _figures(evidence: Evidence, standing: Standing, spreads: Spreads) -> str:
    account = f"account {standing.e_value:.3g} of {standing.threshold:.0f}"
    trades = f"{evidence.trades} out-of-sample trades on {evidence.days} days"
    text = f"{account}, expectancy {evidence.expectancy:+.2f} pip a trade, {trades}"
    if evidence.copied_opens:
        text += ", opens are copies of closes (no gap passes a stop)"
    return f"{text}, {spreads}" if spreads.source in (SpreadSource.DECLARED, SpreadSource.MEASURED) else text


def _below(evidence: Evidence, standing: Standing, booked: Accounts | None) -> str:
    """What would decide it."""
    if booked is not None and booked.value == 0:
        return "its account is lost: only candles after a later design's release could decide it"
    more = needed(standing, booked.growth) if booked is not None and booked.trades else None
    if more is None:
        return "no number of trades would decide it at the observed edge"
    years = more / max(evidence.trades, 1) * evidence.days / _DAYS_A_YEAR
    return f"about {more:,} more trades would decide it at the observed edge ({years:.1f} years)"
