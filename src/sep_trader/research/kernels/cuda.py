"""Run a sweep on a GPU: what is read is copied once, everything else is made there, and the sums come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from sep_trader.errors import InputError
from sep_trader.qfh.reference import entropy_terms
from sep_trader.research.kernels.inputs import AllowedTrend, Int, Levels, Rules, Series, SetColumns
from sep_trader.research.kernels.legs import shared_until
from sep_trader.research.kernels.prices import fill_columns, market_of
from sep_trader.research.kernels.scalar import BLOCK_SUMS, COARSE, FINE, K1, K2, SUM_BLOCK, SUMS, WORD, Float

THREADS = 128
# Candles to which a series is filled up, with at least one to spare; a multiple of the threads of `propose`.
ALIGN = 1024
# A part of a set's walk is about so many horizons long, and begun about so many before its first block.
PART_HORIZONS, WARM_HORIZONS = 192, 48
MOST_PART_BLOCKS, LEAST_WARM, MOST_WARM = 16, 512, 8192
# Bytes a candle of what is copied or made once: prices, times, bits, records, reach and its minima.
PER_CANDLE = 40 + 8 + 4 + 1 + 2 + 32 + 32 + 5
# Share of the free memory that a sweep may take.
MEMORY_SHARE = 0.85


class CardError(InputError):
    """The device cannot do it; the CPU can."""


_lock = threading.Lock()
_kept: dict[str, Any] = {}


def _cuda() -> Any:
    return import_module("numba.cuda")


def why_not() -> str | None:
    """Say why there is no CUDA device to use; None if there is one."""
    if find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    try:
        available = _cuda().is_available()
    except Exception as error:  # of a driver, or of numba-cuda with a numpy that it does not know yet
        return f"numba-cuda {version('numba-cuda')} does not start with numpy {np.__version__}: {first_line(error)}"
    return None if available else "no NVIDIA driver or no GPU"


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def driver() -> str | None:
    """The version of CUDA that the driver speaks, such as 12.9; None where it does not say."""
    try:
        major, minor = _cuda().runtime.get_version()
    except Exception:  # the simulator has none
        return None
    return f"CUDA {major}.{minor}"


def version_of(package: str) -> str | None:
    """The version of an installed package; None if it is not."""
    return version(package) if find_spec(package.replace("-", "_")) else None


def walked_again() -> int:
    """How many blocks the last sweep walked again, because its parts were begun elsewhere than others arrived."""
    return int(_kept["redone"].copy_to_host()[0]) if "redone" in _kept else 0


def started() -> bool:
    """Whether the device was used by this process: its start takes longer than most sweeps."""
    return bool(_kept)


def name() -> str:
    """The name of the device."""
    found = getattr(_cuda().get_current_device(), "name", "simulator")
    return found.decode() if isinstance(found, bytes) else str(found)


def run(
    series: Sequence[Series], rules: Rules, sets: SetColumns, timed: Callable[[str], None] | None = None
) -> tuple[list[Float], int]:
    """Run all sets over all series on the current device: what `run_cpu` returns, to the last bit, and the parts.

    Series, and sets where one series is too large, are taken in as many parts as the memory asks for. timed: called
    with the name of each step when the device has finished it. Raises CardError when memory is short, or the device
    fails.
    """
    tell = timed or (lambda _step: None)
    with _lock:
        try:
            return _in_parts(list(series), rules, sets, tell)
        except CardError:
            raise
        except Exception as error:  # the driver's and the compiler's own errors are of many kinds
            _kept.clear()
            raise CardError(f"the GPU failed: {first_line(error)}", "use --device cpu") from error


def _in_parts(
    series: list[Series], rules: Rules, sets: SetColumns, tell: Callable[[str], None]
) -> tuple[list[Float], int]:
    """Run what fits the memory at once; halves, series before sets, where it does not."""
    if not series:
        return [], 0
    needed, free = _needed(series, rules, sets), _free()
    if needed <= free * MEMORY_SHARE:
        return _run(series, rules, sets, tell), 1
    if len(series) > 1:
        half = len(series) // 2
        left, right = _in_parts(series[:half], rules, sets, tell), _in_parts(series[half:], rules, sets, tell)
        return left[0] + right[0], left[1] + right[1]
    if len(sets) == 1:
        raise CardError(
            f"the sweep needs {needed >> 20} MiB of GPU memory and {int(free) >> 20} MiB are free",
            "sweep a shorter series, or use --device cpu",
        )
    out = np.zeros((len(series[0].folds), len(sets), SUMS))
    order, parts = np.lexsort((sets.horizon, sets.target, sets.stop, sets.rule)), 0
    for members in np.array_split(order, 2):
        part = SetColumns(
            sets.rule[members], sets.turned[members], sets.horizon[members], sets.stop[members], sets.target[members]
        )
        (out[:, members],), count = _in_parts(series, rules, part, tell)
        parts += count
    return [out], parts


def _needed(series: Sequence[Series], rules: Rules, sets: SetColumns) -> int:
    """Bytes that a sweep takes on the device."""
    candles, levels = sum(map(_filled, map(len, series))) + ALIGN, Levels.of(sets)
    proposals = max(len(rules.window) if one.words is None else len(one.words) for one in series)
    a_candle = PER_CANDLE + proposals / 4 + 4 * _columns(levels) + 8 * any(one.scale is not None for one in series)
    a_candle += len(np.unique(rules.window)) * any(one.allowed is not None for one in series)
    blocks = candles // SUM_BLOCK + sum(len(one.folds) for one in series)
    folds = sum(len(one.folds) for one in series)
    return int(candles * a_candle + len(sets) * (blocks * (8 * BLOCK_SUMS + 8) + folds * 8 * SUMS))


def _free() -> float:
    """Bytes that are free on the device, with what this module keeps there; infinite in the simulator."""
    kept = sum(int(getattr(one, "nbytes", 0)) for key, one in _kept.items() if not key.startswith("pinned"))
    return float(_cuda().current_context().get_memory_info().free) + kept


def _filled(length: int) -> int:
    return -(-(length + 1) // ALIGN) * ALIGN


def places_of(series: Sequence[Series]) -> Int:
    """Where each series begins on the device, one behind the other after ALIGN candles of nothing."""
    found: Int = ALIGN + np.cumsum([0, *(_filled(len(one)) for one in series)])[:-1]
    return found


def _columns(levels: Levels) -> int:
    """Columns of the table, so that a row of few levels is one 32-byte sector."""
    return -(-(levels.touches + len(levels.horizons)) // 16) * 16


def _device(key: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array on the device, of memory that is kept for the next sweep."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    held = _kept.get(key)
    if held is None or held.nbytes < size:
        _kept.pop(key, None)
        held = _kept[key] = _cuda().device_array(max(size, 1), np.uint8)
    return held[:size].view(dtype).reshape(shape) if size else _cuda().device_array(shape, dtype)


def _pinned(key: str, length: int, dtype: Any) -> np.ndarray[Any, Any]:
    """An array in memory that the device copies from by itself, kept for the next sweep."""
    held = _kept.get("pinned " + key)
    size = length * np.dtype(dtype).itemsize
    if held is None or len(held) < size:
        _kept.pop("pinned " + key, None)
        held = _kept["pinned " + key] = _cuda().pinned_array(size, np.uint8)
    found: np.ndarray[Any, Any] = held[:size].view(dtype)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What was copied to the device: columns of all series, one behind the other, after ALIGN candles of nothing."""

    columns: dict[str, Any]
    begins: Int
    series_of: Any
    costs: Any
    candles: int


