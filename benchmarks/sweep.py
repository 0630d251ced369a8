"""The sweep of parameter sets: bars x sets a second, memory, cold start, and ratios to other ways of doing it.

Run: python benchmarks/sweep.py [--json] [--runs 5] [--before a6f595a]
Sets over 370,000 synthetic M1 candles (a year of one pair) on all cores, signals and exits included, from candles to
statistics. `bar_sets_per_s` is the lower one of fixed horizon and stop/target at 1,000 sets.

plain_numba_ratio: a loop over the bars in plain numba for the same sets on the same cores, which gets its signals for
nothing; trades and sums must be equal. vectorbt_ratio and vectorbt_rust_ratio: at a fixed horizon, on the cores that
each uses by itself (ours all, vectorbt one); vectorbt gets its signals for nothing, its Rust engine the bars of the
exits as well, and fewer sets of the same grid, as its time grows with their number; trades and sums must be equal. It
lives in an environment of its own, .cache/vectorbt, made at the first run. before_*: the sweep of an earlier commit, of
a clone with its history, in turns with this one.

shape_*: 28 pairs x 10 years of M1 x 10,000 sets x 12 folds, of which 1 % is run: 2.8 years of one pair.
tasks_*: a model of how even the work is: the least time of 4, 8 and 16 workers for the tasks of one pair, each as long
as it was measured here with one, over what it would be without a gap.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

CANDLES, SETS, COMPARED = 370_000, 1_000, 20
SESSION = 7_200
ROOT = Path(__file__).parents[1]
OTHER = ROOT / ".cache" / "vectorbt"
OTHERS = Path(__file__).with_name("others")
KINDS = ("horizon", "exits", "exits_10000")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--before", help="a commit to compare with, such as a6f595a")
    parser.add_argument("--child", choices=("first", "whole", "decade"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child)))
        return
    runs = max(5, arguments.runs)
    figures = machine("numba", "numpy") | speed(runs) | densities(runs) | spread_out(runs)
    figures |= against_plain_numba(figures["exits_seconds"], runs) | balance() | whole_shape()
    figures["walk_forward_seconds"] = median_seconds(walk_forward_seconds(), 3)
    figures["peak_mb"] = started("whole")["peak_mb"]
    figures |= {f"decade_{name}": value for name, value in started("decade").items()}
    figures["cold_start_cached_s"] = statistics.median(started("first")["first_s"] for _ in range(5))
    with tempfile.TemporaryDirectory() as empty:
        figures["cold_start_uncached_s"] = started("first", NUMBA_CACHE_DIR=empty)["first_s"]
    figures |= against_vectorbt(figures["horizon_bar_sets_per_s"], runs)
    if arguments.before:
        figures |= against_before(arguments.before, runs)
    show(figures, arguments.json)


def machine(*packages: str) -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    found: dict[str, Any] = {"machine": f"{model}, {os.cpu_count()} cores", "load": round(os.getloadavg()[0], 2)}
    return found | {"python": platform.python_version()} | {name: version(name) for name in packages}


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print one JSON object, or a line a figure."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:,.4g}" if isinstance(value, float) else f"{name:32} {value}")


def median_seconds(action: Callable[[], object], runs: int) -> float:
    """Median wall-clock time of an action, after one call that does not count."""
    action()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def other_python() -> Path | str:
    """The Python with vectorbt and pandas, made if need be; else why there is none."""
    python = OTHER / "bin" / "python"
    installed = OTHER / ".installed"
    if installed.exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(OTHER)], check=True, capture_output=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "vectorbt[rust]"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{OTHER} cannot be made: {error}"
    installed.touch()
    return python


def market(n: int = CANDLES, seed: int = 0) -> Any:
    """Synthetic M1 candles: a random walk in sessions of five days."""
    from sep_trader.market.candles import Candles
    from sep_trader.market.granularity import Granularity

    rng = np.random.default_rng(seed)
    row = np.arange(n, dtype=np.int64)
    times = 1_388_966_400 + 60 * row + 172_800 * (row // SESSION)
    close = np.round(1.1 * np.exp(np.cumsum(rng.standard_normal(n) * 1e-4)), 5)
    opening = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opening, close) + np.round(rng.random(n) * 1e-4, 5)
    low = np.minimum(opening, close) - np.round(rng.random(n) * 1e-4, 5)
    spread = np.round(1e-4 + rng.random(n) * 5e-5, 5)
    return Candles("EUR_USD", Granularity.M1, times, opening, high, low, close, spread, np.ones(n, np.int64))


def columns_of(kind: str) -> list[tuple[int, float, str, int, float, float]]:
    """The sets of a kind as (window, theta, mode, horizon, stop, target): 40 rules (5 windows) and their exits.

    horizon: 25 horizons without stop and target. exits: 5 horizons x 5 stops x 1 target. exits_10000: 5 x 10 x 5.
    """
    rules = product((16, 32, 64, 128, 256), (0.27, 0.3, 0.33, 0.36), ("follow", "fade"))
    horizons: tuple[int, ...] = (15, 30, 60, 120, 240)
    stops: tuple[float, ...] = (5e-4, 7e-4, 1e-3, 1.5e-3, 2e-3)
    targets: tuple[float, ...] = (1e-3,)
    if kind == "horizon":
        horizons, stops, targets = tuple(range(10, 260, 10)), (math.inf,), (math.inf,)
    elif kind == "exits_10000":
        stops = (5e-4, 6e-4, 7e-4, 8e-4, 1e-3, 1.2e-3, 1.4e-3, 1.6e-3, 1.8e-3, 2e-3)
        targets = (8e-4, 9e-4, 1e-3, 1.2e-3, 1.5e-3)
    return [(*rule, *exits) for rule, exits in product(rules, product(horizons, stops, targets))]


def sets_of(kind: str) -> list[Any]:
    """The sets of a kind as the sweep takes them."""
    from sep_trader.research.parameters import RuleParameters

    return [
        RuleParameters(
            entropy_max=1.0,
            stability_min=0.0,
            window=window,
            theta_run=theta,
            mode=mode,
            horizon=horizon,
            stop_ranges=stop,
            target_ranges=target,
        )
        for window, theta, mode, horizon, stop, target in columns_of(kind)
    ]


def speed(runs: int) -> dict[str, Any]:
    """Bars x sets a second of every kind of sets."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    cores = os.cpu_count() or 1
    candles = market()
    figures: dict[str, Any] = {"cores": cores}
    for kind in KINDS:
        sets = sets_of(kind)
        seconds = median_seconds(partial(sweep, candles, sets, CostModel(), device="cpu"), runs)
        figures[f"{kind}_seconds"] = seconds
        figures[f"{kind}_bar_sets_per_s"] = CANDLES * len(sets) / seconds
    found = sweep(candles, sets_of("exits"), CostModel(), device="cpu")
    # An order in and an order out.
    figures["orders_per_million_bars"] = 2 * float(found.trades.sum()) / SETS / CANDLES * 1e6
    one = partial(sweep, candles, sets_of("exits"), CostModel(), device="cpu", threads=1)
    figures["exits_one_thread_seconds"] = median_seconds(one, runs)
    figures["bar_sets_per_s"] = min(figures["horizon_bar_sets_per_s"], figures["exits_bar_sets_per_s"])
    figures["bar_sets_per_s_core"] = figures["bar_sets_per_s"] / cores
    return figures


