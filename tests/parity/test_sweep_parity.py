"""The sweep against the trades of one set at a time, and decisions against the exact reference."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.support.candles import minutes_with_gaps, random_walk

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.qfh import Encoder, encode_bits, session_starts
from sep_trader.qfh.reference import reference_metrics
from sep_trader.research.costs import CostModel
from sep_trader.research.kernels import plan, scalar
from sep_trader.research.kernels.inputs import Levels
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.simulate import simulate
from sep_trader.research.sweep import SweepJob, SweepResult, prepared, sweep, sweep_many, sweep_sides

COSTS = CostModel(slippage_pips=0.3, spread_multiplier=1.5, financing_long=-0.03, financing_short=0.01)
OPEN = RuleParameters(entropy_max=1.0, stability_min=0.0, stop_ranges=math.inf, target_ranges=math.inf)
"""A rule that refuses no quality, without stop and target."""


def sets_of(encoder: str) -> list[RuleParameters]:
    """72 sets of three windows with exits of every kind, and three of one rule without exits."""
    base = replace(OPEN, encoder=encoder)
    return grid(
        replace(base, target_ranges=0.0006), window=(8, 33, 100), theta_run=(0.28, 0.35), stability_min=(0.0, 0.5),
        mode=("follow", "fade"), horizon=(1, 20, 300), stop_ranges=(0.0004, math.inf),
    ) + grid(replace(base, theta_run=0.26, entropy_max=0.97, horizon=15), window=(16, 255, 512))  # fmt: skip


SETS = sets_of("direction")


def market(n: int = 9000, seed: int = 0) -> Candles:
    """Candles of a seeded random walk with gaps that end sessions, and jumps between close and open."""
    return random_walk(minutes_with_gaps(n, seed), seed, price=1.1, jumps=0.05)


def reference_side(candles: Candles, one: RuleParameters) -> np.ndarray:
    """The collapse rule straight from the exact metrics."""
    starts = session_starts(candles.time, candles.granularity.seconds)
    bits = encode_bits(candles.open, candles.close, starts, Encoder.parse(one.encoder))
    value, _, valid = reference_metrics(bits, starts, one.window)
    with np.errstate(invalid="ignore"):
        chosen = (value["rupture"] >= one.theta_run) | (value["null"] >= one.theta_run)
        chosen &= (value["entropy"] <= one.entropy_max) & (value["stability"] >= one.stability_min) & valid
        side = np.where(chosen, np.sign(value["trend"]), 0.0)
    return (-side if one.mode == "fade" else side).astype(np.int8)


def check_one(candles: Candles, one: RuleParameters, found: SweepResult, at: int) -> int:
    n = len(candles)
    side = reference_side(candles, one)
    trades = simulate(candles, side, np.full(n, one.stop_ranges), np.full(n, one.target_ranges), one.horizon, COSTS)
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
    candles, sets = market(), sets_of(encoder)
    found = sweep(candles, sets, COSTS, device="cpu")
    total = sum(check_one(candles, one, found, at) for at, one in enumerate(sets))
    assert total > 5000


def test_the_same_bits_for_any_number_of_threads_and_any_company() -> None:
    candles = market()
    once = sweep(candles, SETS, COSTS, device="cpu", threads=1)
    for threads in (2, 5):
        again = sweep(candles, SETS, COSTS, device="cpu", threads=threads)
        assert all(np.array_equal(getattr(once, n), getattr(again, n), equal_nan=True) for n in ("net", "sharpe"))
    alone = sweep(candles, SETS[40:41], COSTS, device="cpu")
    assert (alone.net[0], alone.trades[0]) == (once.net[40], once.trades[40])


def test_folds_are_series_of_their_own() -> None:
    candles = market()
    folds = [(0, 3000), (3000, 9000), (5000, 5000), (100, 101)]
    found = sweep(candles, SETS[:20], COSTS, folds=folds, device="cpu")
    assert found.trades.shape == (4, 20)
    whole = sweep(candles.take(slice(0, 3000)), SETS[:20], COSTS, device="cpu")
    assert np.array_equal(found.net[0], whole.net)
    assert found.trades[1].min() > 0
    assert found.trades[2:].max() == 0


def test_folds_with_one_beginning_share_their_walk_to_the_last_bit() -> None:
    """What anchored folds share is walked once; each is what a series that ends there would be."""
    candles = market(13_000, 3)
    ends = [13_000, 4_500, 8_192, 12_500, 8_200, 301, 1]
    folds = [(0, end) for end in ends] + [(5_000, 13_000), (5_000, 9_800)]
    together = sweep(candles, SETS, COSTS, folds=folds, device="cpu", threads=2)
    for fold, (first, last) in enumerate(folds):
        alone = sweep(candles, SETS, COSTS, folds=[(first, last)], device="cpu", threads=1)
        for name in ("trades", "wins", "gross", "net", "max_drawdown"):
            assert np.array_equal(getattr(together, name)[fold], getattr(alone, name)[0]), (name, fold)
        if first == 0 and last > 600:
            cut = sweep(candles.take(slice(0, last)), SETS, COSTS, device="cpu")
            assert np.array_equal(cut.net, together.net[fold])


def test_tables_in_many_stages_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = market(60_000, 5)
    folds = [(0, 60_000), (0, 40_000), (700, 59_000)]
    whole = sweep(candles, SETS, COSTS, folds=folds, device="cpu", threads=2)
    monkeypatch.setattr(plan, "TABLE_BYTES", 1)
    assert len(plan.cuts_of(60_000, 12, Levels.of(prepared([SweepJob(candles, COSTS)], SETS)[2]), 1)) > 1
    staged = sweep(candles, SETS, COSTS, folds=folds, device="cpu", threads=2)
    for name in ("trades", "wins", "gross", "net", "max_drawdown"):
        assert np.array_equal(getattr(whole, name), getattr(staged, name)), name


def test_sums_are_added_block_by_block() -> None:
    """The order of additions that every device keeps: within blocks of candles, then block after block."""
    candles, one = market(20_000), SETS[25]
    n = len(candles)
    found = sweep(candles, [one], COSTS, device="cpu")
    side = reference_side(candles, one)
    trades = simulate(candles, side, np.full(n, one.stop_ranges), np.full(n, one.target_ranges), one.horizon, COSTS)
    total = 0.0
    for block in range(0, n, scalar.SUM_BLOCK):
        inside = 0.0
        for net in trades.net[(trades.entry - 1 >= block) & (trades.entry - 1 < block + scalar.SUM_BLOCK)].tolist():
            inside += net
        total += inside
    assert len(trades) > 500
    assert found.net[0] == total


def test_any_strategys_proposals_are_swept() -> None:
    candles = market(20_000, 9)
    n = len(candles)
    random = np.random.default_rng(1)
    # One that proposes now and then, and one that changes with the last close.
    rarely = random.choice(np.array([-1, 0, 0, 0, 1], np.int8), n)
    sides = np.stack([rarely, np.sign(np.diff(candles.close, prepend=1.1)).astype(np.int8)])
    exits = [(row, stop, target, horizon) for row in (0, 1) for stop in (4e-4, math.inf) for target in (6e-4, math.inf)
             for horizon in (1, 25, 200)]  # fmt: skip
    found = sweep_sides([SweepJob(candles, COSTS, sides=sides)], exits, device="cpu")[0]
    for at, (row, stop, target, horizon) in enumerate(exits):
        trades = simulate(candles, sides[row], np.full(n, stop), np.full(n, target), horizon, COSTS)
        assert found.trades[at] == len(trades) > 50
        assert found.net[at] == pytest.approx(trades.net.sum(), abs=1e-12)
    with pytest.raises(InputError, match="a row below 2"):
        sweep_sides([SweepJob(candles, COSTS, sides=sides)], [(2, 1.0, 1.0, 5)], device="cpu")
    with pytest.raises(InputError, match=r"proposals of shape \(2, 10\) for 20000 candles"):
        sweep_sides([SweepJob(candles, COSTS, sides=sides[:, :10])], exits, device="cpu")


def test_a_scale_stretches_stops_and_targets() -> None:
    candles = market()
    in_price = sweep(candles, [replace(OPEN, stop_ranges=0.0004, target_ranges=0.0008)], COSTS, device="cpu")
    scaled = sweep(
        candles, [replace(OPEN, stop_ranges=2, target_ranges=4)], COSTS, scale=np.full(9000, 0.0002), device="cpu"
    )
    assert scaled.net[0] == in_price.net[0]


def test_many_series_at_once() -> None:
    jobs = [SweepJob(market(3000 + 500 * seed, seed), COSTS) for seed in range(3)]
    for job, found in zip(jobs, sweep_many(jobs, SETS, device="cpu"), strict=True):
        assert np.array_equal(found.net, sweep(job.candles, SETS, COSTS, device="cpu").net)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"folds": [(0, 10_000)]}, r"fold 0\.\.10000"),
        ({"scale": np.zeros(9000)}, "scale must be finite and above 0"),
        ({"sets": []}, "no parameter sets"),
        ({"sets": [SETS[0], replace(SETS[0], encoder="body")]}, "sets of 2 encoders in one sweep"),
        ({"sets": [replace(SETS[0], confirm=("M5",))]}, "need the signs allowed"),
        ({"sets": [RuleParameters(window=512)], "candles": market(300)}, "window 512 is longer than the series of 300"),
    ],
)
def test_bad_input_names_the_limit(options: dict[str, object], expected: str) -> None:
    given = {"candles": market(), "sets": SETS[:2], "costs": COSTS, "device": "cpu"} | options
    with pytest.raises(InputError, match=expected):
        sweep(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        {"window": 7},
        {"theta_run": 1.5},
        {"horizon": 0},
        {"stop_ranges": 0.0},
        {"target_ranges": math.nan},
        {"entropy_max": -1.0},
    ],
)
def test_bad_sets_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        RuleParameters(**bad)  # type: ignore[arg-type]
