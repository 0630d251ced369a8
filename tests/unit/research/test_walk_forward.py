"""Folds do not leak: purge, embargo, and a test part that the choice has not seen."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.walk_forward import WalkForwardPlan, daily_totals, walk_forward

WEEK = 7 * 86_400
SATURDAY = 1_704_499_200  # 2024-01-06T00:00:00Z
GRID = Grid(window=(16, 32), theta_run=(0.3,), exits=((4.0, 6.0, 20), (8.0, 12.0, 45)))
PLAN = WalkForwardPlan(min_trades=5)
COSTS = CostModel(slippage_pips=0.0, spread_multiplier=0.0)


def trending(random_candles: Callable[..., Candles], weeks: int, seed: int) -> Candles:
    """Weeks of M1 candles, Sunday to Friday, that go on as they went: some set pays in training."""
    closed = 2 * 86_400
    times = np.concatenate(
        [SATURDAY + week * WEEK + closed + 60 * np.arange(5 * 1_440) for week in range(weeks)]
    ).astype(np.int64)
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1, len(times))
    for at in range(2, len(steps)):
        if np.sign(steps[at - 1]) == np.sign(steps[at - 2]) and rng.random() < 0.45:
            steps[at] = abs(steps[at]) * np.sign(steps[at - 1])
    close = 1.1 * np.exp(np.cumsum(steps * 5e-5))
    opened = np.concatenate([[1.1], close[:-1]])
    return replace(
        random_candles(len(times), seed),
        time=times,
        open=opened,
        close=close,
        high=np.maximum(opened, close) + 2e-5,
        low=np.minimum(opened, close) - 2e-5,
    )


def test_folds_begin_on_saturdays_and_train_on_what_came_before_less_a_purge_and_an_embargo(
    random_candles: Callable[..., Candles],
) -> None:
    candles = trending(random_candles, 4, 1)
    cuts = WalkForwardPlan(embargo=30).cuts(candles, purge=45)
    assert [(test.start, test.stop) for _, test in cuts] == [(k * 7_200, (k + 1) * 7_200) for k in (1, 2, 3)]
    assert [(train.start, test.start - train.stop) for train, test in cuts] == [(0, 45 + 30)] * 3


@pytest.mark.parametrize("cut", [7_201, 9_000, 14_399, 14_400, 14_401, 20_000])
def test_more_candles_add_folds_and_move_none(random_candles: Callable[..., Candles], cut: int) -> None:
    candles = trending(random_candles, 4, 1)
    whole = WalkForwardPlan().cuts(candles, purge=45)
    for before, after in zip(WalkForwardPlan().cuts(candles.take(slice(0, cut)), purge=45), whole, strict=False):
        assert before[0] == after[0]
        assert (before[1].start, before[1].stop) == (after[1].start, min(cut, after[1].stop))


@pytest.mark.parametrize("seed", [3, 4])
def test_a_look_begins_with_what_every_earlier_look_found(random_candles: Callable[..., Candles], seed: int) -> None:
    candles = trending(random_candles, 5, seed)
    rng = np.random.default_rng(seed)
    last = walk_forward(candles, GRID, COSTS, COSTS, PLAN, lambda *_: None)
    assert len(last.trades) > 100
    for cut in sorted(rng.integers(7_300, len(candles), 12).tolist()):
        look = walk_forward(candles.take(slice(0, cut)), GRID, COSTS, COSTS, PLAN, lambda *_: None)
        assert look.chosen == last.chosen[: len(look.chosen)]
        assert look.open_trades <= 1
        for column in fields(look.trades):
            early = getattr(look.trades, column.name)
            assert early.tobytes() == getattr(last.trades, column.name)[: len(early)].tobytes()
        known = last.trades.left <= candles.time[cut - 1] + 60
        assert len(look.trades) == np.count_nonzero(known)


def test_trades_of_all_folds_are_held_one_at_a_time(random_candles: Callable[..., Candles]) -> None:
    trades = walk_forward(trending(random_candles, 5, 3), GRID, COSTS, COSTS, PLAN, lambda *_: None).trades
    assert np.all(trades.decided[1:] >= trades.left[:-1])
    assert np.all(trades.left > trades.decided)


def test_nothing_is_chosen_where_no_set_paid_its_costs(random_candles: Callable[..., Candles]) -> None:
    dear = CostModel(slippage_pips=50.0)
    found = walk_forward(trending(random_candles, 4, 3), GRID, dear, dear, PLAN, lambda *_: None)
    assert found.chosen == [None] * 3
    assert (len(found.trades), found.open_trades) == (0, 0)


def test_too_few_candles_say_what_is_needed(random_candles: Callable[..., Candles]) -> None:
    with pytest.raises(InputError, match="folds of 1 week begin on Saturdays"):
        WalkForwardPlan().cuts(random_candles(300), purge=45)


def test_what_follows_a_fold_does_not_change_its_choice(random_candles: Callable[..., Candles]) -> None:
    candles = trending(random_candles, 4, 3)
    before = walk_forward(candles, GRID, COSTS, COSTS, PLAN, lambda *_: None)
    first_test = PLAN.cuts(candles, 45)[0][1]
    rng = np.random.default_rng(9)
    spoiled_close = candles.close.copy()
    spoiled_close[first_test.start :] += np.cumsum(rng.normal(0, 3e-4, len(candles) - first_test.start))
    spoiled = replace(
        candles,
        close=spoiled_close,
        high=np.maximum(candles.high, spoiled_close),
        low=np.minimum(candles.low, spoiled_close),
    )
    after = walk_forward(spoiled, GRID, COSTS, COSTS, PLAN, lambda *_: None)
    assert before.chosen[0] is not None
    assert after.chosen[0] == before.chosen[0]


def test_daily_totals_keep_days_without_trades() -> None:
    day = 86_400
    times = np.array([10 * day + 5, 10 * day + 9, 12 * day])
    totals = daily_totals(times, np.array([1.0, 2.0, -4.0]), np.array([10, 11, 12]))
    assert totals.tolist() == [1.0 + 2.0, 0.0, -4.0]
