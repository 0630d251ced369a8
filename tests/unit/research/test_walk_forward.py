"""Folds do not leak: purge, embargo, and a test part that the choice has not seen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.walk_forward import Grid, WalkForwardPlan, daily_totals, walk_forward


def test_train_parts_end_a_purge_and_an_embargo_before_their_test_parts() -> None:
    plan = WalkForwardPlan(folds=4, first_train=0.5, embargo=30)
    cuts = plan.cuts(2_000, purge=45)
    assert [test.start - train.stop for train, test in cuts] == [45 + 30] * 4
    assert [(test.start, test.stop) for _, test in cuts] == [(1000 + k * 250, 1250 + k * 250) for k in range(4)]


def test_too_few_candles_say_how_many_are_needed() -> None:
    with pytest.raises(InputError, match="import at least"):
        WalkForwardPlan().cuts(300, purge=45)


def test_what_follows_a_fold_does_not_change_its_choice(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(6_000, seed=3)
    grid = Grid(window=(16, 32), theta_run=(0.3,), exits=((4.0, 6.0, 20),))
    plan = WalkForwardPlan(folds=3, min_trades=5)
    costs = CostModel()
    stressed = replace(costs, spread_multiplier=1.5)
    before = walk_forward(candles, grid, costs, stressed, plan, lambda *_: None)
    first_test = plan.cuts(len(candles), 20)[0][1]
    rng = np.random.default_rng(9)
    spoiled_close = candles.close.copy()
    spoiled_close[first_test.start :] += np.cumsum(rng.normal(0, 3e-4, len(candles) - first_test.start))
    spoiled = replace(
        candles,
        close=spoiled_close,
        high=np.maximum(candles.high, spoiled_close),
        low=np.minimum(candles.low, spoiled_close),
    )
    after = walk_forward(spoiled, grid, costs, stressed, plan, lambda *_: None)
    assert before.chosen[0] is not None
    assert after.chosen[0] == before.chosen[0]


def test_daily_totals_keep_days_without_trades() -> None:
    day = 86_400
    times = np.array([10 * day + 5, 10 * day + 9, 12 * day])
    totals = daily_totals(times, np.array([1.0, 2.0, -4.0]), np.array([10, 11, 12]))
    assert totals.tolist() == [1.0 + 2.0, 0.0, -4.0]
