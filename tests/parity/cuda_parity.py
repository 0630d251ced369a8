"""Compare the CUDA kernels with the CPU's, set by set: `python -m tests.parity.cuda_parity [candles] [sets]`.

Runs on a GPU, or anywhere with NUMBA_ENABLE_CUDASIM=1; needs numpy, numba and numba-cuda only. Prints what it compared
and exits with 1 if counts differ at all or sums by more than the rounding of their additions.
"""

import os
import sys

import numpy as np
from tests.support.candles import minutes_with_gaps, random_walk

from sep_trader.research.costs import CostModel
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.sweep import SweepJob, sweep_many

COSTS = CostModel(slippage_pips=0.3, spread_multiplier=1.5, financing_long=-0.03, financing_short=0.01)


def job(n: int, seed: int) -> SweepJob:
    """A seeded series with gaps and two folds."""
    candles = random_walk(minutes_with_gaps(n, seed), seed, price=1.1)
    return SweepJob(candles, COSTS, [(0, n), (n // 3, n - 7)], np.full(n, 2e-4))


def main(candles: int, sets: int) -> int:
    choices = grid(
        RuleParameters(entropy_max=1.0, stability_min=0.0, target_ranges=3.0), window=(8, 16, 33, 48),
        theta_run=(0.28, 0.35), stability_min=(0.0, 0.5), mode=("follow", "fade"), horizon=(5, 40),
        stop_ranges=(2.0, np.inf),
    )  # fmt: skip
    chosen = [choices[at % len(choices)] for at in range(sets)]
    jobs = [job(candles - 500, 0), job(500, 1)]
    cpu = sweep_many(jobs, chosen, device="cpu")
    gpu = sweep_many(jobs, chosen, device="cuda")
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