def densities(runs: int) -> dict[str, Any]:
    """A rule that proposes at nearly every candle, and one that hardly ever does, each with the exits of a thousand."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    candles, figures = market(), {}
    for name, theta in (("dense", 0.0), ("sparse", 0.6)):
        sets = [replace(one, theta_run=theta) for one in sets_of("exits")]
        figures[f"{name}_seconds"] = median_seconds(partial(sweep, candles, sets, CostModel(), device="cpu"), runs)
        trades = float(sweep(candles, sets, CostModel(), device="cpu").trades.sum())
        figures[f"{name}_orders_per_million_bars"] = 2 * trades / SETS / CANDLES * 1e6
    return figures


def against_plain_numba(ours: float, runs: int) -> dict[str, Any]:
    """The ratio to a straightforward loop over bars in numba: same sets, same cores, equal trades and sums."""
    from others.plain_sweep import plain_sweep

    from sep_trader.research.costs import CostModel, rollovers
    from sep_trader.research.kernels.tables import half_spreads
    from sep_trader.research.sweep import sweep

    candles, sets, costs = market(), sets_of("exits"), CostModel()
    rules = sorted({(one.window, one.theta_run, one.mode) for one in sets})
    of_rule = {(one.window, one.theta_run, one.mode): sides(candles, one) for one in sets[:: len(sets) // len(rules)]}
    given = (
        candles.open, candles.high, candles.low, candles.close, half_spreads(candles.spread, 1.0), candles.time, 60,
        np.stack([of_rule[rule] for rule in rules]),
        np.array([rules.index((one.window, one.theta_run, one.mode)) for one in sets]),
        *(np.array([getattr(one, name) for one in sets]) for name in ("stop_ranges", "target_ranges", "horizon")),
        costs.slippage, costs.daily_rates,
    )  # fmt: skip
    arguments = (*given[:5], rollovers(candles.time).astype(np.int32), *given[5:])
    trades, net = plain_sweep(*arguments)
    mine = sweep(candles, sets, costs, device="cpu")
    if not (np.array_equal(trades, mine.trades) and np.allclose(net, mine.net, atol=1e-9)):
        return {"plain_numba_ratio": None, "plain_numba_reason": "its trades differ from ours"}
    seconds = median_seconds(partial(plain_sweep, *arguments), runs)
    return {"plain_numba_seconds": seconds, "plain_numba_ratio": seconds / ours}


def balance() -> dict[str, Any]:
    """How even the tasks of one pair are: each timed with one thread, then dealt out to 4, 8 and 16 workers."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.kernels import plan
    from sep_trader.research.sweep import SweepJob, prepared

    figures = {}
    series, rules, columns = prepared([SweepJob(market(), CostModel())], sets_of("exits"))
    for workers in (4, 8, 16):
        taken: dict[str, list[float]] = {"write": [], "walk": []}
        kept = plan._write, plan._walk

        def timed(action: Callable[..., None], into: list[float]) -> Callable[..., None]:
            def run(*arguments: Any) -> None:
                begun = time.perf_counter()
                action(*arguments)
                into.append(time.perf_counter() - begun)

            return run

        try:
            plan._write, plan._walk = timed(kept[0], taken["write"]), timed(kept[1], taken["walk"])
            plan.run_cpu(series, rules, columns, 1, parts=2 * workers, piece=plan.SMALL_PIECE)
        finally:
            plan._write, plan._walk = kept
        ends = 0.0
        for tasks in taken.values():  # the walks wait for the tables
            free = [0.0] * workers
            for task in tasks:
                at = free.index(min(free))
                free[at] += task
            ends += max(free)
        figures[f"tasks_{workers}_workers_efficiency"] = sum(map(sum, taken.values())) / workers / ends
    return figures


