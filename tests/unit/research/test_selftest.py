"""The self-test itself: it gives the same again, and a broken rule does not pass it."""

from dataclasses import asdict

import numpy as np
import pytest
from tests.unit.research.test_standing import bets

from sep_trader.research.account import booked
from sep_trader.research.selftest import pipeline, report, rules
from sep_trader.research.selftest.controls import CONTROLS, rebooked_if_better
from sep_trader.research.selftest.outcomes import SCALE, Accounts, deviation, trades
from sep_trader.research.selftest.report import rate_of, selftest
from sep_trader.research.student import student_t


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def quiet(_done: int, _total: int) -> None:
    """No progress."""


def test_many_accounts_at_once_are_the_account() -> None:
    outcomes = trades(rng(), 50)
    account, _ = booked(bets(outcomes.tolist()))
    many = Accounts.new(3)
    for one in outcomes:
        many.trade(np.full(3, one))
    assert many.value == pytest.approx(np.full(3, account.value))
    assert SCALE == 1.35


def test_trades_are_fair_at_the_boundary_and_have_the_edge_that_is_asked_for() -> None:
    fair = trades(rng(), 200_000)
    assert abs(fair.mean()) < 4 * fair.std() / np.sqrt(len(fair))
    assert fair.std() == pytest.approx(deviation(), rel=0.01)
    assert deviation() == pytest.approx(1.03, abs=0.001)
    assert trades(rng(), 200_000, 0.2).mean() == pytest.approx(0.2, abs=0.012)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_mistake_is_seen_to_fail(name: str) -> None:
    assert rate_of(CONTROLS[name](rng(), 600)).low > 0.05


def test_the_rule_for_corrected_candles_holds() -> None:
    assert rate_of(rebooked_if_better(rng(), 4_000, lower=True)).high < 0.05


@pytest.mark.parametrize(
    ("edge_sd", "wanted", "number"), [(0.15, 560, 1_000), (0.15, 1_120, 1_200), (0.10, 140, 1_800)]
)
def test_power(edge_sd: float, wanted: float, number: int) -> None:
    assert rate_of(rules.power(rng(), 2_000, edge_sd * deviation(), wanted, number)).rate >= 0.8


@pytest.mark.parametrize(("edge", "wanted", "trades_of_z"), [(0.10, 560, 1_485), (0.15, 560, 663), (0.20, 560, 373)])
def test_at_most_twice_the_trades_of_a_z_test(edge: float, wanted: float, trades_of_z: int) -> None:
    assert rate_of(rules.power(rng(), 2_000, edge, wanted, 2 * trades_of_z)).rate >= 0.8


def test_all_of_it_holds_and_is_the_same_again() -> None:
    found = selftest(10, 3, quiet)
    assert [one for one in found.failed if not one.startswith("not seen to fail")] == [], "so few see no rare mistake"
    assert (found.trained_again, found.trained_again_same) == (1, 1)
    assert asdict(selftest(10, 3, quiet)) == asdict(found)


@pytest.mark.parametrize("wanted", [0.5])
def test_a_broken_threshold_does_not_pass(monkeypatch: pytest.MonkeyPatch, wanted: float) -> None:
    """The pair counts as READY with half of what it began with."""
    monkeypatch.setattr(pipeline, "_enough", lambda standing, main: standing.e_value > wanted * 0.375)
    flags = [pipeline.null_looks(seed).weekly for seed in range(6)]
    assert rate_of(flags).low > report.ALLOWED


def test_intervals_are_those_of_clopper_and_pearson() -> None:
    none, every = rate_of([False] * 10), rate_of([True] * 10)
    assert (none.rate, none.low, none.n) == (every.rate - 1, 0.0, 10)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert every.low == pytest.approx(0.025 ** (1 / 10))


def test_student_t_is_uniform_unclipped_and_silent_below_ten_days() -> None:
    draws = rng()
    p = [student_t(np.repeat(np.arange(24), 5), trades(draws, 120)) for _ in range(400)]
    known = np.array([one for one in p if one is not None])
    assert len(known) == 400
    assert known.max() > 0.9
    assert 0.02 < (known <= 0.05).mean() < 0.09
    assert student_t(np.arange(9), trades(draws, 9)) is None
    assert student_t(np.arange(20), np.ones(20)) is None
