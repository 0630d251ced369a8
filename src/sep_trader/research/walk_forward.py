"""Walk-forward: parameters chosen inside each training part only, judged on the candles after it."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.backtest import TradeTable, table_of
from sep_trader.research.costs import CostModel
from sep_trader.research.function_grid import FunctionGrid
from sep_trader.research.grid import Grid
from sep_trader.research.learning import LearnedGrid, Learning
from sep_trader.research.pricing import priced
from sep_trader.research.simulate import ExitReason, Trades, simulate
from sep_trader.research.strategies import Proposals
from sep_trader.research.sweep import on_gpu
from sep_trader.research.training_sweep import FunctionTraining, RuleTraining, series_of

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
P = TypeVar("P")
AnyGrid = Grid | FunctionGrid | LearnedGrid
AnySeries = RuleTraining | FunctionTraining | Learning
Cuts = Sequence[tuple[slice, slice]]


ORIGIN = 946_684_800
"""2000-01-01T00:00:00Z, seconds since the epoch: a Saturday, so that every fold begins while the market is closed."""
WEEK = 7 * 86_400
BLOCKS = 16
_FOLD_WEEKS = ((5 * 60, 1), (30 * 60, 4), (2 * 3600, 13), (12 * 3600, 26))
"""Candles of up to so many seconds are cut into folds of so many weeks."""
_LONGEST_FOLD_WEEKS = 52


@dataclass(frozen=True, slots=True)
class WalkForwardPlan:
    """How the candles are cut: calendar folds, each one a test part with everything before it to train on.

    The folds begin `fold_weeks` (None: as the granularity asks) apart from `origin` on, whatever candles there are. So
    more candles add test trades and change none. The training part of a fold is everything from `origin` on before its
    test part (anchored) less `purge` candles (the longest horizon) and `embargo` candles; a fold whose training part
    would be shorter than twice that gap is not tested. origin: seconds since the epoch.
    """

    fold_weeks: int | None = None
    embargo: int = 30
    min_trades: int = 60
    """A parameter set with fewer training trades is not chosen: a handful of lucky trades proves nothing."""
    origin: int = ORIGIN

    def seconds(self, granularity: Granularity) -> int:
        """Length of a fold in seconds."""
        by_length = (weeks for longest, weeks in _FOLD_WEEKS if granularity.seconds <= longest)
        return WEEK * (self.fold_weeks or next(by_length, _LONGEST_FOLD_WEEKS))

    def cuts(self, candles: Candles, purge: int) -> list[tuple[slice, slice]]:
        """(train, test) slices. Raises InputError when there is no fold to test."""
        length, gap = self.seconds(candles.granularity), purge + self.embargo
        begin = int(np.searchsorted(candles.time, self.origin))
        fold = (candles.time[begin:] - self.origin) // length
        starts = begin + np.flatnonzero(np.diff(fold, prepend=-1))
        ends = [*starts[1:].tolist(), len(candles)]
        cuts = [
            (slice(begin, start - gap), slice(start, end))
            for start, end in zip(starts.tolist(), ends, strict=True)
            if start - gap - begin > 2 * gap
        ]
        if not cuts:
            weeks = length // WEEK
            raise InputError(
                f"{len(candles)} candles are too few to test on: folds of {weeks} week{'s' * (weeks != 1)} begin on "
                f"Saturdays, and {3 * gap + 1} candles must precede one",
                "import more",
            )
        return cuts


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Out-of-sample trades, oldest first, as columns of one length. Those that are open at the end of the candles are
    not among them.

    decided: close of the candle that proposed it; entry_time: of its fill; left: close of the candle that it leaves in;
    all seconds since the epoch. net, stop, target, spread: price units, the spread as seen at `decided`. price: the
    mid price then. horizon: candles.
    """

    decided: Int
    entry_time: Int
    left: Int
    net: Float
    stop: Float
    target: Float
    spread: Float
    price: Float
    horizon: Int
    side: Int

    def __len__(self) -> int:
        return len(self.net)

    def digest(self) -> str:
        """SHA-256 over the columns as little-endian bytes."""
        digest = hashlib.sha256()
        for one in fields(self):
            column = getattr(self, one.name)
            digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """What a walk forward found. stressed: net outcomes at the stressed costs, price units a trade."""

    trades: HeldOut
    table: TradeTable
    """The same trades with their fills, reasons and excursions."""
    stressed: Float
    open_trades: int
    """Trades that had not ended with the last candle."""
    days: Int
    """Every UTC day number (days since the epoch) that the test parts cover, traded or not."""
    chosen: list[Any]
    """The parameters chosen in each fold; None where no set traded enough, or none paid its costs."""
    device: str
    """What swept the training parts."""
    blocks: Float
    """Net result of every set in each of 16 equal blocks of all candles: float64[16, sets], price units."""
    learned: dict[str, Any] | None = None
    """Of a model that learns: calibration, Brier score and importance of its features out of sample."""

    @property
    def entry_time(self) -> Int:
        """When each trade was filled, seconds since the epoch."""
        return self.trades.entry_time

    @property
    def net(self) -> Float:
        """Net outcome of each trade, price units."""
        return self.trades.net


