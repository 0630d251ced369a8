"""Run a sweep on a GPU: join the series, copy them once, keep everything there until the sums come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from sep_trader.errors import InputError
from sep_trader.qfh.kernels.series import bits_in_session
from sep_trader.qfh.reference import entropy_terms
from sep_trader.research.kernels.inputs import AllowedTrend, Int, Rules, Series, SetColumns
from sep_trader.research.kernels.scalar import BLOCK, CHUNK, K1, K2, Float
from sep_trader.research.kernels.sets import SUMS

THREADS = 128
# Share of the free memory that the proposals may take; rules beyond it are run in batches.
AHEAD_SHARE = 0.4
# Device bytes a candle for prices, bits and costs; a candle and window; a candle and rule.
PER_CANDLE, PER_WINDOW, PER_RULE = 106, 16, 4


def _cuda() -> Any:
    return import_module("numba.cuda")


def why_not() -> str | None:
    """Say why there is no CUDA device to use; None if there is one."""
    try:
        available = _cuda().is_available()
    except ImportError:
        return "numba-cuda is not installed"
    except Exception as error:  # the driver's own errors are of many kinds
        return f"CUDA does not start: {error}".splitlines()[0]
    return None if available else "no NVIDIA driver or no GPU"


def name() -> str:
    """The name of the device."""
    found = getattr(_cuda().get_current_device(), "name", "simulator")
    return found.decode() if isinstance(found, bytes) else str(found)


def run(
    series: Sequence[Series], rules: Rules, sets: SetColumns, timed: Callable[[str], None] | None = None
) -> list[Float]:
    """Run all sets over all series on the current device; returns what `run_cpu` does.

    timed: called with the name of each step when the device has finished it. Raises InputError when memory is short.
    """
    from sep_trader.research.kernels import cuda_kernels as on

    cuda = _cuda()
    tell = timed or (lambda _step: None)
    windows, window_of = np.unique(rules.window, return_inverse=True)
    host = _joined(series, windows)
    candles = host["bits"].shape[0]
    batch = _rules_at_once(candles, len(windows), len(rules.window))
    on_device = {key: cuda.to_device(value) for key, value in host.items()}
    columns = {key: cuda.to_device(getattr(sets, key)) for key in ("stop", "target", "horizon")}
    limits, of_window = cuda.to_device(rules.limits), cuda.to_device(window_of.astype(np.int64))
    cuda.synchronize()
    tell("copy to the device")

    counts, entropy, sign = _count_windows(on_device, windows, candles)
    cuda.synchronize()
    tell("windows")

    folds = host["folds"]
    sums = np.zeros((len(folds), len(sets.rule), SUMS))
    chunks = candles // CHUNK
    ahead = cuda.device_array((batch, candles), np.int32)
    for first in range(0, len(rules.window), batch):
        taken = min(batch, len(rules.window) - first)
        chosen = np.flatnonzero((sets.rule >= first) & (sets.rule < first + taken))
        # Neighbouring threads follow one rule and walk alike.
        chosen = chosen[np.lexsort((sets.horizon[chosen], sets.rule[chosen]))]
        on.propose_ahead[(-(-chunks // THREADS), taken), THREADS](
            counts, entropy, sign, of_window, limits, first, ahead
        )
        cuda.synchronize()
        tell("proposals")
        out = cuda.device_array((len(folds), len(chosen), SUMS), np.float64)
        picked = {key: cuda.to_device(getattr(sets, key)[chosen]) for key in ("rule", *columns)}
        on.run_sets[(-(-len(chosen) // THREADS), len(folds)), THREADS](
            ahead, first, picked["rule"], picked["horizon"], picked["stop"], picked["target"],
            on_device["scale"], on_device["folds"], on_device["costs"], on_device["fills"], on_device["quotes"],
            on_device["half"], on_device["block_low"], on_device["block_high"], on_device["nights"], out,
        )  # fmt: skip
        cuda.synchronize()
        tell("sets")
        sums[:, chosen] = out.copy_to_host()
        tell("copy back")
    edges = np.cumsum([len(one.folds) for one in series])[:-1]
    return list(np.split(sums, edges))


def _count_windows(on_device: dict[str, Any], windows: Int, candles: int) -> tuple[Any, Any, Any]:
    """Start the counting of every window; returns where counts, entropy and sign of the trend will be on the device."""
    from sep_trader.research.kernels import cuda_kernels as on

    cuda = _cuda()
    counts = cuda.device_array((3, len(windows), candles), np.int16)
    entropy = cuda.device_array((len(windows), candles), np.float64)
    sign = cuda.device_array((len(windows), candles), np.int8)
    terms = [entropy_terms(int(window)) for window in windows]
    places = np.cumsum([0, *map(len, terms)])[:-1].astype(np.int64)
    on.count_windows[(-(-candles // THREADS), len(windows)), THREADS](
        on_device["bits"], on_device["ages"], on_device["allowed"], cuda.to_device(windows),
        cuda.to_device(np.concatenate(terms)), cuda.to_device(places), K1, K2, counts, entropy, sign,
    )  # fmt: skip
    return counts, entropy, sign


def _rules_at_once(candles: int, windows: int, rules: int) -> int:
    """How many rules fit the memory that is free; raises InputError if not even one does."""
    free = float(_cuda().current_context().get_memory_info().free)  # infinite in the simulator
    if free == float("inf"):
        return rules
    fixed = candles * (PER_CANDLE + windows * PER_WINDOW)
    per_rule = candles * PER_RULE
    if fixed + per_rule > free:
        needed, limit = (fixed + per_rule) >> 20, int(free) >> 20
        raise InputError(
            f"the sweep needs {needed} MiB of GPU memory and {limit} MiB are free", "sweep fewer series at once"
        )
    return int(max(1, min(rules, max(free - fixed, per_rule) * AHEAD_SHARE // per_rule)))


def _joined(series: Sequence[Series], windows: Int) -> dict[str, np.ndarray[Any, Any]]:
    """Join the series one behind the other, each filled up to whole chunks with at least one candle to spare."""
    sizes = [-(-(len(one) + 1) // CHUNK) * CHUNK for one in series]
    begins = np.cumsum([0, *sizes])[:-1]
    total = sum(sizes)
    out: dict[str, np.ndarray[Any, Any]] = {
        "bits": np.zeros(total, np.int8),
        "ages": np.zeros(total, np.int32),
        "allowed": np.full((len(windows), total), AllowedTrend.BOTH, np.int8),
        "scale": np.ones(total),
        "fills": np.ones((2, total)),
        "quotes": np.ones((4, 2, total)),
        "half": np.zeros(total),
        "block_low": np.full((2, total // BLOCK), np.inf),
        "block_high": np.full((2, total // BLOCK), -np.inf),
        "nights": np.zeros(total, np.int32),
        "costs": np.array([[one.slippage, *one.rates] for one in series]),
    }
    for begin, one in zip(begins.tolist(), series, strict=True):
        end = begin + len(one)
        bits_in_session(one.bits, one.starts, 0, out["ages"][begin:end])
        out["bits"][begin:end] = one.bits & 1
        if one.allowed is not None:
            out["allowed"][:, begin:end] = [one.allowed[window] for window in windows.tolist()]
        for key in ("scale", "nights"):
            out[key][begin:end] = getattr(one, key)
        for key in ("fills", "quotes"):
            out[key][..., begin:end] = getattr(one, key)
        out["half"][begin : end + 1] = one.half
        blocks = one.block_low.shape[1]
        for key in ("block_low", "block_high"):
            out[key][:, begin // BLOCK : begin // BLOCK + blocks] = getattr(one, key)
    folds = [
        (first + begin, last + begin, number)
        for number, (begin, one) in enumerate(zip(begins.tolist(), series, strict=True))
        for first, last in one.folds.tolist()
    ]
    out["folds"] = np.array(folds, dtype=np.int64).reshape(-1, 3)
    return out
