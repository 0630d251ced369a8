"""The statistics behind a verdict."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sep_trader.research import evidence as ev
from sep_trader.research.spreads import SpreadModel, Spreads
from sep_trader.research.standing import Accounts, Standing
from sep_trader.states import SpreadSource, Verdict

RECORDED = Spreads(SpreadSource.RECORDED, 1_000, 1_000)


def figures(**changes: object) -> ev.Evidence:
    base = {
        "trades": 120, "days": 60, "expectancy": 0.8, "stressed_expectancy": 0.3, "win_rate": 0.5, "mean_daily": 1.6,
        "p_value": 0.01, "deflated_sharpe": 0.9, "trials": 24,
    }  # fmt: skip
    return ev.Evidence(**{**base, **changes})  # type: ignore[arg-type]


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


LEFT = datetime(2026, 1, 5, tzinfo=UTC)
PAID = Standing(e_value=300.0, e_history=600.0, e_forward=0.25, threshold=280.0, basis="history", guard_breaks=0,
                booked_until=LEFT)  # fmt: skip
BOOKED = Accounts(until=LEFT, value=1_200.0, clean=1.0, kept=1.0, clean_kept=1.0, trades=120, guard_breaks=0,
                  growth=0.05, against=0.01)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "standing", "booked", "code", "verdict", "named"),
    [
        ({"trades": 99}, {}, {}, "TOO_FEW_TRADES", "UNDECIDABLE", "99 out-of-sample trades, 100 needed"),
        ({"stressed_expectancy": -0.1}, {}, {}, "STRESSED_EXPECTANCY", "NOT_READY", "-0.10 pip a trade at 1.5 times"),
        ({}, {}, {"against": 20.0}, "NO_EDGE", "NOT_READY", "an edge of 0.05 R is ruled out"),
        # ln(280 / 2.8) / 0.05 = 92.1
        ({}, {"e_value": 2.8}, {}, "BELOW_THRESHOLD", "UNDECIDABLE", "about 93 more trades would decide it"),
        ({}, {"e_value": 2.8}, {"growth": 0.0}, "BELOW_THRESHOLD", "UNDECIDABLE", "no number of trades would decide"),
        ({}, {"e_value": 0.125}, {"value": 0.0}, "BELOW_THRESHOLD", "UNDECIDABLE", "its account is lost"),
        ({}, {"e_value": 279.99}, {}, "BELOW_THRESHOLD", "UNDECIDABLE", "account 280 of 280"),
    ],
)
def test_each_missing_condition_is_named(
    changes: dict[str, object], standing: dict[str, Any], booked: dict[str, Any], code: str, verdict: str,
    named: str,
) -> None:  # fmt: skip
    judged = ev.judge(figures(**changes), RECORDED, replace(PAID, **standing), replace(BOOKED, **booked))
    assert (judged.verdict, judged.reasons) == (verdict, (code,))
    assert named in judged.reason


def test_ready_needs_every_condition_and_says_what_it_rests_on() -> None:
    judged = ev.judge(figures(), RECORDED, replace(PAID, e_value=280.0), BOOKED)
    assert (judged.verdict, judged.reasons) == (Verdict.READY, ())
    assert "basis: history" in judged.reason


def test_a_run_that_explores_is_never_ready() -> None:
    judged = ev.judge(figures(), RECORDED, PAID, None)
    assert (judged.verdict, judged.reasons) == (Verdict.UNDECIDABLE, (ev.Shortfall.EXPLORED,))


@pytest.mark.parametrize(("value", "verdict"), [(14.0, Verdict.READY), (13.9, Verdict.UNDECIDABLE)])
def test_who_was_ready_stays_so_until_a_twentieth_is_left(value: float, verdict: Verdict) -> None:
    low = replace(PAID, e_value=value)
    assert ev.judge(figures(), RECORDED, low, BOOKED, was_ready=True).verdict is verdict
    assert ev.judge(figures(), RECORDED, low, BOOKED).verdict is Verdict.UNDECIDABLE


def test_no_recorded_spread_is_never_ready_and_a_declared_one_is_said() -> None:
    judged = ev.judge(figures(), Spreads(SpreadSource.UNKNOWN, 10, 1_000), PAID, BOOKED)
    assert (judged.verdict, judged.reasons) == (Verdict.NOT_READY, (ev.Shortfall.NO_SPREAD,))
    assert "no spread recorded on 990 of 1000 candles: trading looks free" in judged.reason
    declared = Spreads(SpreadSource.DECLARED, 0, 1_000, SpreadModel.constant(1.2))
    judged = ev.judge(figures(), declared, PAID, BOOKED)
    assert judged.verdict is Verdict.READY
    assert "spread declared: 1.2 pip" in judged.reason