def walk_forward(
    candles: Candles,
    grid: AnyGrid,
    costs: CostModel,
    stressed: CostModel,
    plan: WalkForwardPlan,
    progress: Progress,
    *,
    device: str = "auto",
    threads: int = 0,
) -> OutOfSample:
    """Run every fold and join its test trades. `progress(done, total)` is called after the sweep and after each fold.

    All sets are swept over all training parts in one go. Signals of a training part never see its test part: every
    proposal uses candles up to its own, and the purge keeps trades that would end in the test part out. One position at
    a time, across folds, too: a trade that is open when its fold ends keeps its exits. The result on a longer history
    begins with the result on this one. device, threads: as `sweep` takes them.
    """
    on_gpu(device, 0.0)  # A device that is not there is said first.
    cuts = plan.cuts(candles, longest(grid))
    if isinstance(grid, LearnedGrid):
        way = _by_learning(candles, grid, costs, cuts, plan)
    else:
        way = _by_sweeping(candles, grid, costs, cuts, plan, device, threads)
    progress(1, 1 + len(cuts))
    chosen: list[Any] = []
    plain, worse = _Tester(way.series, costs), _Tester(way.series, stressed)
    for fold, (_, test) in enumerate(cuts):
        best = way.choose(fold)
        chosen.append(best)
        if best is not None:
            plain.test(best, test)
            # Stress moves fills, so its trades need not be the same ones: only their mean is used.
            worse.test(best, test)
        progress(2 + fold, 1 + len(cuts))
    covered = np.concatenate([np.unique(candles.time[test] // 86_400) for _, test in cuts])
    tests = [test for _, test in cuts]
    return OutOfSample(
        trades=plain.joined(),
        table=plain.table(costs.pip),
        stressed=worse.joined().net,
        open_trades=plain.open,
        days=np.unique(covered),
        chosen=chosen,
        device=way.device,
        blocks=way.blocks,
        learned=way.series.quality(chosen, tests) if isinstance(way.series, Learning) else None,
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """How a fold's parameters are chosen. choose: by the fold's number; None where nothing is."""

    series: AnySeries
    choose: Callable[[int], Any]
    device: str
    blocks: Float


def _by_sweeping(
    candles: Candles,
    grid: Grid | FunctionGrid,
    costs: CostModel,
    cuts: Cuts,
    plan: WalkForwardPlan,
    device: str,
    threads: int,
) -> _Way:
    """Sweep all sets over all training parts in one go; each fold takes the best of its own."""
    sets: list[Any] = list(grid.sets())
    series = series_of(candles, sets)
    swept = series.sweep(sets, costs, [(train.start, train.stop) for train, _ in cuts], device, threads)
    blocks = series.sweep(sets, costs, _blocks(len(candles)), device, threads).net

    def choose(fold: int) -> Any:
        return best_set(sets, swept.trades[fold], swept.sharpe[fold], plan.min_trades)

    return _Way(series, choose, swept.device, blocks)


def _by_learning(candles: Candles, grid: LearnedGrid, costs: CostModel, cuts: Cuts, plan: WalkForwardPlan) -> _Way:
    """Fit in each training part. There are no sets to compare over blocks."""
    series = Learning.of(candles, costs)
    none = np.zeros((BLOCKS, 1))
    return _Way(series, lambda fold: series.fit(grid, cuts[fold][0], plan.min_trades), "cpu", none)


def _blocks(n: int) -> list[tuple[int, int]]:
    """Blocks of equal length, first and last candle."""
    ends = np.linspace(0, n, BLOCKS + 1).astype(int).tolist()
    return list(itertools.pairwise(ends))


def at_costs(
    candles: Candles, chosen: Sequence[Any], grid: AnyGrid, costs: Sequence[CostModel], plan: WalkForwardPlan
) -> list[HeldOut]:
    """The test trades of sets that were chosen already, at other costs, one after the other."""
    sets: list[Any] = list(grid.sets())
    series = Learning.of(candles, costs[0]) if isinstance(grid, LearnedGrid) else series_of(candles, sets)
    cuts, found = plan.cuts(candles, longest(grid)), []
    for one in costs:
        tester = _Tester(series, one)
        for best, (_, test) in zip(chosen, cuts, strict=True):
            if best is not None:
                tester.test(best, test)
        found.append(tester.joined())
    return found


def longest(grid: AnyGrid) -> int:
    """The longest horizon of a grid, candles."""
    if isinstance(grid, LearnedGrid):
        return max(one[2] for one in grid.exits)
    return max(one.horizon for one in grid.sets())


def best_set(sets: Sequence[P], trades: Float, sharpe: Float, min_trades: int) -> P | None:
    """The set whose trades in one training part have the highest Sharpe ratio, among those with enough of them; None
    where none of them paid its costs.

    trades, sharpe: float64[sets]. In one part all ratios are of the same years, so that it is the highest t-statistic.
    """
    usable = (trades >= max(2, min_trades)) & np.isfinite(sharpe) & (sharpe > 0)
    if not usable.any():
        return None
    return sets[int(np.argmax(np.where(usable, sharpe, -np.inf)))]


class _Tester:
    """Trades fold after fold, one position at a time."""

    def __init__(self, series: AnySeries, costs: CostModel) -> None:
        self.series, self.costs = series, costs
        self._terms = standard_instrument(series.candles.instrument)
        self.open = 0
        self._free_from = 0
        """The candle in which the newest trade left: proposals of earlier ones are ignored."""
        self._found: list[HeldOut] = []
        self._tables: list[tuple[Candles, Trades, Proposals]] = []

    def test(self, parameters: Any, part: slice) -> None:
        """Trade what a parameter set proposes inside a test part, each trade to its own end.

        The metrics know the candles before the part. A trade that has not ended with the series is only counted.
        """
        candles, proposals = (
            self.series.candles,
            priced(self.series.propose(parameters), self.series.candles.spread, self._terms),
        )
        step = candles.granularity.seconds
        latest = int(candles.time[part.stop - 1]) + (1 + parameters.horizon) * step
        # The candle in which the last horizon ends, for trades that the fold's last candle proposes.
        reach = slice(part.start, min(len(candles), int(np.searchsorted(candles.time, latest)) + 1))
        side = proposals.side[reach].copy()
        side[part.stop - part.start :] = 0
        side[: max(0, self._free_from - part.start)] = 0
        columns = (side, proposals.stop[reach], proposals.target[reach])
        trades = simulate(
            candles.take(reach), *columns, parameters.horizon, self.costs, digits=self._terms.display_precision,
            side_closes=getattr(parameters, "side_closes", False),
        )  # fmt: skip
        ended = trades.reason != ExitReason.END
        self.open += int(np.count_nonzero(~ended))
        if len(trades):
            self._free_from = part.start + int(trades.exit[-1]) if ended[-1] else len(candles)
        entry, leave = part.start + trades.entry[ended], part.start + trades.exit[ended]
        at = entry - 1
        self._tables.append((candles, trades.shifted(part.start).take(ended), proposals))
        self._found.append(
            HeldOut(
                decided=candles.time[at] + step,
                entry_time=candles.time[entry],
                left=candles.time[leave] + step,
                net=trades.net[ended],
                stop=proposals.stop[at],
                target=proposals.target[at],
                spread=candles.spread[at],
                price=candles.close[at],
                horizon=np.full(len(at), parameters.horizon, np.int64),
                side=trades.side[ended].astype(np.int64),
            )
        )

    def table(self, pip: float) -> TradeTable:
        """The trades of all folds with their fills."""
        return TradeTable.join([table_of(*one, pip) for one in self._tables])

    def joined(self) -> HeldOut:
        """The trades of all folds."""
        kinds = {f.name: np.float64 if f.type is Float or f.type == "Float" else np.int64 for f in fields(HeldOut)}
        empty = {name: np.zeros(0, kind) for name, kind in kinds.items()}
        columns = {
            name: np.concatenate([none, *(getattr(one, name) for one in self._found)]) for name, none in empty.items()
        }
        return HeldOut(**columns)


def daily_totals(entry_time: npt.NDArray[np.int64], net: Float, days: npt.NDArray[np.int64]) -> Float:
    """Sum of net outcomes per UTC day of entry, one value for every day covered; a day without trades is 0."""
    totals = np.zeros(len(days))
    np.add.at(totals, np.searchsorted(days, entry_time // 86_400), net)
    return totals
