"""The CUDA kernels, in the simulator and on a card where there is one, give what the CPU kernels give."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.candles import minutes_with_gaps, random_walk

from sep_trader.errors import InputError
from sep_trader.research.costs import CostModel
from sep_trader.research.kernels import cuda, plan
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.sweep import SweepJob, prepared, sweep_many

# Where there is a card, it is compared for real as well.
ON = ["simulator"] if cuda.why_not() else ["simulator", "card"]


@pytest.mark.parametrize("where", ON)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        # The simulator is one Python thread a CUDA thread: seconds at a size that a card would not notice.
        (("1500", "64"), "64 sets, 1500 candles"),
        # Several blocks of candles, begun without a warm-up, so that parts are walked again where they met otherwise.
        (("9000", "8", "blocks"), "blocks walked again"),
        # What any strategy proposes.
        (("1200", "8", "sides"), "8 sets, 1200 candles"),
    ],
)
def test_the_card_gives_what_the_cpu_gives(where: str, arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.parity.cuda_parity", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if where == "simulator" else "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert ("simulator" in done.stdout) == (where == "simulator")


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "why_not", lambda: "no NVIDIA driver or no GPU")
    with pytest.raises(InputError, match="no CUDA device: no NVIDIA driver or no GPU"):
        sweep_many([], [RuleParameters()], device="cuda")
    assert sweep_many(list[SweepJob](), [RuleParameters()], device="auto") == []


def test_a_sweep_that_does_not_fit_is_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series before sets, and every result in its place."""
    jobs = [SweepJob(random_walk(minutes_with_gaps(n, n), n, price=1.1), CostModel()) for n in (900, 700, 300)]
    sets = grid(RuleParameters(), window=(8, 16), horizon=(5, 10), stop_ranges=(2.0, 3.0), mode=("follow", "fade"))
    series, rules, columns = prepared(jobs, sets)
    asked: list[tuple[list[int], int]] = []

    def on_the_cpu(some: Any, some_rules: Any, some_sets: Any, _tell: object) -> Any:
        asked.append(([len(one) for one in some], len(some_sets)))
        return plan.run_cpu(some, some_rules, some_sets, 1)

    monkeypatch.setattr(cuda, "_run", on_the_cpu)
    whole = cuda._needed(series, rules, columns)
    one = cuda._needed(series[:1], rules, columns)
    monkeypatch.setattr(cuda, "_free", lambda: (whole + 1) / cuda.MEMORY_SHARE)
    expected, parts = cuda.run(series, rules, columns)
    assert (asked, parts) == ([([900, 700, 300], 16)], 1)
    asked.clear()
    monkeypatch.setattr(cuda, "_free", lambda: (one - 1) / cuda.MEMORY_SHARE)
    found, parts = cuda.run(series, rules, columns)
    assert asked == [([900], 8)] * 2 + [([700], 8)] * 2 + [([300], 8)] * 2
    assert parts == 6
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    monkeypatch.setattr(cuda, "_free", lambda: 100 * 2**10)
    with pytest.raises(cuda.CardError, match=r"needs \d+ MiB of GPU memory and 0 MiB are free"):
        cuda.run(series, rules, columns)


def test_auto_goes_on_with_the_cpu_where_the_card_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS\nand more")

    for name, value in (("why_not", None), ("name", "a card"), ("started", True), ("_in_parts", None)):
        monkeypatch.setattr(cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(cuda, "_in_parts", broken)
    monkeypatch.setattr(plan, "CPU_RATE", 1.0)
    job = SweepJob(random_walk(500, 1, price=1.1), CostModel())
    found = sweep_many([job], [RuleParameters(window=8)], device="auto")[0]
    assert found.device.startswith("cpu (the GPU failed: CUDA_ERROR_ILLEGAL_ADDRESS")
    assert "more" not in found.device
    assert found.trades[0] == sweep_many([job], [RuleParameters(window=8)], device="cpu")[0].trades[0]
    with pytest.raises(InputError, match="the GPU failed: CUDA_ERROR_ILLEGAL_ADDRESS"):
        sweep_many([job], [RuleParameters(window=8)], device="cuda")


def test_auto_takes_the_card_for_long_sweeps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("why_not", None), ("name", "a card"), ("started", False)):
        monkeypatch.setattr(cuda, name, lambda value=value: value)
    gpu, said = plan.chosen("auto", 1e9, 4)
    assert not gpu
    # 1e9 over 4 cores of 0.8e9 a second; on the card its start and a call, and little more.
    assert said == "cpu (about 0.3 s; the card would take 1.5 s)"
    assert plan.chosen("auto", 1e11, 4) == (True, "cuda: a card")
    monkeypatch.setattr(cuda, "started", lambda: True)
    assert plan.chosen("auto", 1e9, 4) == (True, "cuda: a card")


def test_a_numba_cuda_that_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba-cuda 0.30 with numpy 2.5: `row_stack` is gone there."""

    def broken() -> None:
        raise AttributeError("module 'numpy' has no attribute 'row_stack'\nsecond line")

    monkeypatch.setattr(cuda, "_cuda", broken)
    assert re.fullmatch(
        r"numba-cuda \S+ does not start with numpy \S+: module 'numpy' has no attribute 'row_stack'",
        cuda.why_not() or "",
    )
    assert sweep_many(list[SweepJob](), [RuleParameters()], device="auto") == []
