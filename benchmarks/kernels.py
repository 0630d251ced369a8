"""The kernels of the window metrics against plain numba with equal outputs, for this processor and for AVX2 alone.

Run: python benchmarks/kernels.py [--json] [--runs 15] [--windows 8 32 128 512]
One thread, 4 M random bits. A target is measured in a process of its own: `host`, as numba finds the processor, and
`avx2`, where LLVM is told that it is a Haswell. Both sides take turns; the least processor time of the runs counts.
Every output that is timed is compared first: all but the trend bit for bit, the trend within 2e-6.
ratio: time of the plain loops over that of the kernels, for `all` outputs and for `counted`, all but the trend. The
plain loops get the block length, of 512, 1024 and 2048 rows, that suits them best.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sweep import machine, show

ROWS = 4_000_000
BLOCKS = (512, 1024, 2048)
TREND_TOLERANCE = 2e-6
HASWELL = (
    "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+cx8,+f16c,+fma,+fsgsbase,+fxsr,+invpcid,+lzcnt,+mmx,+movbe,+pclmul,"
    "+popcnt,+rdrnd,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,+xsaveopt,-avx512f"
)
TARGETS = {"host": {}, "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": HASWELL}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--windows", type=int, nargs="+", default=[8, 32, 128, 512])
    parser.add_argument("--target", choices=TARGETS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.target:
        print(json.dumps(measure(arguments.windows, arguments.runs)))
        return
    figures = machine("numba", "numpy") | {"rows": ROWS}
    with tempfile.TemporaryDirectory() as cache:
        for target, variables in TARGETS.items():
            command = [sys.executable, __file__, "--target", target, "--runs", str(arguments.runs), "--windows"]
            command += [str(window) for window in arguments.windows]
            environment = os.environ | variables | {"NUMBA_CACHE_DIR": cache}
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            figures |= {f"{target}_{name}": value for name, value in json.loads(done.stdout).items()}
    show(figures, arguments.json)


def measure(windows: list[int], runs: int) -> dict[str, Any]:
    """The figures of one target, in this process."""
    from llvmlite import binding  # type: ignore[import-untyped]

    from sep_trader.qfh.kernels.layout import METRIC_ROWS, TREND

    cpu = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    wide = binding.get_host_cpu_features().get("avx512f", False) and "NUMBA_CPU_NAME" not in os.environ
    figures: dict[str, Any] = {"cpu": f"{cpu}, {'AVX-512' if wide else 'no AVX-512'}"}
    for window in windows:
        compare(window)
        for name, trend in (("counted", False), ("all", True)):
            ours, plain = best_seconds(window, trend, runs)
            figures |= {
                f"{name}_{window}_kernels_ns_per_row": ours / ROWS * 1e9,
                f"{name}_{window}_plain_ns_per_row": plain / ROWS * 1e9,
                f"{name}_{window}_ratio": plain / ours,
            }
    assert METRIC_ROWS == TREND + 1, "the trend is the last row"
    return figures


def compare(window: int) -> None:
    """Assert that both give equal outputs, on bits with holes and several sessions."""
    rng = np.random.default_rng(window)
    n = 100_000
    bits = (rng.random(n) < 0.6).astype(np.int8)
    starts = rng.random(n) < 2e-4
    starts[0] = True
    bits[starts] = -1
    bits[4000:4030] = -1
    for rows in BLOCKS:
        ours, plain = (run() for run in sides(bits, starts, window, True, rows))
        for name, mine, other in zip(("values", "collapse", "valid"), ours, plain, strict=True):
            counted = (slice(None), slice(0, -1)) if name == "values" else slice(None)
            assert np.array_equal(mine[counted], other[counted], equal_nan=name == "values"), f"{name}, W = {window}"
        np.testing.assert_allclose(ours[0][:, -1], plain[0][:, -1], rtol=0, atol=TREND_TOLERANCE)


def sides(bits: Any, starts: Any, window: int, trend: bool, rows: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Two calls that compute the same, by the kernels and by the plain loops; each returns values, collapse, valid."""
    from others import plain_metrics

    from sep_trader.qfh import engine

    n = len(bits)
    table = engine.entropy_table(window)
    mine, other = engine.empty_metrics(1, n), engine.empty_metrics(1, n)

    def kernels() -> Any:
        engine.compute(bits, starts, (window,), mine, trend=trend)
        return mine.values[:, :, :n], mine.collapse[:, :n], mine.valid[:, :n]

    def plain() -> Any:
        plain_metrics.run(bits, starts, window, table, trend, other.values[0], other.collapse[0], other.valid[0], rows)
        return other.values[:, :, :n], other.collapse[:, :n], other.valid[:, :n]

    return kernels, plain


def best_seconds(window: int, trend: bool, runs: int) -> tuple[float, float]:
    """The least time of the kernels, and of the plain loops with the block length that suits them best."""
    bits = np.random.default_rng(0).integers(0, 2, ROWS).astype(np.int8)
    starts = np.zeros(ROWS, np.bool_)
    starts[0], bits[0] = True, -1
    calls = [sides(bits, starts, window, trend, rows) for rows in BLOCKS]
    ours, plain = [], []
    for _ in range(runs):
        ours.append(seconds(calls[0][0]))
        plain += [seconds(call) for _, call in calls]
    return min(ours), min(plain)


def seconds(action: Callable[[], Any]) -> float:
    """The processor time of an action that runs in this thread."""
    begun = time.thread_time()
    action()
    return time.thread_time() - begun


if __name__ == "__main__":
    main()