COLUMNS = {
    "open": np.float64, "high": np.float64, "low": np.float64, "close": np.float64, "spread": np.float64,
    "time": np.int64, "nights": np.int32, "bits": np.int8, "ages": np.int16,
}  # fmt: skip


def _copied(series: Sequence[Series], windows: Int) -> Given:
    """Prepare the series, a thread each, in memory that the device copies from by itself, and copy them."""
    from sep_trader.research.kernels import cuda_kernels as on

    cuda = _cuda()
    sizes, begins = [_filled(len(one)) for one in series], places_of(series)
    total = ALIGN + sum(sizes)
    types = dict(COLUMNS)
    if any(one.scale is not None for one in series):
        types["scale"] = np.float64
    host = {key: _pinned(key, total, kind) for key, kind in types.items()}
    for column in host.values():
        column[:ALIGN] = 0

    def prepare(one: Series, begin: int, size: int) -> None:
        _fill(one, {key: column[begin : begin + size] for key, column in host.items()})

    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare, series, begins.tolist(), sizes))
    stream = cuda.stream()
    columns = {key: _device(key, (total,), kind) for key, kind in types.items()}
    for key, column in host.items():
        columns[key].copy_to_device(column, stream=stream)
    costs = np.array(
        [[one.spread_multiplier / 2.0, one.slippage, *one.rates, one.step, len(one)] for one in series], np.float64
    ).reshape(-1, on.COSTS)
    owner = np.repeat(np.arange(len(series)), np.array(sizes) // on.CANDLES)
    owner = np.concatenate((np.zeros(ALIGN // on.CANDLES, np.int64), owner)).astype(np.int32)
    allowed = np.zeros((0, 0), np.int8)
    if any(one.allowed is not None for one in series):
        allowed = np.full((len(windows), total), AllowedTrend.BOTH, np.int8)
        for begin, one in zip(begins.tolist(), series, strict=True):
            if one.allowed is not None:
                allowed[:, begin : begin + len(one)] = [one.allowed[window] for window in windows.tolist()]
    columns["allowed"] = cuda.to_device(allowed)
    columns.setdefault("scale", cuda.to_device(np.zeros(0)))
    stream.synchronize()
    return Given(columns, begins, cuda.to_device(owner), cuda.to_device(costs), total)


def _fill(one: Series, columns: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write a series into its part of the columns, and nothing behind its end."""
    market, n = market_of(one, np.zeros(0, np.int64)), len(one)
    fill_columns(market, one.spread, *(columns[key] for key in COLUMNS))
    if "scale" in columns:
        columns["scale"][:] = 1.0
        if one.scale is not None:
            columns["scale"][:n] = one.scale


def _grid(items: int, threads: int = THREADS) -> int:
    return max(1, -(-items // threads))


def _run(series: Sequence[Series], rules: Rules, sets: SetColumns, tell: Callable[[str], None]) -> list[Float]:
    """Run sets and series that fit the memory."""
    cuda, levels, windows = _cuda(), Levels.of(sets), np.unique(rules.window)
    given = _copied(series, windows)
    tell("copy to the device")
    proposals = _proposals(given, series, rules, windows)
    tell("proposals")
    record, table = _tables(given, proposals, levels)
    tell("tables")
    # Neighbouring threads walk alike.
    order = np.lexsort((sets.target, sets.stop, sets.rule, sets.horizon))
    columns = (
        sets.rule, sets.turned, levels.stop_of, levels.target_of, levels.touches + levels.horizon_of, sets.stop,
        sets.target,
    )  # fmt: skip
    on_device = tuple(cuda.to_device(np.ascontiguousarray(column[order])) for column in columns)
    market = (proposals, table, record, given.columns["close"], given.costs)
    out = _walks(given, series, sets.horizon[order], market, on_device, tell)
    sums = np.empty_like(out)
    sums[:, order] = out
    edges = np.cumsum([len(one.folds) for one in series])[:-1]
    return list(np.split(sums, edges))


def _proposals(given: Given, series: Sequence[Series], rules: Rules, windows: Int) -> Any:
    """The words of proposals of every rule, or those that the series came with."""
    from sep_trader.research.kernels import cuda_kernels as on

    cuda, words = _cuda(), given.candles // WORD
    if any(one.words is not None for one in series):
        rows = max(len(one.words) for one in series if one.words is not None)
        host = np.zeros((rows, words, 2), np.uint32)
        for begin, one in zip(given.begins.tolist(), series, strict=True):
            count = -(-len(one) // WORD)
            if one.words is not None:
                place = slice(begin // WORD, begin // WORD + count)
                host[: len(one.words), place] = one.words[:, :, :count].transpose(0, 2, 1)
        return cuda.to_device(host)
    bits = _device("bit words", (words,), np.uint32)
    on.pack_bits[_grid(words), THREADS](given.columns["bits"], bits)
    proposals = _device("proposals", (len(rules.window), words, 2), np.uint32)
    batches = [
        (k, first, min(first + on.RULES, past))
        for k, window in enumerate(windows.tolist())
        for past in [int(np.searchsorted(rules.window, window + 1))]
        for first in range(int(np.searchsorted(rules.window, window)), past, on.RULES)
    ]
    terms = [entropy_terms(int(window)) for window in windows]
    places = np.cumsum([0, *map(len, terms)])[:-1].astype(np.int64)
    on.propose[(given.candles // on.CANDLES, len(batches)), on.CANDLES](
        bits, given.columns["bits"], given.columns["ages"], given.columns["allowed"],
        cuda.to_device(np.array(batches, np.int64)), cuda.to_device(windows), cuda.to_device(np.concatenate(terms)),
        cuda.to_device(places), cuda.to_device(rules.limits), K1, K2, proposals,
    )  # fmt: skip
    cuda.synchronize()
    return proposals


def _tables(given: Given, proposals: Any, levels: Levels) -> tuple[Any, Any]:
    """The record of every candle, and the table of first passages and latest exits."""
    from sep_trader.research.kernels import cuda_kernels as on

    cuda, total, columns = _cuda(), given.candles, given.columns
    begins = cuda.to_device(given.begins.astype(np.int64))
    record = _device("record", (total, on.RECORD), np.float64)
    reach = _device("reach", (4, total), np.float64)
    fine = _device("fine", (4, total // FINE), np.float64)
    coarse = _device("coarse", (4, total // COARSE), np.float64)
    on.make_prices[_grid(total), THREADS](
        columns["open"], columns["high"], columns["low"], columns["spread"], columns["nights"], columns["scale"],
        given.series_of, begins, given.costs, record, reach,
    )  # fmt: skip
    on.make_minima[(_grid(total // FINE), 4), THREADS](reach, FINE, fine)
    on.make_minima[(_grid(total // COARSE), 4), THREADS](fine, COARSE // FINE, coarse)
    wanted = _device("wanted", (total // WORD, 2), np.uint32)
    on.any_proposals[_grid(total // WORD), THREADS](proposals, levels.turning, wanted)
    table = _device("table", (2 * total, _columns(levels)), np.uint16)
    on.make_tables[_grid(2 * total), THREADS](
        record, reach, fine, coarse, columns["time"], wanted, given.series_of, begins, given.costs,
        cuda.to_device(levels.stops), cuda.to_device(levels.targets), cuda.to_device(levels.horizons), table,
    )  # fmt: skip
    cuda.synchronize()
    return record, table


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """How the walks are cut in time; see `walk_parts`, `repair` and `join`."""

    items: Any
    stretches: Any
    warm: Any
    part_blocks: Any
    groups: Any
    folds: Any
    places: int

    @classmethod
    def of(cls, begins: Int, series: Sequence[Series], horizons: Int) -> Parts:
        """Cut them: parts of a power of two of blocks, longer for longer horizons. begins: as `places_of` has them."""
        wanted = np.maximum(1.0, horizons * PART_HORIZONS / SUM_BLOCK)
        blocks = np.minimum(2 ** np.round(np.log2(wanted)).astype(np.int64), MOST_PART_BLOCKS)
        stretch = int(blocks.max())
        # By length of the part, part, and set: neighbours walk the same candles.
        items = [
            np.stack([members, np.full(len(members), part), np.full(len(members), length)], axis=1)
            for length in np.unique(blocks).tolist()
            for members in [np.flatnonzero(blocks == length)]
            for part in range(0, stretch, length)
        ]
        longest = int(horizons.max())
        groups: list[tuple[int, int, int, int]] = []
        folds: list[tuple[int, int, int, int, int, int]] = []
        stretches: list[tuple[int, int, int, int, int]] = []
        place = 0
        number_of: dict[tuple[int, int], int] = {}
        for number, (begin, one) in enumerate(zip(begins.tolist(), series, strict=True)):
            whole = [
                (shared_until(int(first), int(last), longest, one.step, one.time) - int(first)) // SUM_BLOCK
                for first, last in one.folds
            ]
            for first in np.unique(one.folds[:, 0]).tolist():
                count = max(w for w, f in zip(whole, one.folds[:, 0], strict=True) if f == first)
                number_of[number, first] = len(groups)
                groups.append((first + begin, count, place, number))
                stretches += [(first + begin, at, count, place, number) for at in range(0, count, stretch)]
                place += count + 1
            for (first, last), count in zip(one.folds.tolist(), whole, strict=True):
                _, most, where, _ = groups[number_of[number, first]]
                folds.append((first + begin, last + begin, count, where, most, number))
        cuda = _cuda()
        warm = np.clip(horizons * WARM_HORIZONS, LEAST_WARM, MOST_WARM)
        return cls(
            cuda.to_device(np.concatenate(items).astype(np.int32)),
            cuda.to_device(np.array(stretches, np.int64).reshape(-1, 5)),
            cuda.to_device(warm.astype(np.int64)),
            cuda.to_device(blocks.astype(np.int32)),
            cuda.to_device(np.array(groups, np.int64).reshape(-1, 4)),
            cuda.to_device(np.array(folds, np.int64).reshape(-1, 6)),
            place,
        )


def _walks(
    given: Given, series: Sequence[Series], horizons: Int, market: Any, sets: Any, tell: Callable[[str], None]
) -> Float:
    """The sums of every fold and set, float64[folds, sets, SUMS]."""
    from sep_trader.research.kernels import cuda_kernels as on

    cuda, count = _cuda(), len(horizons)
    parts = Parts.of(given.begins, series, horizons)
    begun, arrived = (_device(key, (parts.places, count), np.int32) for key in ("begun", "arrived"))
    block_sums = _device("block sums", (parts.places, BLOCK_SUMS, count), np.float64)
    out = cuda.device_array((parts.folds.shape[0], count, SUMS), np.float64)
    cuda.synchronize()
    tell("parts")
    if parts.stretches.shape[0]:
        on.walk_parts[(_grid(parts.items.shape[0]), parts.stretches.shape[0]), THREADS](
            parts.items, parts.stretches, parts.warm, market, sets, begun, arrived, block_sums
        )
        cuda.synchronize()
        tell("walk")
        redone = _kept["redone"] = cuda.to_device(np.zeros(1, np.int64))
        on.repair[(_grid(count), parts.groups.shape[0]), THREADS](
            parts.groups, parts.part_blocks, market, sets, begun, arrived, block_sums, redone
        )
        cuda.synchronize()
        tell("repair")
    on.join[(_grid(count), parts.folds.shape[0]), THREADS](parts.folds, market, sets, begun, arrived, block_sums, out)
    found: Float = out.copy_to_host()
    tell("join")
    return found
