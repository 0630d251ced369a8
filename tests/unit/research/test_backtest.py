"""The figures of a backtest are those of its trades."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.research.backtest import backtest, statistics_json
from sep_trader.research.costs import CostModel
from sep_trader.research.function_rule import parameters_of
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.simulate import ExitReason, simulate

COSTS = CostModel()
CANDLES = replace(random_walk(6_000, 3), spread=np.full(6_000, 1e-5))


@pytest.mark.parametrize("one", [RuleParameters(window=16, theta_run=0.3), parameters_of("donchian_breakout", {})])
def test_the_figures_are_those_of_the_trades(one: object) -> None:
    found = backtest(CANDLES, one, COSTS)  # type: ignore[arg-type]
    table, figures = found.trades, found.statistics
    assert figures.trades == len(table) > 50
    assert figures.wins == int((table.net_pips > 0).sum())
    assert figures.net_pips == pytest.approx(table.net_pips.sum())
    assert figures.expectancy_pips == pytest.approx(figures.net_pips / figures.trades)
    won, lost = table.net_pips[table.net_pips > 0].sum(), -table.net_pips[table.net_pips < 0].sum()
    assert figures.profit_factor == pytest.approx(won / lost)
    total = np.concatenate([[0.0], found.equity()[1]])
    assert figures.max_drawdown_pips == pytest.approx((np.maximum.accumulate(total) - total).max())
    # What a trade brought is what its fills say, less financing.
    moved = table.side * (table.exit_price - table.entry_price) / COSTS.pip
    assert np.all(table.net_pips <= moved + 1e-6)
    assert np.all(table.net_pips >= moved - 1.0)
    # No trade was further behind than its stop says when it left by its target.
    hit = np.array(table.exit_reason) == "TARGET"
    assert np.all(table.mae_pips[hit] * COSTS.pip <= np.abs(table.entry_price - table.stop_price)[hit] + 1e-4)
    assert 0.0 < figures.exposure < 1.0
    assert statistics_json(figures)["first"].endswith("Z")


def test_daily_returns_are_the_trades() -> None:
    found = backtest(CANDLES, parameters_of("sma_cross", {}), COSTS)
    daily = found.returns()
    share = (found.trades.net_pips * COSTS.pip / found.trades.entry_price).sum()
    assert daily.sum() == pytest.approx(share)
    assert len(found.to_pandas()) == found.statistics.trades
    assert found.trades.to_arrow().num_rows == found.statistics.trades


def test_nothing_traded_is_said_and_not_divided() -> None:
    flat = replace(CANDLES, open=np.full(6_000, 1.1), high=np.full(6_000, 1.1), low=np.full(6_000, 1.1),
                   close=np.full(6_000, 1.1))  # fmt: skip
    figures = backtest(flat, parameters_of("sma_cross", {}), COSTS).statistics
    assert (figures.trades, figures.net_pips, figures.profit_factor, figures.first) == (0, 0.0, None, None)


def test_the_other_side_closes_and_opens_nothing() -> None:
    n = 40
    side = np.zeros(n, np.int8)
    side[3], side[9], side[20] = 1, -1, -1
    none = np.full(n, np.inf)
    candles = CANDLES.take(slice(0, n))
    trades = simulate(candles, side, none, none, 30, COSTS, side_closes=True)
    assert trades.reason.tolist() == [ExitReason.SIDE, ExitReason.END]
    assert (trades.entry.tolist(), trades.exit.tolist()) == ([4, 21], [10, 39])
    plain = simulate(candles, side, none, none, 30, COSTS)
    assert (plain.entry.tolist(), plain.reason.tolist()) == ([4], [ExitReason.HORIZON])
    # Where the horizon ends first, it is the horizon that closes.
    early = simulate(candles, side, none, none, 4, COSTS, side_closes=True)
    assert early.reason[0] == ExitReason.HORIZON
