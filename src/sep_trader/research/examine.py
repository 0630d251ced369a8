"""The figures of a walk-forward, and the two questions to the rule that would trade: does it look ahead, is its warm-up
enough? Pure."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.instrument import standard_instrument
from sep_trader.research import evidence as ev
from sep_trader.research.chosen import summary_of
from sep_trader.research.costs import CostModel
from sep_trader.research.function_rule import FunctionParameters
from sep_trader.research.learned import LearnedParameters
from sep_trader.research.lookahead import looks_ahead, needs_more
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import copied_opens, priced_on
from sep_trader.research.simulate import net_outcomes
from sep_trader.research.strategies import Proposals, propose
from sep_trader.research.student import student_t
from sep_trader.research.walk_forward import HeldOut, OutOfSample, daily_totals

Set = RuleParameters | FunctionParameters | LearnedParameters
_CUTS = 6
_ASKED = 20_000
"""The newest candles that the two questions are asked on."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """parameters: those that would trade: chosen on the most data, in the last fold. label_mean: see `_label_mean`."""

    evidence: ev.Evidence
    checks: ev.Checks
    parameters: Set
    label_mean: float | None


def examine(candles: Candles, costs: CostModel, result: OutOfSample, base: Set, trials: int) -> Examined:
    """All figures of a walk-forward. trials: parameter sets that were ever tried on the pair."""
    pip = costs.pip
    daily = daily_totals(result.entry_time, result.net, result.days) / pip
    outcomes = result.net / result.trades.stop
    deviation = float(outcomes.std(ddof=1)) if len(outcomes) > 1 else 0.0
    figures = ev.Evidence(
        trades=len(result.net),
        days=len(result.days),
        expectancy=_mean(result.net) / pip,
        stressed_expectancy=_mean(result.stressed) / pip,
        win_rate=_mean((result.net > 0).astype(float)),
        mean_daily=_mean(daily),
        p_value=_p_value(result.trades, outcomes),
        deflated_sharpe=ev.deflated_sharpe(daily, trials),
        trials=trials,
        edge_sd=_mean(outcomes) / deviation if deviation > 0 else None,
        edge_r=_mean(outcomes) if len(outcomes) else None,
        pbo=ev.overfitting(result.blocks),
        stability=_stability(result),
        copied_opens=copied_opens(candles),
    )
    last = next((p for p in reversed(result.chosen) if p is not None), base)
    return Examined(figures, checks_of(candles, last), last, _label_mean(candles, costs, last))


def checks_of(candles: Candles, parameters: Set) -> ev.Checks:
    """Ask the rule on the newest candles; cuts where the candles are too few to ask for the warm-up count as sound."""
    newest = candles.take(slice(max(0, len(candles) - _ASKED), len(candles)))
    asked = partial(_propose, parameters)
    ahead = looks_ahead(asked, newest, cuts=_CUTS)
    stated = parameters.warm_up(candles.granularity)
    warm = needs_more(asked, newest, stated, cuts=_CUTS) if len(newest) > stated + 1 else []
    return ev.Checks(_CUTS, len(ahead), len(warm))


def _propose(parameters: Set, candles: Candles) -> Proposals:
    return propose(candles, parameters)


def _label_mean(candles: Candles, costs: CostModel, parameters: Set) -> float | None:
    """Mean net outcome, in pips, of every proposal of the chosen set on its own: with no trade left out because another
    one was open, it says whether the rule or the order of its signals made the result."""
    found = priced_on(propose(candles, parameters), candles)
    columns = found.side, found.stop, found.target
    digits = standard_instrument(candles.instrument).display_precision
    labels = net_outcomes(candles, *columns, parameters.horizon, costs, digits=digits)
    labels = labels[np.isfinite(labels)]
    return float(labels.mean()) / costs.pip if len(labels) else None


def _p_value(trades: HeldOut, outcomes: npt.NDArray[np.float64]) -> float | None:
    """Student's t where it tells: not where a target is nearer than its stop, which skews outcomes."""
    if len(trades) == 0 or bool((trades.target < trades.stop).any()):
        return None
    return student_t(trades.entry_time // _DAY_S, outcomes)


def _stability(result: OutOfSample) -> float | None:
    chosen = [json.dumps(summary_of(one), sort_keys=True, default=str) for one in result.chosen if one is not None]
    return Counter(chosen).most_common(1)[0][1] / len(chosen) if chosen else None


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
