"""The CUDA kernels in the simulator give what the CPU kernels give."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sep_trader.errors import InputError
from sep_trader.qfh import Encoder
from sep_trader.research.kernels import cuda
from sep_trader.research.sweep import ParameterSet, SweepJob, sweep_many


def test_32_sets_over_1000_candles_are_the_same() -> None:
    script = Path(__file__).with_name("cuda_parity.py")
    # The simulator is one Python thread a CUDA thread: minutes at sizes that a card would not notice.
    done = subprocess.run(
        [sys.executable, script, "1000", "32"],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "32 sets, 1000 candles" in done.stdout


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "why_not", lambda: "no NVIDIA driver or no GPU")
    with pytest.raises(InputError, match="no CUDA device: no NVIDIA driver or no GPU"):
        sweep_many([], [ParameterSet()], Encoder(), device="cuda")
    assert sweep_many(list[SweepJob](), [ParameterSet()], Encoder(), device="auto") == []
