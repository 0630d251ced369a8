"""The sweep on a GPU: 18 pairs x 370,000 candles x 1,000 sets, step by step, and the ratio to this machine's CPU.

Run: python benchmarks/sweep_cuda.py [--json] [--runs 5] [--pairs 18] [--candles 370000] [--sets 1000]
Without a GPU it says so in `cuda_reason`, and measures nothing. Needs numpy, numba and numba-cuda besides this package.

kernels_ms: all kernels without copies; end_to_end_ms: from candles in the host's memory to statistics, with context and
kernels kept from a call before. For each step: its time, and GB a second of what it must read and write at least, as a
share of what the card's memory can; walk_lanes: threads that walk at once. crossover_*: seconds of sweeps of one pair
on both, from which `--device auto` has its figures.
"""

import argparse
import math
import statistics
import time
from collections import defaultdict
from functools import partial
from importlib.metadata import version
from typing import Any

from sweep import machine, market, median_seconds, sets_of, show

KERNELS = ("proposals", "tables", "walk", "repair", "join")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=18)
    parser.add_argument("--candles", type=int, default=370_000)
    parser.add_argument("--sets", type=int, default=1_000)
    arguments = parser.parse_args()
    from sep_trader.research.kernels import cuda

    figures = machine("numba", "numpy")
    missing = cuda.why_not()
    if missing is None:
        sizes = {"pairs": arguments.pairs, "candles": arguments.candles, "sets": arguments.sets}
        figures |= {"numba-cuda": version("numba-cuda"), "card": cuda.name()} | sizes
        figures |= measure(max(5, arguments.runs), **sizes)
    else:
        figures |= {"kernels_ms": None, "cuda_reason": missing}
    show(figures, arguments.json)


def measure(runs: int, pairs: int, candles: int, sets: int) -> dict[str, Any]:
    """Medians of every step, of the whole, and of the CPU."""
    from sep_trader.research.costs import CostModel
    from sep_trader.research.kernels import plan
    from sep_trader.research.sweep import SweepJob, sweep_many

    jobs = [SweepJob(market(candles, seed), CostModel()) for seed in range(pairs)]
    chosen = sets_of("exits")[:: max(1, 1_000 // sets)][:sets]
    gpu = [median_seconds(lambda: sweep_many(jobs, chosen, device="cuda"), 1) for _ in range(runs)]
    cpu = median_seconds(lambda: sweep_many(jobs, chosen, device="cpu"), runs)
    steps: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        for name, seconds in timed_steps(jobs, chosen).items():
            steps[name].append(seconds)
    found = {f"{name.replace(' ', '_')}_ms": statistics.median(taken) * 1e3 for name, taken in steps.items()}
    kernels = sum(found[f"{name}_ms"] for name in KERNELS)
    work = pairs * candles * sets
    found |= {
        "kernels_ms": kernels,
        "end_to_end_ms": statistics.median(gpu) * 1e3,
        "cpu_ms": cpu * 1e3,
        "cpu_ratio": cpu / statistics.median(gpu),
        "bar_sets_per_s": work / (kernels / 1e3),
    }
    rules, _, _ = plan.rules_of([one.rule for one in chosen])
    trades = sum(float(one.trades.sum()) for one in sweep_many(jobs, chosen, device="cuda"))
    total = pairs * candles
    moved = {
        "copy_to_the_device": total * (40 + 8 + 4 + 1 + 2),
        # Bits and ages once a window, and two bits a rule.
        "proposals": total * (len(set(rules.window.tolist())) * 3 + len(rules.window) / 4),
        # Prices in; the record, the reach and two rows of the table out; the reach in again.
        "tables": total * (40 + 32 + 32 + 32 + 64),
        # A trade: a word, a row of the table, the records of entry and exit, a sector each.
        "walk": trades * 4 * 32,
    }
    peak = peak_gb_per_s()
    for step, amount in moved.items():
        found[f"{step}_gb_per_s"] = amount / (found[f"{step}_ms"] / 1e3) / 1e9
        found[f"{step}_bandwidth_share"] = found[f"{step}_gb_per_s"] / peak if peak else math.nan
    found["walk_lanes"] = lanes(jobs, chosen)
    return found | crossover(jobs[0], runs)


def lanes(jobs: Any, chosen: Any) -> int:
    """Threads of the walk: sets x parts of all series."""
    from sep_trader.research.kernels import cuda
    from sep_trader.research.sweep import prepared

    series, _, columns = prepared(jobs, chosen)
    parts = cuda.Parts.of(cuda.places_of(series), series, columns.horizon)
    return int(parts.items.shape[0] * parts.stretches.shape[0])


def crossover(job: Any, runs: int) -> dict[str, Any]:
    """Seconds of one pair with few and with many sets on both."""
    from sep_trader.research.sweep import sweep_many

    found = {}
    for count in (10, 100, 1000, 10_000):
        some = sets_of("exits_10000")[:: 10_000 // count]
        for device in ("cpu", "cuda"):
            seconds = median_seconds(partial(sweep_many, [job], some, device=device), min(3, runs))
            found[f"crossover_{count}_sets_{device}_ms"] = seconds * 1e3
    return found


def timed_steps(jobs: Any, chosen: Any) -> dict[str, float]:
    """Seconds of each step of one sweep on the device; a step that is run in batches is their sum."""
    from sep_trader.research.kernels import cuda
    from sep_trader.research.sweep import prepared

    series, rules, columns = prepared(jobs, chosen)
    taken: dict[str, float] = defaultdict(float)
    last = time.perf_counter()

    def tell(step: str) -> None:
        nonlocal last
        now = time.perf_counter()
        taken[step] += now - last
        last = now

    cuda.run(series, rules, columns, tell)
    return taken


def peak_gb_per_s() -> float | None:
    """What the card's memory can move in theory: two transfers a clock over the width of its bus."""
    from numba import cuda

    device = cuda.get_current_device()  # type: ignore[no-untyped-call]
    clock = getattr(device, "MEMORY_CLOCK_RATE", None)
    width = getattr(device, "GLOBAL_MEMORY_BUS_WIDTH", None)
    return 2 * clock * 1e3 * width / 8 / 1e9 if clock and width else None


if __name__ == "__main__":
    main()
