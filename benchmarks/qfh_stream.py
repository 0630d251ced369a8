"""Microseconds a candle of `QfhStream` with 9 windows. Run: python benchmarks/qfh_stream.py [--json] [--runs 5]"""

import argparse
import statistics
import time
from typing import Any

from sweep import machine, market, show

from sep_trader.qfh import Encoder, QfhStream

WINDOWS = (8, 16, 24, 32, 48, 64, 128, 256, 512)
CANDLES = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    figures = machine("numba", "numpy") | {"windows": len(WINDOWS), "candles": CANDLES}
    for text in ("direction", "body", "magnitude"):
        figures |= stream(Encoder.parse(text), max(5, arguments.runs))
    figures["us_per_candle"] = figures["us_per_candle_direction"]
    show(figures, arguments.json)


def stream(encoder: Encoder, runs: int) -> dict[str, Any]:
    """Median over the runs of the mean time a candle, and the 99th percentile of single candles in the last run."""
    candles = market(CANDLES)
    rows = list(zip(candles.time.tolist(), candles.open.tolist(), candles.close.tolist(), strict=True))
    means = []
    for number in range(runs + 1):  # the first one loads the kernels
        one = QfhStream(encoder, WINDOWS, candles.granularity.seconds)
        begun = time.perf_counter()
        for row in rows:
            newest = one.update(*row)
        if number:
            means.append((time.perf_counter() - begun) / CANDLES * 1e6)
    assert all(newest.values())
    singles = []
    one = QfhStream(encoder, WINDOWS, candles.granularity.seconds)
    for row in rows:
        begun = time.perf_counter_ns()
        one.update(*row)
        singles.append((time.perf_counter_ns() - begun) / 1e3)
    return {
        f"us_per_candle_{encoder.kind}": statistics.median(means),
        f"us_p99_{encoder.kind}": statistics.quantiles(singles, n=100)[98],
    }


if __name__ == "__main__":
    main()
