"""The CUDA kernels, in the simulator and on a card where there is one, give what the CPU kernels give."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sep_trader.errors import InputError
from sep_trader.research.kernels import cuda
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.sweep import SweepJob, sweep_many

# Where there is a card, it is compared for real as well.
ON = ["simulator"] if cuda.why_not() else ["simulator", "card"]


@pytest.mark.parametrize("where", ON)
def test_64_sets_over_3000_candles_are_the_same(where: str) -> None:
    # The simulator is one Python thread a CUDA thread: seconds at a size that a card would not notice.
    done = subprocess.run(
        [sys.executable, "-m", "tests.parity.cuda_parity", "3000", "64"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if where == "simulator" else "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "64 sets, 3000 candles" in done.stdout
    assert ("simulator" in done.stdout) == (where == "simulator")


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "why_not", lambda: "no NVIDIA driver or no GPU")
    with pytest.raises(InputError, match="no CUDA device: no NVIDIA driver or no GPU"):
        sweep_many([], [RuleParameters()], device="cuda")
    assert sweep_many(list[SweepJob](), [RuleParameters()], device="auto") == []


def test_rules_are_run_in_batches_that_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    candles, windows, rules = 3_700_000, 5, 40
    fixed = candles * (cuda.PER_CANDLE + windows * cuda.PER_WINDOW) / 2**20
    monkeypatch.setattr(cuda, "_cuda", lambda: _card(100_000))
    assert cuda._rules_at_once(candles, windows, rules) == rules
    # Room for ten rules in the share that is theirs.
    ten = 10 * candles * cuda.PER_RULE / 2**20 / cuda.AHEAD_SHARE
    monkeypatch.setattr(cuda, "_cuda", lambda: _card(int(fixed + ten) + 1))
    assert cuda._rules_at_once(candles, windows, rules) == 10


def test_too_little_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_cuda", lambda: _card(500))
    with pytest.raises(InputError, match="needs 670 MiB of GPU memory and 500 MiB are free"):
        cuda._rules_at_once(3_700_000, 5, 40)


def _card(free_mib: int) -> SimpleNamespace:
    """What numba says of a card with so much free memory."""
    context = SimpleNamespace(get_memory_info=lambda: SimpleNamespace(free=free_mib * 2**20))
    return SimpleNamespace(current_context=lambda: context)
