"""The statistics behind a verdict."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sep_trader.research import evidence as ev
from sep_trader.research.spreads import SpreadModel, Spreads
from sep_trader.research.standing import Accounts, Standing
from sep_trader.research.table import verdict_table
from sep_trader.states import SpreadSource, Verdict

RECORDED = Spreads(SpreadSource.RECORDED, 1_000, 1_000)


def figures(**changes: object) -> ev.Evidence:
    base = {
        "trades": 120, "days": 60, "expectancy": 0.8, "stressed_expectancy": 0.3, "win_rate": 0.5, "mean_daily": 1.6,
        "p_value": 0.01, "deflated_sharpe": 0.9, "trials": 24,
    }  # fmt: skip
    return ev.Evidence(**{**base, **changes})  # type: ignore[arg-type]


def test_overfitting_is_even_for_noise_and_rare_for_an_edge() -> None:
    rng = np.random.default_rng(1)
    noise = [ev.overfitting(rng.normal(size=(16, 12))) for _ in range(60)]
    shares = np.array([one for one in noise if one is not None])
    assert 0.4 < shares.mean() < 0.6
    edge = rng.normal(size=(16, 12))
    edge[:, 3] += 3.0
    assert ev.overfitting(edge) == 0.0
    # The set that is best in one half is worst in the other: its gains are all in a few blocks.
    lucky = np.zeros((4, 3))
    lucky[:, 1] = [9.0, -3.0, -3.0, -3.0]
    lucky[:, 2] = 0.1
    assert ev.overfitting(lucky) == 1.0


def test_overfitting_is_not_told_of_a_single_set() -> None:
    assert ev.overfitting(np.ones((16, 1))) is None
    assert ev.overfitting(np.zeros((16, 9))) is None


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


@pytest.mark.parametrize(("ahead", "warm", "code"), [(1, 0, "LOOKS_AHEAD"), (0, 2, "WARM_UP")])
def test_a_rule_that_looks_ahead_or_wakes_too_early_is_not_ready(ahead: int, warm: int, code: str) -> None:
    judged = ev.judge(figures(), RECORDED, PAID, BOOKED, checks=ev.Checks(6, ahead, warm))
    assert (judged.verdict, judged.reasons) == (Verdict.NOT_READY, (code,))
    table = verdict_table(figures(), RECORDED, PAID, BOOKED, ev.Checks(6, ahead, warm))
    assert [one.passed for one in table if one.condition.startswith(("looks", "needs"))] == [ahead == 0, warm == 0]


def test_an_account_that_began_anew_says_why() -> None:
    judged = ev.judge(figures(), RECORDED, replace(PAID, e_value=3.0), BOOKED, decayed=True)
    assert judged.reasons == ("BELOW_THRESHOLD", "DECAYED")


def test_the_table_holds_every_condition_and_information_decides_nothing() -> None:
    table = verdict_table(figures(), RECORDED, PAID, BOOKED, ev.Checks(6, 0, 0))
    failing = [one.condition for one in table if one.passed is False]
    assert failing == ["account, live"]  # practice rests on history here
    informing = [one for one in table if not one.limit]
    assert {"Student t, p", "deflated Sharpe", "overfitting (PBO)"} <= {one.condition for one in informing}
    assert all(one.passed is None for one in informing)
    explored = verdict_table(figures(trades=0), RECORDED, PAID, None, ev.Checks(6, 0, 0))
    assert [one.passed for one in explored if one.condition.startswith(("pays", "bet against"))] == [
        None,
        None,
    ]


def test_a_model_of_a_design_that_carries_nothing_is_not_ready() -> None:
    assert ev.judge(figures(), RECORDED, PAID, BOOKED, own=280.0).verdict is Verdict.READY
    judged = ev.judge(figures(), RECORDED, PAID, BOOKED, own=3.0)
    assert (judged.verdict, judged.reasons) == (Verdict.UNDECIDABLE, ("OTHER_DESIGN",))
    assert "rests on other designs" in judged.reason
