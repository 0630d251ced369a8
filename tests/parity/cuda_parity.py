"""Compare the CUDA kernels with the CPU's, set by set: `python tests/parity/cuda_parity.py [candles] [sets]`.

Runs on a GPU, or anywhere with NUMBA_ENABLE_CUDASIM=1; needs numpy, numba and numba-cuda only. Prints what it compared
and exits with 1 if counts differ at all or sums by more than the rounding of their additions.
"""

import os
import sys

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.qfh import Encoder
from sep_trader.research.costs import CostModel
from sep_trader.research.sweep import SweepJob, grid, sweep_many

COSTS = CostModel(slippage_pips=0.3, spread_multiplier=1.5, financing_long=-0.03, financing_short=0.01)


def job(n: int, seed: int) -> SweepJob:
    """A seeded series with gaps and two folds."""
    rng = np.random.default_rng(seed)
    time = 1_388_534_400 + 60 * np.cumsum(np.where(rng.random(n) < 0.002, 60, 1)).astype(np.int64)
    close = np.round(1.1 * np.exp(np.cumsum(rng.standard_normal(n) * 1e-4)), 5)
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(open_, close) + np.round(rng.random(n) * 1e-4, 5)
    low = np.minimum(open_, close) - np.round(rng.random(n) * 1e-4, 5)
    spread = np.round(1e-4 + rng.random(n) * 5e-5, 5)
    candles = Candles("EUR_USD", Granularity.M1, time, open_, high, low, close, spread, np.ones(n, dtype=np.int64))
    return SweepJob(candles, COSTS, [(0, n), (n // 3, n - 7)], np.full(n, 2e-4))


def main(candles: int, sets: int) -> int:
    choices = grid(
        window=(8, 16, 33, 48), theta=(0.28, 0.35), min_stability=(0.0, 0.5), fade=(False, True), horizon=(5, 40),
        stop=(2.0, np.inf), target=(3.0,),
    )  # fmt: skip
    chosen = [choices[at % len(choices)] for at in range(sets)]
    jobs = [job(candles - 500, 0), job(500, 1)]
    cpu = sweep_many(jobs, chosen, Encoder(), device="cpu")
    gpu = sweep_many(jobs, chosen, Encoder(), device="cuda")
    worst = 0.0
    for a, b in zip(cpu, gpu, strict=True):
        if not (np.array_equal(a.trades, b.trades) and np.array_equal(a.wins, b.wins)):
            print(f"counts differ in {np.count_nonzero(a.trades != b.trades)} sets")
            return 1
        for key in ("gross", "net", "max_drawdown"):
            worst = max(worst, float(np.abs(getattr(a, key) - getattr(b, key)).max()))
    trades = sum(float(result.trades.sum()) for result in cpu)
    print(f"{gpu[0].device}: {sets} sets, {candles} candles, {trades:.0f} trades alike; sums within {worst:.1e}")
    return 0 if worst < 1e-9 and trades > 0 else 1


if __name__ == "__main__":
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        # The simulator waits for its threads by polling, and each poll keeps them off for a whole switch interval.
        sys.setswitchinterval(1e-5)
    sys.exit(main(*(int(text) for text in (sys.argv[1:] + ["3000", "64"][len(sys.argv) - 1 :]))))
