"""What this machine sweeps with: its card, its compiled kernels, and a short check of both against each other."""

import os
import time
from dataclasses import dataclass

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.costs import CostModel
from sep_trader.research.parameters import RuleParameters, grid
from sep_trader.research.sweep import SweepJob, SweepResult, sweep_many

CHECKED = ("trades", "wins", "gross", "net", "max_drawdown")
CANDLES = 60_000
"""Of the check: fifteen blocks, so that the card walks parts and joins them."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a machine sweeps with.

    card, driver: of the GPU, None without one; missing: why there is none. libraries: numba, numba-cuda and numpy.
    check: None where there is no card, else whether both devices gave the same to the last bit. trades: how many were
    compared. cpu_seconds, card_seconds: of the check, kernels compiled before. compile_seconds: of the first call.
    """

    cores: int
    cpu_bar_sets_per_s: float
    card: str | None
    driver: str | None
    missing: str | None
    libraries: dict[str, str | None]
    check: bool | None
    trades: int
    cpu_seconds: float
    card_seconds: float | None
    compile_seconds: float | None


def examine() -> Device:
    """Look for a card, compile the kernels, compare a short sweep on both. Raises InputError without numba."""
    job, sets = SweepJob(_walk(), CostModel()), _sets()
    sweep_many([job], sets, device="cpu")
    begun = time.perf_counter()
    here = sweep_many([job], sets, device="cpu")[0]
    cpu_seconds = time.perf_counter() - begun
    from sep_trader.research.kernels import cuda

    missing = cuda.why_not()
    compiling = card_seconds = same = None
    if missing is None:
        try:
            begun = time.perf_counter()
            sweep_many([job], sets, device="cuda")
            compiling = time.perf_counter() - begun
            begun = time.perf_counter()
            there = sweep_many([job], sets, device="cuda")[0]
            card_seconds = time.perf_counter() - begun
            same = _same(here, there)
        except InputError as error:
            missing = str(error)
    return Device(
        cores=os.cpu_count() or 1,
        cpu_bar_sets_per_s=CANDLES * len(sets) / cpu_seconds,
        card=cuda.name() if missing is None else None,
        driver=cuda.driver() if missing is None else None,
        missing=missing,
        libraries={name: cuda.version_of(name) for name in ("numba", "numba-cuda", "numpy")},
        check=same,
        trades=int(here.trades.sum()),
        cpu_seconds=cpu_seconds,
        card_seconds=card_seconds,
        compile_seconds=compiling,
    )


def _same(one: SweepResult, other: SweepResult) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in CHECKED)


def _sets() -> list[RuleParameters]:
    """Three hundred sets with exits of every kind."""
    base = RuleParameters(entropy_max=1.0, stability_min=0.0)
    return grid(
        base, window=(16, 64, 256), theta_run=(0.28, 0.34), mode=("follow", "fade"), horizon=(15, 60, 240),
        stop_ranges=(5e-4, 1e-3, 2e-3, np.inf), target_ranges=(1e-3, np.inf),
    )  # fmt: skip


def _walk() -> Candles:
    """A seeded random walk in minutes, with a gap a week; it is compared, never stored."""
    random = np.random.default_rng(7)
    row = np.arange(CANDLES, dtype=np.int64)
    close = np.round(1.1 * np.exp(np.cumsum(random.standard_normal(CANDLES) * 1e-4)), 5)
    opening = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opening, close) + np.round(random.random(CANDLES) * 1e-4, 5)
    low = np.minimum(opening, close) - np.round(random.random(CANDLES) * 1e-4, 5)
    times = 1_388_966_400 + 60 * row + 172_800 * (row // 7_200)
    spread = np.round(1e-4 + random.random(CANDLES) * 5e-5, 5)
    return Candles("EUR_USD", Granularity.M1, times, opening, high, low, close, spread, np.ones(CANDLES, np.int64))
