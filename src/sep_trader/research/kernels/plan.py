"""How a sweep is cut into tasks, and where it runs. Imports numpy and numba only (and the kernels)."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numba import config as numba_config

from sep_trader.errors import InputError
from sep_trader.qfh.engine import entropy_table
from sep_trader.qfh.reference import entropy_terms
from sep_trader.research.kernels.inputs import Decisions, Int, Levels, Market, Rules, Series, SetColumns
from sep_trader.research.kernels.legs import Leg, legs_of
from sep_trader.research.kernels.pieces import AHEAD, write_piece
from sep_trader.research.kernels.prices import market_of
from sep_trader.research.kernels.proposals import propose_words
from sep_trader.research.kernels.scalar import SUM_BLOCK, SUMS, WORD, Float, Offsets, rule_limits
from sep_trader.research.kernels.walk import CHUNK, STATE, finish, walk_sets

DEVICES = ("auto", "cpu", "cuda")
# What `auto` expects, measured with benchmarks/sweep_cuda.py: candles x sets a second of one CPU core and of a card,
# and the seconds that a call of the card takes at least, and its first one in a process.
CPU_RATE, CARD_RATE = 0.8e9, 1e11
CARD_CALL_SECONDS, CARD_START_SECONDS = 0.035, 1.5
# Tables of all stages at a time: so many bytes a thread, but never more than the second figure, whatever the number
# of candles, levels and rules.
TABLE_BYTES, MOST_TABLE_BYTES = 96 << 20, 768 << 20
# Candles of one task that writes tables: the fewer the more threads there are.
PIECE, SMALL_PIECE, FEW_THREADS = 4 * SUM_BLOCK, 2 * SUM_BLOCK, 4
Key = tuple[int, float, float, float, bool]


def rules_of(keys: Sequence[Key]) -> tuple[Rules, Int, Int]:
    """Find the distinct rules, ordered by window, the rule of every set, and whether it takes the other side.

    A rule that inverts the side proposes at the same candles as the one that keeps it.
    """
    distinct = sorted({key[:4] for key in keys})
    place = {key: at for at, key in enumerate(distinct)}
    limits = np.array([rule_limits(*key) for key in distinct], dtype=np.float64)
    windows = np.array([key[0] for key in distinct], dtype=np.int64)
    rule = np.array([place[key[:4]] for key in keys], dtype=np.int64)
    return Rules(windows, limits), rule, np.array([key[4] for key in keys], dtype=np.int64)


def chosen(device: str, work: float, threads: int = 0) -> tuple[bool, str]:
    """Whether to use the GPU for so many candles x sets, and how to call the choice in a result.

    auto takes the GPU where the sweep is expected to end earlier on it, its start included.
    Raises InputError for an unknown device, and for cuda where there is none.
    """
    if device not in DEVICES:
        raise InputError(f"unknown device '{device}'", f"one of {', '.join(DEVICES)}")
    if device == "cpu":
        return False, "cpu"
    from sep_trader.research.kernels import cuda

    missing = cuda.why_not()
    if missing is not None:
        if device == "cuda":
            raise InputError(f"no CUDA device: {missing}", "use --device cpu or auto")
        return False, f"cpu ({missing})"
    if device == "auto":
        here = work / (CPU_RATE * workers_of(threads))
        there = work / CARD_RATE + CARD_CALL_SECONDS + (0.0 if cuda.started() else CARD_START_SECONDS)
        if here < there:
            return False, f"cpu (about {here:.1f} s; the card would take {there:.1f} s)"
    return True, f"cuda: {cuda.name()}"


def run(series: Sequence[Series], rules: Rules, sets: SetColumns, device: str, threads: int) -> tuple[str, list[Float]]:
    """Run all sets over all series: (device used, per series float64[folds, sets, SUMS]).

    Where `auto` took a GPU that then fails, the CPU goes on, and the name says so.
    """
    gpu, name = chosen(device, float(sum(map(len, series))) * len(sets), threads)
    if gpu:
        from sep_trader.research.kernels import cuda

        try:
            sums, parts = cuda.run(series, rules, sets)
            return (name if parts < 2 else f"{name}, in {parts} parts"), sums
        except cuda.CardError as error:
            if device == "cuda":
                raise
            name = f"cpu ({error})"
    return name, run_cpu(series, rules, sets, threads)


def workers_of(threads: int) -> int:
    """How many threads to use; 0 for all cores."""
    return threads or int(vars(numba_config)["NUMBA_DEFAULT_NUM_THREADS"])


def decisions_of(rules: Rules) -> Decisions:
    """The rules as the compiled drivers read them."""
    windows = np.unique(rules.window)
    tables = [entropy_table(window) for window in windows.tolist()]
    terms = [entropy_terms(window) for window in windows.tolist()]
    return Decisions(
        windows,
        np.append(np.searchsorted(rules.window, windows), len(rules.window)),
        rules.limits,
        np.concatenate([np.zeros(0, np.float32), *tables]),
        np.cumsum([0, *map(len, tables)])[:-1],
        np.concatenate([np.zeros(0), *terms]),
        np.cumsum([0, *map(len, terms)])[:-1],
        np.array([highest_entropy(window) for window in windows.tolist()]),
    )


@lru_cache
def highest_entropy(window: int) -> float:
    """The highest entropy of any window of this length, rounded as the kernels round it."""
    terms = entropy_terms(window)
    null, flip = (grid.ravel() for grid in np.indices((window, window)))
    possible = null + flip < window
    null, flip = null[possible], flip[possible]
    return float(((terms[null] + terms[flip]) + terms[window - 1 - null - flip]).max())


@dataclass(slots=True, eq=False)
class Room:
    """Memory for the tables of one stage, used again for a later one."""

    ahead: Offsets
    touch: Offsets
    latest: Offsets

    @classmethod
    def of(cls, rules: int, levels: Levels, candles: int) -> "Room":
        """Room for stages of up to so many candles."""
        sizes = (rules * candles, levels.touches * 2 * candles, len(levels.horizons) * candles)
        return cls(*(np.empty(size, np.uint16) for size in sizes))


@dataclass(slots=True, eq=False)
class Stage:
    """A stretch of a series, candles base..end-1, with the tables that its sets share and the tasks that write them."""

    one: Series
    market: "Future[Market]"
    base: int
    end: int
    room: Room
    ahead: Offsets
    touch: Offsets
    latest: Offsets
    writing: "list[Future[None]]" = field(default_factory=list)

    @classmethod
    def of(
        cls, one: Series, market: "Future[Market]", cut: tuple[int, int], levels: Levels, rules: int, room: Room
    ) -> "Stage":
        """A stage in a room."""
        count = cut[1] - cut[0]
        return cls(
            one,
            market,
            *cut,
            room,
            room.ahead[: rules * count].reshape(rules, count),
            room.touch[: levels.touches * 2 * count].reshape(levels.touches, 2 * count),
            room.latest[: len(levels.horizons) * count].reshape(len(levels.horizons), count),
        )


@dataclass(slots=True, eq=False)
class Group:
    """Sets that one task walks: their columns, and how far each leg of theirs has come: (candle, state)."""

    members: Int
    columns: list[Int | Float]
    at: dict[int, tuple[int, Float]] = field(default_factory=dict)


def run_cpu(
    series: Sequence[Series], rules: Rules, sets: SetColumns, threads: int, *, parts: int = 0, piece: int = 0
) -> list[Float]:
    """Run all sets over all series on threads: first the tables, piece by piece, then the walks, group by group.

    Every task waits only for tasks that were submitted before it, so that none waits for ever. A stage begins in the
    room of one that is done, so that memory is bounded. parts: groups of sets that are walked side by side, 0 for two a
    thread; piece: candles of a task that writes tables, 0 for what suits the threads.
    """
    workers, levels, decisions = workers_of(threads), Levels.of(sets), decisions_of(rules)
    sums = [np.zeros((len(one.folds), len(sets), SUMS)) for one in series]
    # Neighbours share rows of the tables, and every group has its share of short and long horizons.
    order = np.lexsort((sets.rule, levels.target_of, levels.stop_of, sets.horizon))
    beside = min(len(series), max(2, workers // 2))
    parts = min(len(sets), parts or (1 if workers == 1 else max(2, 2 * workers // max(1, beside))))
    columns = (sets.rule, sets.turned, levels.horizon_of, levels.stop_of, levels.target_of, sets.distances)
    made = max((len(rules.window) if one.words is None else len(one.words) for one in series), default=0)
    memory = min(TABLE_BYTES * workers, MOST_TABLE_BYTES) // max(2, beside)
    cuts = [cuts_of(len(one), made, levels, memory) for one in series]
    longest = max((end - base for of_one in cuts for base, end in of_one), default=0)
    rooms = [Room.of(made, levels, longest) for _ in range(min(max(2, beside), sum(map(len, cuts))))]
    piece = piece or (PIECE if workers <= FEW_THREADS else SMALL_PIECE)
    with ThreadPoolExecutor(workers) as pool:
        before: list[tuple[Room, list[Future[None]]]] = []
        for one, out, of_one in zip(series, sums, cuts, strict=True):
            market = pool.submit(market_of, one, decisions.windows)
            legs = legs_of(one.folds, int(sets.horizon.max()), one.step, one.time)
            members = [order[part::parts] for part in range(parts)]
            groups = [Group(some, [column[some] for column in columns]) for some in members]
            walked: list[Future[None] | None] = [None] * parts
            for cut in of_one:
                if not rooms:
                    room, tasks = before.pop(0)
                    _wait(tasks)
                    rooms.append(room)
                stage = Stage.of(one, market, cut, levels, made, rooms.pop())
                stage.writing = [
                    pool.submit(_write, stage, decisions, levels, first, min(stage.end, first + piece))
                    for first in range(*cut, piece)
                ]
                walking = [
                    pool.submit(_walk, stage, legs, group, out, after)
                    for group, after in zip(groups, walked, strict=True)
                ]
                before.append((stage.room, walking))
                walked = list(walking)
        for _, tasks in before:
            _wait(tasks)
    return sums


def _wait(tasks: "Sequence[Future[None]]") -> None:
    for task in tasks:
        task.result()


def cuts_of(candles: int, rules: int, levels: Levels, memory: int) -> list[tuple[int, int]]:
    """The stages of a series in the order of time; neighbours overlap by what a chunk that one ends in may need."""
    a_candle = 4 * levels.touches + 2 * len(levels.horizons) + 2 * rules
    length = max(2 * PIECE, memory // a_candle // AHEAD * AHEAD)
    cuts, base = [], 0
    while base + length + CHUNK < candles:
        cuts.append((base, base + length))
        base += length - CHUNK
    return [*cuts, (base, candles)]


def _write(stage: Stage, decisions: Decisions, levels: Levels, first: int, last: int) -> None:
    """Write the proposals and tables of one piece of a stage."""
    one, market = stage.one, stage.market.result()
    count = -(-(last - first) // WORD)
    if one.words is not None:
        words = np.ascontiguousarray(one.words[:, :, first // WORD : first // WORD + count])
    else:
        words = np.empty((len(decisions.limits), 2, count), np.uint32)
        # A call of its own: compiled together with the tables, both would be optimised twice.
        propose_words(market, decisions, first, last, words)
    write_piece(market, levels.exits, words, first, last, stage.base, stage.ahead, stage.touch, stage.latest)


def _walk(stage: Stage, legs: Sequence[Leg], group: Group, out: Float, after: "Future[None] | None") -> None:
    """Walk a group's sets over a stage, leg by leg, and write the sums of the folds that end in it."""
    _wait([*stage.writing, *([after] if after else [])])
    for number, leg in enumerate(legs):
        ready = leg.source is None or _done(group, leg.source, legs)
        if _done(group, number, legs) or not ready:
            continue
        begin, state = group.at.get(number) or (leg.begin, _begun(leg, group))
        until = leg.until
        if stage.end < until:
            until = max(begin, leg.first + (stage.end - leg.first) // CHUNK * CHUNK)
        if begin < until:
            walk_sets(
                stage.market.result(), stage.ahead, stage.touch, stage.latest, stage.base, *group.columns, leg.first,
                begin, until, leg.last, state,
            )  # fmt: skip
        group.at[number] = until, state
        if until == leg.until and leg.fold is not None:
            finish(state)
            out[leg.fold, group.members] = state[:, STATE - SUMS :]


def _done(group: Group, number: int, legs: Sequence[Leg]) -> bool:
    return number in group.at and group.at[number][0] == legs[number].until


def _begun(leg: Leg, group: Group) -> Float:
    """The state at the beginning of a leg: that at the end of the leg it goes on from, or of a new fold."""
    if leg.source is not None:
        return group.at[leg.source][1].copy()
    state = np.zeros((len(group.members), STATE))
    state[:, 0] = leg.first
    return state
