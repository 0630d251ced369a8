"""Compare CUDA with the CPU, set by set: `python -m tests.parity.cuda_parity [candles] [sets] [blocks|sides]`.

Runs on a GPU, or anywhere with NUMBA_ENABLE_CUDASIM=1; needs numpy, numba and numba-cuda only. Prints what it compared
and exits with 1 if any count or any sum differs in any bit. With `blocks` few rules walk a long series in folds, and no
part is begun early, so that what parts do where they meet is compared as well; with `sides` the proposals are a
strategy's.
"""

import os
import sys
from dataclasses import replace

import numpy as np
from tests.support.candles import minutes_with_gaps, random_walk

from sep_trader.research.costs import CostModel
from sep_trader.research.kernels import cuda
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.sweep import SweepJob, SweepResult, sweep_many, sweep_sides

COSTS = CostModel(slippage_pips=0.3, spread_multiplier=1.5, financing_long=-0.03, financing_short=0.01)


def job(n: int, seed: int) -> SweepJob:
    """A seeded series with gaps and two folds."""
    candles = random_walk(minutes_with_gaps(n, seed), seed, price=1.1)
    return SweepJob(candles, COSTS, [(0, n), (n // 3, n - 7)], np.full(n, 2e-4))


def grid_of(sets: int) -> list[RuleParameters]:
    """Many rules with exits of several kinds."""
    choices = grid(
        RuleParameters(entropy_max=1.0, stability_min=0.0, target_ranges=3.0), window=(8, 16, 33, 48),
        theta_run=(0.28, 0.35), stability_min=(0.0, 0.5), mode=("follow", "fade"), horizon=(5, 40),
        stop_ranges=(2.0, np.inf),
    )  # fmt: skip
    return [choices[at % len(choices)] for at in range(sets)]


def long_job(n: int) -> SweepJob:
    """One long series with folds that share their beginning, and one that does not."""
    candles = random_walk(minutes_with_gaps(n, 0, share=0.0005), 0, price=1.1)
    return SweepJob(candles, COSTS, [(0, n), (0, n - 3000), (100, n - 7)], np.full(n, 2e-4))


def few_rules(sets: int) -> list[RuleParameters]:
    """One rule, with and without stops, whose trades are short and long."""
    choices = grid(
        RuleParameters(entropy_max=1.0, stability_min=0.0, target_ranges=3.0, window=16, theta_run=0.28),
        mode=("follow", "fade"), horizon=(5, 40), stop_ranges=(2.0, np.inf),
    )  # fmt: skip
    return [choices[at % len(choices)] for at in range(sets)]


def of_a_strategy(candles: int, sets: int, device: str) -> list[SweepResult]:
    """Proposals made at random, with and without stops and targets."""
    sides = np.random.default_rng(3).integers(-1, 2, (2, candles)).astype(np.int8)
    exits = [
        (at % 2, (2.0, np.inf)[at // 2 % 2], (3.0, np.inf)[at // 4 % 2], (5, 40)[at % 3 % 2]) for at in range(sets)
    ]
    return sweep_sides([replace(job(candles, 2), sides=sides)], exits, device=device)


def main(candles: int, sets: int, kind: str) -> int:
    if kind == "sides":
        cpu, gpu = (of_a_strategy(candles, sets, device) for device in ("cpu", "cuda"))
    else:
        jobs, chosen = [job(candles - 500, 0), job(500, 1)], grid_of(sets)
        if kind == "blocks":
            jobs, chosen = [long_job(candles)], few_rules(sets)
            cuda.WARM_HORIZONS, cuda.LEAST_WARM = 0, 0
        cpu, gpu = (sweep_many(jobs, chosen, device=device) for device in ("cpu", "cuda"))
    for a, b in zip(cpu, gpu, strict=True):
        for key in ("trades", "wins", "gross", "net", "max_drawdown", "sharpe"):
            one, other = getattr(a, key), getattr(b, key)
            if not np.array_equal(one, other, equal_nan=True):
                print(f"{key} differs in {np.count_nonzero(one != other)} of {one.size}")
                return 1
    trades = sum(float(result.trades.sum()) for result in cpu)
    again = cuda.walked_again()
    print(
        f"{gpu[0].device}: {sets} sets, {candles} candles, {trades:.0f} trades and all sums alike to the last bit"
        + (f"; {again} blocks walked again" if again else "")
    )
    return 0 if trades > 0 else 1


if __name__ == "__main__":
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        # The simulator waits for its threads by polling, and each poll keeps them off for a whole switch interval.
        sys.setswitchinterval(1e-5)
    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
    candles, sets = numbers + [3000, 64][len(numbers) :]
    sys.exit(main(candles, sets, sys.argv[-1]))
