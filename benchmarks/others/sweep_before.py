"""The sweep of commit a6f595a, in its own source tree: `sweep_before.py SOURCE RUNS`, started by benchmarks/sweep.py.

Prints one JSON object: by kind of sets, the median seconds, the trades and the sum of net.
"""

import json
import statistics
import sys
import time
from typing import Any

source, runs = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, f"{source}/src")

import sweep as bench  # noqa: E402

from sep_trader.qfh.encoder import Encoder  # noqa: E402
from sep_trader.research.costs import CostModel  # noqa: E402
from sep_trader.research.sweep import ParameterSet, sweep  # type: ignore[attr-defined]  # noqa: E402


def main() -> None:
    candles, found = bench.market(), {}
    for kind in bench.KINDS:
        sets = [
            ParameterSet(
                window=window,
                theta=theta,
                fade=mode == "fade",
                horizon=horizon,
                stop=stop,
                target=target,
                max_entropy=1.0,
                min_stability=0.0,
            )
            for window, theta, mode, horizon, stop, target in bench.columns_of(kind)
        ]
        result: Any = sweep(candles, sets, Encoder(), CostModel(), device="cpu")  # type: ignore[arg-type,call-arg]
        seconds = []
        for _ in range(runs):
            begun = time.perf_counter()
            sweep(candles, sets, Encoder(), CostModel(), device="cpu")  # type: ignore[arg-type,call-arg]
            seconds.append(time.perf_counter() - begun)
        found[kind] = {"seconds": statistics.median(seconds), "trades": float(result.trades.sum())}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
