"""The interval of a live expectancy holds at every look."""

import numpy as np

from sep_trader.research.live import LOWEST_R, live_expectancy


def test_the_true_mean_is_inside_at_all_looks_together() -> None:
    rng = np.random.default_rng(3)
    out = 0
    for _ in range(200):
        # Stop -1.05 R, target +1.4 R: the mean is 0.1.
        won = rng.random(400) < 0.46938775510204084
        outcomes = np.where(won, 1.4, -1.05)
        found = live_expectancy(outcomes.tolist(), [1.5] * 400)
        out += not found.low_r <= 0.1 <= found.high_r
    assert out <= 16  # 5 % of 200 are 10; the bound is loose


def test_it_narrows_and_knows_what_it_does_not_know() -> None:
    rng = np.random.default_rng(4)
    outcomes = np.where(rng.random(4_000) < 0.55, 1.0, -1.0).tolist()
    few, many = live_expectancy(outcomes[:50], [1.0] * 50), live_expectancy(outcomes, [1.0] * 4_000)
    assert many.high_r - many.low_r < 0.5 * (few.high_r - few.low_r)
    assert many.low_r < 0.1 < many.high_r
    none = live_expectancy([], [])
    assert (none.trades, none.expectancy_r, none.low_r) == (0, None, LOWEST_R)
