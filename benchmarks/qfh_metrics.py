"""The metrics kernel against the memory's bandwidth and against pandas rolling, in the same run.

Run: python benchmarks/qfh_metrics.py [--json] [--runs 5] [--window 32]
All metrics but the damped trend, one window, 6.66 M rows, one thread.
floor_ratio: its time over that of moving what it must read and write (36 bytes a row) at the bandwidth of a triad
a = b + s * c over as many bytes, counted as 24 bytes an element, on one thread too.
plain_numba_ratio: the time of block views in plain numba over the kernel's, with the same outputs, which are compared
first (benchmarks/kernels.py has every window length, and AVX2 beside the host).
pandas_ratio: pandas' time for the same columns over the kernel's; the values are compared.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sweep import machine, median_seconds, other_python, show

ROWS = 6_660_000
# One byte a bit and a session start in; eight float32, collapse and valid out.
BYTES_PER_ROW = 1 + 1 + 8 * 4 + 1 + 1
COLUMNS = ("null", "flip", "rupture", "up", "entropy", "coherence", "stability", "damping")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--pandas", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    runs = max(5, arguments.runs)
    if arguments.pandas:
        with_pandas(arguments.pandas[0], arguments.pandas[1], arguments.window, runs)
        return
    show(machine("numba", "numpy") | measure(arguments.window, runs), arguments.json)


def measure(window: int, runs: int) -> dict[str, Any]:
    """Every figure of one window length."""
    from sep_trader.qfh import engine

    bits = np.random.default_rng(0).integers(0, 2, ROWS).astype(np.int8)
    starts = np.zeros(ROWS, np.bool_)
    starts[0], bits[0] = True, -1
    out = engine.empty_metrics(1, ROWS)

    def kernel(trend: bool, threads: int = 1) -> None:
        engine.compute(bits, starts, (window,), out, trend=trend, threads=threads)

    # The two that a ratio is made of take turns, so that both meet the same load.
    triad, plain, full, two = [], [], [], []
    one_triad = triad_seconds()
    for _ in range(2 * runs):
        triad.append(one_triad())
        plain.append(median_seconds(lambda: kernel(False), 1))
        full.append(median_seconds(lambda: kernel(True), 1))
        two.append(median_seconds(lambda: kernel(False, 2), 1))
    bandwidth = ROWS * BYTES_PER_ROW / statistics.median(triad)
    seconds = statistics.median(plain)
    figures = {
        "rows": ROWS,
        "window": window,
        "triad_gb_per_s": bandwidth / 1e9,
        "floor_ns_per_row": BYTES_PER_ROW / bandwidth * 1e9,
        "kernel_ns_per_row": seconds / ROWS * 1e9,
        "kernel_two_threads_ns_per_row": statistics.median(two) / ROWS * 1e9,
        "trend_ns_per_row_and_bit": (statistics.median(full) - seconds) / ROWS / window * 1e9,
        "floor_ratio": seconds / statistics.median(triad),
    }
    figures |= against_plain_numba(window, runs)
    return figures | against_pandas(bits, out.values[0, :8, :ROWS], window, runs, seconds)


def against_plain_numba(window: int, runs: int) -> dict[str, Any]:
    """The ratio to plain numba with the same outputs, as benchmarks/kernels.py has it for more lengths."""
    from kernels import best_seconds, compare

    compare(window)
    ours, plain = best_seconds(window, False, runs)
    return {"plain_numba_ratio": plain / ours}


def triad_seconds() -> Any:
    """A timer of one triad that moves as many bytes as the kernel must."""
    import numba

    n = ROWS * BYTES_PER_ROW // 24
    a, b, c = np.zeros(n), np.ones(n), np.ones(n)

    @numba.njit(fastmath=True)
    def triad(a: Any, b: Any, c: Any, s: float) -> None:
        for i in range(len(a)):
            a[i] = b[i] + s * c[i]

    return lambda: median_seconds(lambda: triad(a, b, c, 3.0), 1)


def against_pandas(bits: Any, values: Any, window: int, runs: int, seconds: float) -> dict[str, Any]:
    """Run this file under the Python that has pandas, and compare times and values."""
    python = other_python()
    if isinstance(python, str):
        return {"pandas_ratio": None, "pandas_reason": python}
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "bits.npy", Path(folder) / "found.npz"
        np.save(given, bits)
        command = [str(python), __file__, "--pandas", str(given), str(found), "--window", str(window)]
        subprocess.run([*command, "--runs", str(runs)], check=True)
        theirs = np.load(found)
        worst = float(np.nanmax(np.abs(theirs["tail"] - values[:, -len(theirs["tail"][0]) :])))
        assert worst < 1e-5, f"pandas differs by {worst}"
        figures = dict(json.loads(str(theirs["figures"])))
    return figures | {"pandas_ratio": figures["pandas_ns_per_row"] * 1e-9 * ROWS / seconds}


def with_pandas(given: str, found: str, window: int, runs: int) -> None:
    """In the other environment: the same columns with pandas rolling, timed."""
    import pandas as pd

    bits = np.load(given)

    def columns() -> Any:
        bit = pd.Series(np.where(bits < 0, np.nan, bits))
        before = bit.shift(1)
        total, half = bit + before, window // 2
        known = total.notna()
        null, flip, rupture = (total.eq(k).where(known).astype(float).rolling(window - 1).mean() for k in range(3))
        up = bit.rolling(window).mean()
        logs = (share * np.log(share.where(share > 0, 1.0)) for share in (null, flip, rupture))
        entropy = -sum(logs) / np.log(3)
        spin = 2 * bit - 1
        coherence = (spin * spin.shift(half)).rolling(half).mean() ** 2
        majority = (before + bit.shift(2) + bit.shift(3)).ge(2).astype(float)
        wrong = majority.ne(bit).where(bit.shift(3).notna()).astype(float)
        stability = 1 - wrong.rolling(window - 3).mean()
        damping = (0.3 * entropy + 0.2 * (1 - coherence)).clip(0.01, 1)
        named = (null, flip, rupture, up, entropy, coherence, stability, damping)
        return pd.DataFrame(dict(zip(COLUMNS, named, strict=True)), dtype=np.float32)

    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        frame = columns()
        times.append(time.perf_counter() - begun)
    figures = {"pandas": pd.__version__, "pandas_ns_per_row": statistics.median(times) / len(bits) * 1e9}
    np.savez(found, tail=frame.to_numpy()[-100_000:].T, figures=json.dumps(figures))


if __name__ == "__main__":
    main()