def whole_shape() -> dict[str, Any]:
    """28 pairs x 10 years x 10,000 sets x 12 folds: 1 % of it, one pair's 2.8 years."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    candles, sets = market(int(2.8 * CANDLES)), sets_of("exits_10000")
    n = len(candles)
    folds = [(0, int(n * (0.4 + 0.05 * fold))) for fold in range(12)]
    begun = time.perf_counter()
    sweep(candles, sets, CostModel(), folds=folds, device="cpu")
    seconds = time.perf_counter() - begun
    return {
        "shape_measured": f"1 pair x {n:,} candles x {len(sets):,} sets x {len(folds)} folds",
        "shape_measured_seconds": seconds,
        "shape_whole_hours": seconds * (28 * 10 * CANDLES) / n / 3600,
    }


def walk_forward_seconds() -> Callable[[], object]:
    """A walk-forward of one pair with 1,000 sets, its 16 blocks, and the mean of its labels."""
    from dataclasses import replace as changed

    from sep_trader.research.costs import CostModel
    from sep_trader.research.grid import Grid
    from sep_trader.research.simulate import net_outcomes
    from sep_trader.research.strategies import propose
    from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward

    candles, costs = market(), CostModel()
    base = replace(sets_of("exits")[0])
    exits = tuple((stop, target, horizon) for stop, target in product((4.0, 6.0, 8.0, 12.0, 16.0), (9.0,))
                  for horizon in (15, 30, 60, 120, 240))  # fmt: skip
    grid = Grid(base, (16, 32, 64, 128, 256), (0.27, 0.3, 0.33, 0.36), ("follow", "fade"), exits)

    def run() -> None:
        found = walk_forward(
            candles, grid, costs, changed(costs, spread_multiplier=1.5), WalkForwardPlan(fold_weeks=4), lambda *_: None,
            device="cpu",
        )  # fmt: skip
        best = next((one for one in reversed(found.chosen) if one is not None), base)
        proposals = propose(candles, best)
        net_outcomes(candles, proposals.side, proposals.stop, proposals.target, best.horizon, costs)

    assert len(grid.sets()) == SETS
    return run


def against_before(commit: str, runs: int) -> dict[str, Any]:
    """The ratios to an earlier commit, which is run between two runs of this one."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    candles, ours = market(), {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["git", "-C", str(ROOT), "worktree", "add", "--detach", folder, commit], check=True, capture_output=True
        )
        try:
            command = [sys.executable, str(OTHERS / "sweep_before.py"), folder, str(runs)]
            path = os.pathsep.join((str(ROOT / "benchmarks"), f"{folder}/src"))
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
            )
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", folder], check=True)
    theirs = json.loads(done.stdout)
    figures: dict[str, Any] = {"before": commit}
    for kind in KINDS:
        sets = sets_of(kind)
        ours[kind] = median_seconds(partial(sweep, candles, sets, CostModel(), device="cpu"), runs)
        figures[f"before_{kind}_seconds"] = theirs[kind]["seconds"]
        figures[f"before_{kind}_ratio"] = theirs[kind]["seconds"] / ours[kind]
    return figures


