"""Sweeps spread over processes and over a real Dask cluster give what one process gives, to the last bit."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.research.cluster import run_many
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.job import train
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.sweep import SweepResult, sweep
from sep_trader.research.training import TrainingSpec
from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward
from sep_trader.store import candles as store
from sep_trader.store.database import Database

SETS = grid(
    RuleParameters(entropy_max=1.0, stability_min=0.0, target_ranges=0.0006),
    window=(16, 33), theta_run=(0.28, 0.35), horizon=(5, 40), stop_ranges=(0.0004, float("inf")),
)  # fmt: skip
SWEEP = partial(sweep, device="cpu", threads=1)


ARGUMENTS = [(random_walk(4_000, seed), SETS, CostModel()) for seed in range(5)]


def the_same(found: list[SweepResult], expected: list[SweepResult]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        for name in (field.name for field in fields(SweepResult) if field.name != "device"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


@pytest.fixture(scope="module")
def expected() -> list[SweepResult]:
    """What this process computes; the five series differ from each other."""
    results = [SWEEP(*one) for one in ARGUMENTS]
    assert len({result.net.tobytes() for result in results}) == len(results)
    return results


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, set[int]]]:
    """A scheduler and two workers of one thread each on free ports: its address, the workers' process ids."""
    folder = tmp_path_factory.mktemp("dask")
    where = folder / "scheduler.json"
    start = [sys.executable, "-m"]
    place = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(where)]
    with (folder / "log").open("w") as log:
        running = [
            subprocess.Popen(
                [*start, "distributed.cli.dask_scheduler", "--port", "0", *place], cwd=folder, stdout=log, stderr=log
            )
        ]
        try:
            until(where.exists, folder / "log")
            running += [
                subprocess.Popen(
                    [*start, "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *place],
                    cwd=folder, stdout=log, stderr=log,
                )
                for _ in range(2)
            ]  # fmt: skip
            until(lambda: (folder / "log").read_text().count("Registered to:") == 2, folder / "log")
            yield json.loads(where.read_text())["address"], {worker.pid for worker in running[1:]}
        finally:
            # Asked to end, a worker says goodbye to its scheduler, for half a minute where that one is gone already.
            for process in running:
                process.kill()
            for process in running:
                process.wait(30)


def until(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def test_processes_give_the_same_in_the_order_of_the_arguments(expected: list[SweepResult]) -> None:
    the_same(run_many(SWEEP, ARGUMENTS, jobs=2), expected)
    assert os.getpid() not in run_many(os.getpid, [()] * 4, jobs=2)


def test_a_dask_cluster_of_two_workers_gives_the_same(
    dask_cluster: tuple[str, set[int]], expected: list[SweepResult]
) -> None:
    address, workers = dask_cluster
    the_same(run_many(SWEEP, ARGUMENTS, cluster=address), expected)
    # Calls that take a while go to both.
    pids = run_many(eval, [("__import__('time').sleep(0.3) or __import__('os').getpid()",)] * 6, cluster=address)
    assert set(pids) == workers


def test_walk_forwards_on_the_cluster_give_the_same(dask_cluster: tuple[str, set[int]]) -> None:
    # Where trading costs nothing, some set pays in training, even on a random walk.
    costs, plan = CostModel(slippage_pips=0.0, spread_multiplier=0.0), WalkForwardPlan(min_trades=5)
    jobs = [(random_walk(14_000, seed), Grid(), costs, costs, plan, max) for seed in range(3)]
    for job, found in zip(jobs, run_many(walk_forward, jobs, cluster=dask_cluster[0]), strict=True):
        expected = walk_forward(*job)  # type: ignore[arg-type]
        assert len(expected.net) > 0  # else nothing would be compared
        assert found.chosen == expected.chosen
        for name in ("entry_time", "net", "stressed", "days"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name


def test_training_gives_the_same_here_in_processes_and_on_the_cluster(
    dask_cluster: tuple[str, set[int]], database: Database
) -> None:
    pairs = ["EUR_USD", "GBP_USD"]
    for seed, pair in enumerate(pairs):
        walk = random_walk(14_000, seed, pair=pair)
        store.load(database, replace(walk, spread=np.zeros(len(walk))))
    spec = TrainingSpec(plan=WalkForwardPlan(min_trades=5), device="cpu", slippage_pips=0.0, financing=0.0)
    seen: list[str] = []
    here = train(database, pairs, spec, lambda pair, _done, _total: seen.append(pair))
    assert set(seen) == set(pairs)
    there = train(database, pairs, replace(spec, cluster=dask_cluster[0]), lambda *_: None)
    alone = [train(database, [pair], spec, lambda *_: None)[0] for pair in pairs]
    for one, other, single in zip(here, there, alone, strict=True):
        assert one.evidence.trades > 0
        assert one.parameters == other.parameters == single.parameters
        assert one.evidence.p_value == other.evidence.p_value == single.evidence.p_value
        assert one.evidence.expectancy == other.evidence.expectancy == single.evidence.expectancy
        assert one.device == "cpu"


def test_an_error_of_a_call_comes_back(dask_cluster: tuple[str, set[int]]) -> None:
    wrong = [*ARGUMENTS[:2], (random_walk(10), SETS, CostModel())]
    for cluster in (None, dask_cluster[0]):
        with pytest.raises(InputError, match="window 33 is longer than the series of 10 candles"):
            run_many(SWEEP, wrong, cluster=cluster, jobs=2)


def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sep_trader.research.cluster.WAIT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no Dask scheduler at {address}"):
            run_many(SWEEP, ARGUMENTS, cluster=address)
    with pytest.raises(InputError, match="unknown cluster 'http://localhost'"):
        run_many(SWEEP, ARGUMENTS, cluster="http://localhost")
    with pytest.raises(InputError, match="0 jobs"):
        run_many(SWEEP, ARGUMENTS, jobs=0)


@pytest.mark.parametrize("module", ["ray", "distributed"])
def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    address, name = {"ray": ("ray://localhost:10001", "Ray"), "distributed": ("tcp://localhost:8786", "Dask")}[module]
    with pytest.raises(InputError, match=f"{name} is not installed"):
        run_many(SWEEP, ARGUMENTS, cluster=address)


def test_any_number_of_processes_and_threads_gives_the_same_bytes() -> None:
    candles = replace(random_walk(14_000, 5), spread=np.full(14_000, 1e-5))
    costs = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)
    given = (candles, Grid(), costs, replace(costs, spread_multiplier=1.5), WalkForwardPlan(min_trades=5), _silent)
    alone = walk_forward(*given, device="cpu", threads=1)
    assert len(alone.trades) > 100
    found = [walk_forward(*given, device="cpu", threads=2)]
    for jobs in (1, 2):
        found += run_many(partial(walk_forward, device="cpu", threads=1), [given] * 2, jobs=jobs)
    for one in found:
        assert one.trades.digest() == alone.trades.digest()
        assert one.chosen == alone.chosen
        assert one.blocks.tobytes() == alone.blocks.tobytes()


def _silent(_done: int, _total: int) -> None:
    """No progress is shown."""
