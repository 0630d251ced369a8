"""The sweep against the trades of one set at a time, and decisions against the exact reference."""

import math

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.qfh import Encoder, encode_bits, session_starts
from sep_trader.qfh.reference import reference_metrics
from sep_trader.research.costs import CostModel
from sep_trader.research.simulate import simulate
from sep_trader.research.sweep import ParameterSet, SweepJob, SweepResult, grid, sweep, sweep_many

COSTS = CostModel(slippage_pips=0.3, spread_multiplier=1.5, financing_long=-0.03, financing_short=0.01)
SETS = grid(
    window=(8, 33, 100), theta=(0.28, 0.35), min_stability=(0.0, 0.5), fade=(False, True), horizon=(1, 20, 300),
    stop=(0.0004, math.inf), target=(0.0006,),
) + grid(window=(16, 255, 512), theta=(0.26,), max_entropy=(0.97,), horizon=(15,))  # fmt: skip


def market(n: int = 9000, seed: int = 0) -> Candles:
    """Candles of a seeded random walk with gaps that end sessions."""
    rng = np.random.default_rng(seed)
    time = 1_388_534_400 + 60 * np.cumsum(np.where(rng.random(n) < 0.002, 60, 1)).astype(np.int64)
    close = np.round(1.1 * np.exp(np.cumsum(rng.standard_normal(n) * 1e-4)), 5)
    open_ = np.round(np.concatenate(([close[0]], close[:-1])) + (rng.random(n) < 0.05) * 2e-4, 5)
    high = np.maximum(open_, close) + np.round(rng.random(n) * 1e-4, 5)
    low = np.minimum(open_, close) - np.round(rng.random(n) * 1e-4, 5)
    spread = np.round(1e-4 + rng.random(n) * 5e-5, 5)
    return Candles("EUR_USD", Granularity.M1, time, open_, high, low, close, spread, np.ones(n, dtype=np.int64))


def reference_side(candles: Candles, one: ParameterSet, encoder: Encoder) -> np.ndarray:
    """The collapse rule straight from the exact metrics."""
    starts = session_starts(candles.time, candles.granularity.seconds)
    bits = encode_bits(candles.open, candles.close, starts, encoder)
    value, _, valid = reference_metrics(bits, starts, one.window)
    with np.errstate(invalid="ignore"):
        chosen = (value["rupture"] >= one.theta) | (value["null"] >= one.theta)
        chosen &= (value["entropy"] <= one.max_entropy) & (value["stability"] >= one.min_stability) & valid
        side = np.where(chosen, np.sign(value["trend"]), 0.0)
    return (-side if one.fade else side).astype(np.int8)


def check_one(candles: Candles, one: ParameterSet, found: SweepResult, at: int, encoder: Encoder) -> int:
    n = len(candles)
    side = reference_side(candles, one, encoder)
    trades = simulate(candles, side, np.full(n, one.stop), np.full(n, one.target), one.horizon, COSTS)
    assert found.trades[at] == len(trades)
    assert found.wins[at] == np.count_nonzero(trades.net > 0)
    assert found.gross[at] == pytest.approx(trades.gross.sum(), abs=1e-12)
    assert found.net[at] == pytest.approx(trades.net.sum(), abs=1e-12)
    path = np.concatenate(([0.0], np.cumsum(trades.net)))
    assert found.max_drawdown[at] == pytest.approx((np.maximum.accumulate(path) - path).max(), abs=1e-12)
    if len(trades) > 1 and trades.net.std() < 1e-6 * abs(trades.net.mean()):
        assert math.isnan(found.sharpe[at])
    elif len(trades) > 1:
        years = (candles.time[-1] - candles.time[0]) / (365.25 * 86400)
        sharpe = trades.net.mean() / trades.net.std(ddof=1) * math.sqrt(len(trades) / years)
        assert found.sharpe[at] == pytest.approx(sharpe, rel=1e-9)
        assert found.expectancy[at] == pytest.approx(trades.net.mean(), rel=1e-9)
    return len(trades)


@pytest.mark.parametrize("encoder", ["direction", "body", "magnitude(32)"])
def test_a_sweep_is_its_sets_one_by_one(encoder: str) -> None:
    candles, kind = market(), Encoder.parse(encoder)
    found = sweep(candles, SETS, kind, COSTS, device="cpu")
    total = sum(check_one(candles, one, found, at, kind) for at, one in enumerate(SETS))
    assert total > 5000


def test_the_same_bits_for_any_number_of_threads_and_any_company() -> None:
    candles, kind = market(), Encoder()
    once = sweep(candles, SETS, kind, COSTS, device="cpu", threads=1)
    for threads in (2, 5):
        again = sweep(candles, SETS, kind, COSTS, device="cpu", threads=threads)
        assert all(np.array_equal(getattr(once, n), getattr(again, n), equal_nan=True) for n in ("net", "sharpe"))
    alone = sweep(candles, SETS[40:41], kind, COSTS, device="cpu")
    assert (alone.net[0], alone.trades[0]) == (once.net[40], once.trades[40])


def test_folds_are_series_of_their_own() -> None:
    candles, kind = market(), Encoder()
    folds = [(0, 3000), (3000, 9000), (5000, 5000), (100, 101)]
    found = sweep(candles, SETS[:20], kind, COSTS, folds=folds, device="cpu")
    assert found.trades.shape == (4, 20)
    whole = sweep(candles.take(slice(0, 3000)), SETS[:20], kind, COSTS, device="cpu")
    assert np.array_equal(found.net[0], whole.net)
    assert found.trades[1].min() > 0
    assert found.trades[2:].max() == 0


def test_a_scale_stretches_stops_and_targets() -> None:
    candles, kind = market(), Encoder()
    in_price = sweep(candles, [ParameterSet(stop=0.0004, target=0.0008)], kind, COSTS, device="cpu")
    scaled = sweep(candles, [ParameterSet(stop=2, target=4)], kind, COSTS, scale=np.full(9000, 0.0002), device="cpu")
    assert scaled.net[0] == in_price.net[0]


def test_many_series_at_once() -> None:
    jobs = [SweepJob(market(3000 + 500 * seed, seed), COSTS) for seed in range(3)]
    for job, found in zip(jobs, sweep_many(jobs, SETS, Encoder(), device="cpu"), strict=True):
        assert np.array_equal(found.net, sweep(job.candles, SETS, Encoder(), COSTS, device="cpu").net)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"folds": [(0, 10_000)]}, r"fold 0\.\.10000"),
        ({"scale": np.zeros(9000)}, "scale must be finite and above 0"),
        ({"sets": []}, "no parameter sets"),
        ({"sets": [ParameterSet(window=512)], "candles": market(300)}, "window 512 is longer than the series of 300"),
    ],
)
def test_bad_input_names_the_limit(options: dict[str, object], expected: str) -> None:
    given = {"candles": market(), "sets": SETS[:2], "encoder": Encoder(), "costs": COSTS, "device": "cpu"} | options
    with pytest.raises(InputError, match=expected):
        sweep(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad", [{"window": 7}, {"theta": 1.5}, {"horizon": 0}, {"stop": 0.0}, {"target": math.nan}, {"max_entropy": -1.0}]
)
def test_bad_sets_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        ParameterSet(**bad)  # type: ignore[arg-type]