def spread_out(runs: int, pairs: int = 8) -> dict[str, Any]:
    """Seconds a pair-year when whole sweeps, one thread each, are spread over a process a core."""
    from sep_trader.research.cluster import run_many
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    one = partial(sweep, device="cpu", threads=1)
    arguments = [(market(seed=seed), sets_of("exits"), CostModel()) for seed in range(pairs)]
    return {"pair_year_processes_seconds": median_seconds(partial(run_many, one, arguments), runs) / pairs}


def started(what: str, **environment: str) -> dict[str, float]:
    """What a fresh process finds."""
    command = [sys.executable, __file__, "--child", what]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | environment)
    return dict(json.loads(done.stdout))


def child(what: str) -> dict[str, float]:
    """In a fresh process: seconds of the first small sweep with its imports, or the peak memory of whole sweeps."""
    begun = time.perf_counter()
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    if what == "first":
        sweep(market(5_000), sets_of("exits")[:50], CostModel(), device="cpu")
        return {"first_s": time.perf_counter() - begun}
    figures = {}
    if what == "decade":
        candles, sets = market(10 * CANDLES), sets_of("exits")
        figures["exits_seconds"] = median_seconds(partial(sweep, candles, sets, CostModel(), device="cpu"), 5)
    else:
        for kind in ("horizon", "exits"):
            sweep(market(), sets_of(kind), CostModel(), device="cpu")
    return figures | {"peak_mb": peak_memory()}


