"""One rule, three ways: the whole series at once, candle by candle, and in the sweep that chooses its parameters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sep_trader.history import lean
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import too_near, whole_ticks
from sep_trader.research.rule_stream import RuleStream
from sep_trader.research.simulate import simulate
from sep_trader.research.strategies import propose
from sep_trader.research.training_sweep import RuleTraining
from sep_trader.research.walk_forward import WalkForwardPlan

RULES = [
    RuleParameters(window=16, theta_run=0.3),
    RuleParameters(window=33, theta_run=0.28, mode="fade", encoder="body", entropy_max=0.99, stability_min=0.3),
    RuleParameters(window=16, theta_run=0.3, confirm=("M5", "M15")),
    RuleParameters(window=64, theta_run=0.26, encoder="magnitude(32)", stability_min=0.2, entropy_max=1.0),
    RuleParameters(window=8, theta_run=0.0, entropy_max=1.0, stability_min=0.0, confirm=("H1",), mode="fade"),
]
COSTS = CostModel(slippage_pips=0.3)
TERMS = standard_instrument("EUR_USD")


@pytest.fixture(scope="module")
def candles(data_dir: Path) -> Candles:
    """EUR_USD M1 of May 2014: holes, a weekend, and everything else that a real market brings."""
    files = lean.sources(data_dir / "lean-oanda" / "minute" / "eurusd", None, None)
    read = [lean.read(file).candles for file in files if file.path.name < "20180101"]
    days = [quotes.to_mid(5) for quotes in read if isinstance(quotes, QuoteCandles)]
    assert len(days) == len(read)
    columns = ("time", "open", "high", "low", "close", "spread", "volume")
    joined: dict[str, Any] = {name: np.concatenate([getattr(day, name) for day in days]) for name in columns}
    return replace(days[0], **joined)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.encoder}-{rule.window}-{rule.mode}")
def test_candle_by_candle_is_the_whole_series(candles: Candles, rule: RuleParameters) -> None:
    whole = propose(candles, rule)
    stream = RuleStream(rule, Granularity.M1)
    columns = (candles.time, candles.open, candles.high, candles.low, candles.close)
    rows = [stream.update(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    made = np.flatnonzero(whole.side)
    assert len(made) > 100
    assert [at for at, row in enumerate(rows) if row is not None] == made.tolist()
    for at in made.tolist():
        row = rows[at]
        assert row is not None
        expected = (whole.side[at], whole.confidence[at], whole.stop[at], whole.target[at])
        assert (row.side, row.confidence, row.stop, row.target) == expected
        assert row.metrics is not None
        assert whole.metrics is not None
        assert row.metrics.trend[0] == whole.metrics.trend[at]


@pytest.mark.parametrize("confirm", [(), ("M5", "M15")])
def test_what_training_sweeps_are_the_proposals_trades(candles: Candles, confirm: tuple[str, ...]) -> None:
    base = RuleParameters(confirm=confirm, entropy_max=0.99, stability_min=0.3)
    grid = Grid(base, window=(8, 33), theta_run=(0.28, 0.36), exits=((4.0, 6.0, 20), (np.inf, 12.0, 45)))
    sets = grid.sets()
    cuts = WalkForwardPlan().cuts(candles, 45)
    series = RuleTraining(candles, base.encoder, (8, 33))
    swept = series.sweep(sets, COSTS, [(train.start, train.stop) for train, _ in cuts], "cpu", 0)
    total = 0
    for at, one in enumerate(sets):
        proposals = propose(candles, one)
        for fold, (train, _) in enumerate(cuts):
            near = too_near(whole_ticks(proposals.stop, TERMS), candles.spread)[train]
            side = np.where(near, 0, proposals.side[train]).astype(np.int8)
            part = candles.take(train), side, proposals.stop[train], proposals.target[train]
            trades = simulate(*part, one.horizon, COSTS)
            assert swept.trades[fold, at] == len(trades)
            assert swept.net[fold, at] == pytest.approx(trades.net.sum(), abs=1e-12)
            total += len(trades)
    assert total > 2_000
