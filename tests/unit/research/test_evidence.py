"""The statistics behind a verdict."""

import numpy as np
import pytest

from sep_trader.research import evidence as ev
from sep_trader.research.spreads import SpreadModel, Spreads
from sep_trader.states import SpreadSource, Verdict

RECORDED = Spreads(SpreadSource.RECORDED, 1_000, 1_000)


def figures(**changes: object) -> ev.Evidence:
    base = {
        "trades": 120, "days": 60, "expectancy": 0.8, "stressed_expectancy": 0.3, "win_rate": 0.5, "mean_daily": 1.6,
        "p_value": 0.01, "deflated_sharpe": 0.9, "trials": 24,
    }  # fmt: skip
    return ev.Evidence(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01], [0.01]),
        ([0.01, 0.04], [2 * 0.01, 0.04]),
        ([0.04, 0.01], [0.04, 2 * 0.01]),
        ([0.02, 0.02, 0.9], [3 * 0.02, 3 * 0.02, 0.9]),  # the second may not be below the first
        ([0.6, 0.7], [1.0, 1.0]),
    ],
)
def test_holm(p_values: list[float], adjusted: list[float]) -> None:
    assert ev.holm(p_values) == pytest.approx(adjusted)


def test_bootstrap_p_is_about_uniform_without_an_edge() -> None:
    rng = np.random.default_rng(1)
    p = np.array([ev.stationary_bootstrap_p(rng.normal(size=60), seed=i, draws=500) for i in range(300)])
    # Means that are not positive count as 1: under no edge that is about half of them.
    assert 0.4 < (p == 1.0).mean() < 0.6
    assert (p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_bootstrap_p_sees_an_edge_and_ignores_too_few_days() -> None:
    rng = np.random.default_rng(2)
    daily = rng.normal(0.5, 1.0, 200)
    assert ev.stationary_bootstrap_p(daily, seed=3) < 0.001
    assert ev.stationary_bootstrap_p(np.full(ev.MIN_DAYS - 1, 5.0), seed=3) == 1.0


def test_bootstrap_is_reproducible_by_its_seed() -> None:
    daily = np.random.default_rng(4).normal(0.1, 1.0, 50)
    assert ev.stationary_bootstrap_p(daily, seed=5) == ev.stationary_bootstrap_p(daily, seed=5)


def test_deflated_sharpe_falls_with_the_number_of_trials() -> None:
    daily = np.random.default_rng(6).normal(0.15, 1.0, 250)
    one, many = ev.deflated_sharpe(daily, 1), ev.deflated_sharpe(daily, 1000)
    assert one > 0.95
    assert many < one - 0.3
    assert ev.deflated_sharpe(np.ones(250), 10) == 0.0


@pytest.mark.parametrize(
    ("changes", "adjusted_p", "named"),
    [
        ({"trades": 99}, 0.01, "99 out-of-sample trades, 100 needed"),
        ({"stressed_expectancy": -0.1}, 0.01, "expectancy -0.10 pip a trade at 1.5 times the spread"),
        ({}, 0.41, "p = 0.41, at most 0.05 allowed"),
    ],
)
def test_each_missing_condition_is_named(changes: dict[str, object], adjusted_p: float, named: str) -> None:
    verdict = ev.judge(figures(**changes), adjusted_p, pairs=7, spreads=RECORDED)
    assert verdict.verdict is Verdict.NOT_READY
    assert named in verdict.reason
    assert "after 7 pairs" in verdict.reason


def test_ready_needs_every_condition() -> None:
    assert ev.judge(figures(), 0.05, pairs=1, spreads=RECORDED).verdict is Verdict.READY


def test_no_recorded_spread_is_never_ready_and_a_declared_one_is_said() -> None:
    judged = ev.judge(figures(), 0.001, pairs=1, spreads=Spreads(SpreadSource.UNKNOWN, 10, 1_000))
    assert (judged.verdict, judged.reasons) == (Verdict.NOT_READY, (ev.Shortfall.NO_SPREAD,))
    assert "no spread recorded on 990 of 1000 candles: trading looks free" in judged.reason
    declared = Spreads(SpreadSource.DECLARED, 0, 1_000, SpreadModel.constant(1.2))
    judged = ev.judge(figures(), 0.001, pairs=1, spreads=declared)
    assert judged.verdict is Verdict.READY
    assert "spread declared: 1.2 pip" in judged.reason