def peak_memory() -> float:
    """Largest resident memory of this process in MB; getrusage's figure would include the process that started it."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def against_vectorbt(ours: float, runs: int) -> dict[str, Any]:
    """The ratio to vectorbt at the same trades without costs, which is the mode that both have."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    python = other_python()
    if isinstance(python, str):
        return {"vectorbt_ratio": None, "vectorbt_reason": python}
    candles, sets = market(), sets_of("horizon")[:: SETS // COMPARED]
    free = CostModel(slippage_pips=0.0, spread_multiplier=0.0, financing_long=0.0, financing_short=0.0)
    mine = sweep(candles, sets, free, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(given, open=candles.open, close=candles.close, **trades_of(candles, sets, free))
        command = [str(python), str(OTHERS / "vectorbt_horizon.py"), str(given), str(found), str(runs)]
        subprocess.run(command, check=True)
        theirs = dict(np.load(found))
    assert mine.trades.min() > 100
    figures: dict[str, Any] = {"vectorbt": str(theirs["version"]), "vectorbt_sets": len(sets)}
    for engine, name in (("numba", "vectorbt"), ("rust", "vectorbt_rust")):
        rate = CANDLES * len(sets) / float(np.median(theirs[f"{engine}_seconds"]))
        same = np.array_equal(theirs[f"{engine}_trades"], mine.trades)
        same = same and np.allclose(theirs[f"{engine}_net"], mine.net, atol=1e-9)
        figures[f"{name}_bar_sets_per_s"] = rate
        figures[f"{name}_trades_equal"] = bool(same)
        figures[f"{name}_ratio"] = ours / rate if same else None
    return figures


def trades_of(candles: Any, sets: Any, costs: Any) -> dict[str, Any]:
    """What vectorbt is given of every set, a column each: proposals, latest exits, and the bars of its trades."""
    from sep_trader.research.kernels.scalar import latest_exit
    from sep_trader.research.simulate import simulate

    n, none = len(candles), np.full(len(candles), math.inf)
    shape = (n, len(sets))
    given: dict[str, Any] = {"side": np.zeros(shape, np.int8), "latest": np.zeros(shape, np.int32)}
    names = ("long_entries", "long_exits", "short_entries", "short_exits")
    given |= {name: np.zeros(shape, np.bool_) for name in names}
    for column, one in enumerate(sets):
        given["side"][:, column] = side = sides(candles, one)
        given["latest"][:-1, column] = [
            latest_exit(t + 1, one.horizon, 60, candles.time) - (t + 1) for t in range(n - 1)
        ]
        trades = simulate(candles, side, none, none, one.horizon, costs)
        for sign, opened, closed in ((1, "long_entries", "long_exits"), (-1, "short_entries", "short_exits")):
            chosen = trades.side == sign
            given[opened][trades.entry[chosen], column] = True
            # The trade that the series ends in stays open, as the numba engine leaves it.
            left = trades.exit[chosen & (trades.reason != 3)]
            given[closed][left, column] = True
    return given


def sides(candles: Any, one: Any) -> Any:
    """A set's proposals, from the exact reference: int8 a candle."""
    from sep_trader.qfh import Encoder, encode_bits, session_starts
    from sep_trader.qfh.reference import reference_metrics

    starts = session_starts(candles.time, candles.granularity.seconds)
    bits = encode_bits(candles.open, candles.close, starts, Encoder())
    value, _, valid = reference_metrics(bits, starts, one.window)
    go = valid & ((value["rupture"] >= one.theta_run) | (value["null"] >= one.theta_run))
    side = np.where(go, np.sign(np.where(valid, value["trend"], 0.0)), 0.0)
    return (-side if one.mode == "fade" else side).astype(np.int8)


if __name__ == "__main__":
    main()
