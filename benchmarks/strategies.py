"""What strategies of one's own cost, on random minutes: the sweep of a hundred sets beyond the strategy's own time, the
stream against the batch, the training of a model.

    PYTHONPATH=. python benchmarks/strategies.py [--candles 370000] [--stream 100000]
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
from tests.support.candles import random_walk

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.costs import CostModel
from sep_trader.research.function_grid import FunctionGrid
from sep_trader.research.function_rule import parameters_of
from sep_trader.research.learning import LearnedGrid
from sep_trader.research.training_sweep import FunctionTraining
from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward

COSTS = CostModel()


def sweep_rate(candles: Candles) -> dict[str, Any]:
    """Bar x sets a second of a hundred sets: 25 choices of values, 4 exits."""
    exits = [(4.0, 6.0, 20), (6.0, 9.0, 30), (8.0, 12.0, 45), (8.0, 12.0, 90)]
    chosen = {"fast": [5, 10, 15, 20, 25], "slow": [50, 75, 100, 150, 200]}
    sets = FunctionGrid.of("sma_cross", chosen, exits).sets()
    series = FunctionTraining(candles)
    begun = time.perf_counter()
    for one in sets:
        series.entries(one)
    own = time.perf_counter() - begun
    folds = [(0, len(candles))]
    series.sweep(sets[:4], COSTS, folds, "cpu", 0)  # compiles
    begun = time.perf_counter()
    series.sweep(sets, COSTS, folds, "cpu", 0)
    seconds = time.perf_counter() - begun
    return {
        "sets": len(sets),
        "strategy_s": own,
        "sweep_s": seconds,
        "bar_sets_a_second": len(candles) * len(sets) / seconds,
    }


def stream_is_batch(candles: Candles) -> dict[str, Any]:
    """Candles at which the stream proposes something else than the batch; none is wanted."""
    parameters = parameters_of("sma_cross", {})
    whole = parameters.propose(candles)
    stream = parameters.stream(candles.instrument, Granularity.M1)
    columns = (candles.time, candles.open, candles.high, candles.low, candles.close, candles.spread, candles.volume)
    differing = 0
    begun = time.perf_counter()
    for at, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        found = stream.update(*row)
        side = 0 if found is None else found.side
        differing += at >= parameters.warm_up(Granularity.M1) and side != whole.side[at]
    seconds = (time.perf_counter() - begun) / len(candles)
    return {"candles": len(candles), "differing": int(differing), "microseconds_a_candle": seconds * 1e6}


def model_training(candles: Candles, kind: str) -> dict[str, Any]:
    """Seconds of a walk-forward with about twelve folds, and the most memory until then."""
    plan = WalkForwardPlan(fold_weeks=max(1, len(candles) // (12 * 7 * 1_440)), min_trades=5)
    begun = time.perf_counter()
    found = walk_forward(candles, LearnedGrid(kind), COSTS, COSTS, plan, lambda *_: None)
    seconds = time.perf_counter() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"kind": kind, "folds": len(found.chosen), "seconds": seconds, "gigabytes": most}


def main() -> None:
    """Print all of it."""
    options = argparse.ArgumentParser()
    options.add_argument("--candles", type=int, default=370_000)
    options.add_argument("--stream", type=int, default=100_000)
    given = options.parse_args()
    candles = replace(random_walk(given.candles, 5), spread=np.full(given.candles, 8e-5))
    found = {
        "sweep": sweep_rate(candles),
        "stream": stream_is_batch(candles.take(slice(0, given.stream))),
        "models": [model_training(candles, kind) for kind in ("logistic", "boosting")],
    }
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
