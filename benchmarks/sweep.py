"""The sweep of parameter sets: bars x sets a second, peak memory, cold start, and the ratio to vectorbt.

Run: python benchmarks/sweep.py [--json] [--runs 5]
1,000 sets over 370,000 synthetic M1 candles (a year of one pair) on all cores, signals included, from candles to
statistics. `bar_sets_per_s` is the lower one of fixed horizon and stop/target.

vectorbt_ratio: at a fixed horizon, on the processor's cores that each uses by itself (ours all, vectorbt one). vectorbt
gets its signals for nothing and fewer sets of the same grid, as its time grows with their number; trade counts and sums
must be equal. It lives in an environment of its own, .cache/vectorbt, made at the first run.
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
from pathlib import Path
from typing import Any

import numpy as np

CANDLES, SETS, COMPARED = 370_000, 1_000, 20
SESSION = 7_200
OTHER = Path(__file__).parents[1] / ".cache" / "vectorbt"
COMPARISON = Path(__file__).with_name("others") / "vectorbt_horizon.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--child", choices=("first", "whole", "decade"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child)))
        return
    figures = machine("numba", "numpy") | speed(max(5, arguments.runs))
    figures |= spread_out(max(5, arguments.runs))
    figures["peak_mb"] = started("whole")["peak_mb"]
    figures |= {f"decade_{name}": value for name, value in started("decade").items()}
    figures["cold_start_cached_s"] = statistics.median(started("first")["first_s"] for _ in range(5))
    with tempfile.TemporaryDirectory() as empty:
        figures["cold_start_uncached_s"] = started("first", NUMBA_CACHE_DIR=empty)["first_s"]
    figures |= against_vectorbt(figures["horizon_bar_sets_per_s"], max(5, arguments.runs))
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
        subprocess.run([str(python), "-m", "pip", "install", "-q", "vectorbt"], check=True, capture_output=True)
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


def sets_of(kind: str) -> list[Any]:
    """The thousand sets: 40 rules (5 windows) x 25 horizons, or x 5 horizons x 5 pairs of stop and target."""
    from sep_trader.research.parameters import RuleParameters, grid

    free = RuleParameters(entropy_max=1.0, stability_min=0.0, stop_ranges=math.inf, target_ranges=math.inf)
    rules = {"window": (16, 32, 64, 128, 256), "theta_run": (0.27, 0.3, 0.33, 0.36), "mode": ("follow", "fade")}
    if kind == "horizon":
        return grid(free, **rules, horizon=tuple(range(10, 260, 10)))
    stops = (5e-4, 7e-4, 1e-3, 1.5e-3, 2e-3)
    return grid(replace(free, target_ranges=1e-3), **rules, horizon=(15, 30, 60, 120, 240), stop_ranges=stops)


def speed(runs: int) -> dict[str, Any]:
    """Bars x sets a second of both kinds of exit."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.sweep import sweep

    candles, figures = market(), {}
    for kind in ("horizon", "exits"):
        sets = sets_of(kind)
        assert len(sets) == SETS
        seconds = median_seconds(partial(sweep, candles, sets, CostModel(), device="cpu"), runs)
        figures[f"{kind}_seconds"] = seconds
        figures[f"{kind}_bar_sets_per_s"] = CANDLES * SETS / seconds
    one = partial(sweep, candles, sets_of("exits"), CostModel(), device="cpu", threads=1)
    figures["exits_one_thread_seconds"] = median_seconds(one, runs)
    figures["bar_sets_per_s"] = min(figures["horizon_bar_sets_per_s"], figures["exits_bar_sets_per_s"])
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
        np.savez(
            given,
            open=candles.open,
            close=candles.close,
            horizon=np.array([one.horizon for one in sets]),
            side=np.stack([sides(candles, one) for one in sets], axis=1),
        )
        subprocess.run([str(python), str(COMPARISON), str(given), str(found), str(runs)], check=True)
        theirs = np.load(found)
        rate = CANDLES * len(sets) / float(np.median(theirs["seconds"]))
        assert mine.trades.min() > 100
        equal = bool(np.array_equal(theirs["trades"], mine.trades) and np.allclose(theirs["net"], mine.net, atol=1e-9))
        figures = {"vectorbt": str(theirs["version"]), "vectorbt_sets": len(sets), "vectorbt_bar_sets_per_s": rate}
    if not equal:
        return figures | {"vectorbt_ratio": None, "vectorbt_reason": "its trades differ from ours"}
    return figures | {"vectorbt_trades_equal": True, "vectorbt_ratio": ours / rate}


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
