"""How a sweep is cut into tasks, and where it runs. Imports numpy and numba only (and the kernels)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import config as numba_config

from sep_trader.errors import InputError
from sep_trader.qfh.engine import entropy_table
from sep_trader.qfh.reference import entropy_terms
from sep_trader.research.kernels.inputs import Int, Rules, Series, SetColumns
from sep_trader.research.kernels.proposals import proposals_ahead
from sep_trader.research.kernels.scalar import K1, K2, Float, rule_limits
from sep_trader.research.kernels.sets import SUMS, run_sets

DEVICES = ("auto", "cpu", "cuda")
# Proposals of one task: so many bytes at most, whatever the number of rules.
AHEAD_BYTES = 32 << 20
Key = tuple[int, float, float, float, bool]


def rules_of(keys: Sequence[Key]) -> tuple[Rules, Int]:
    """Find the distinct rules, ordered by window, and the rule of every set."""
    distinct = sorted(set(keys))
    place = {key: at for at, key in enumerate(distinct)}
    limits = np.array([rule_limits(*key) for key in distinct], dtype=np.float64)
    windows = np.array([key[0] for key in distinct], dtype=np.int64)
    return Rules(windows, limits), np.array([place[key] for key in keys], dtype=np.int64)


def chosen(device: str) -> tuple[bool, str]:
    """Whether to use the GPU, and how to call the choice in a result.

    Raises InputError for an unknown device, and for cuda where there is none.
    """
    if device not in DEVICES:
        raise InputError(f"unknown device '{device}'", f"one of {', '.join(DEVICES)}")
    if device == "cpu":
        return False, "cpu"
    from sep_trader.research.kernels import cuda

    missing = cuda.why_not()
    if missing is None:
        return True, f"cuda: {cuda.name()}"
    if device == "cuda":
        raise InputError(f"no CUDA device: {missing}", "use --device cpu or auto")
    return False, f"cpu ({missing})"


def run(series: Sequence[Series], rules: Rules, sets: SetColumns, device: str, threads: int) -> tuple[str, list[Float]]:
    """Run all sets over all series: (device used, per series float64[folds, sets, SUMS])."""
    gpu, name = chosen(device)
    if not gpu:
        return name, run_cpu(series, rules, sets, threads)
    from sep_trader.research.kernels import cuda

    return name, cuda.run(series, rules, sets)


def run_cpu(series: Sequence[Series], rules: Rules, sets: SetColumns, threads: int) -> list[Float]:
    """Run the tasks of all series on threads; every set is summed by one thread in the order of time."""
    workers = threads or int(vars(numba_config)["NUMBA_DEFAULT_NUM_THREADS"])
    sums = [np.zeros((len(one.folds), len(sets.rule), SUMS)) for one in series]
    tasks = [
        (one, out, *task)
        for one, out in zip(series, sums, strict=True)
        for task in tasks_of(len(one), rules, sets, workers * 4 if len(series) < 4 * workers else 1)
    ]
    if workers == 1:
        for task in tasks:
            _run_task(rules, sets, *task)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda task: _run_task(rules, sets, *task), tasks))
    return sums


def tasks_of(n: int, rules: Rules, sets: SetColumns, parts: int) -> list[tuple[Int, Int]]:
    """Cut a sweep over n candles into tasks of (rules of one window, sets that follow them), in about `parts` parts."""
    most_rules = max(1, AHEAD_BYTES // (4 * (n + 1)))
    most_sets = max(1, -(-len(sets.rule) // parts))
    by_rule = [np.flatnonzero(sets.rule == rule) for rule in range(len(rules.window))]
    tasks: list[tuple[Int, Int]] = []
    taken: list[int] = []
    members: list[Int] = []

    def close() -> None:
        if taken:
            tasks.append((np.array(taken, dtype=np.int64), np.concatenate(members)))
            taken.clear()
            members.clear()

    for rule, of_rule in enumerate(by_rule):
        for lo in range(0, len(of_rule), most_sets):
            part = of_rule[lo : lo + most_sets]
            full = sum(map(len, members)) + len(part) > most_sets or len(taken) == most_rules
            if taken and (full or rules.window[taken[0]] != rules.window[rule]):
                close()
            taken.append(rule)
            members.append(part)
    close()
    return tasks


def _run_task(rules: Rules, sets: SetColumns, one: Series, sums: Float, taken: Int, members: Int) -> None:
    window = int(rules.window[taken[0]])
    ahead = np.empty((len(taken), len(one)), dtype=np.int32)
    table, terms = entropy_table(window), entropy_terms(window)
    proposals_ahead(
        one.bits, one.starts, one.allowed_at(window), window, table, terms, K1, K2, rules.limits[taken], ahead
    )
    place = np.searchsorted(taken, sets.rule[members])
    free, out = np.empty(len(members), dtype=np.int64), np.empty((len(members), SUMS))
    for fold, (first, last) in enumerate(one.folds.tolist()):
        run_sets(
            ahead, place, sets.horizon[members], sets.stop[members], sets.target[members], one.scale, first,
            last, one.fills, one.quotes, one.half, one.block_low, one.block_high, one.slippage, one.nights,
            one.rates, free, out,
        )  # fmt: skip
        sums[fold, members] = out
