"""Walk-forward: parameters chosen inside each training part only, judged on the candles after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.simulate import Trades, simulate
from sep_trader.research.strategies import RuleSeries
from sep_trader.research.sweep import SweepJob, SweepResult, sweep_many

Float = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class WalkForwardPlan:
    """How the candles are cut: `folds` test parts of equal length follow each other after a first training part.

    first_train: share of the candles before the first test part. The training part of a fold is everything before
    its test part (anchored) less `purge` candles (the longest horizon) and `embargo` candles.
    """

    folds: int = 5
    first_train: float = 0.4
    embargo: int = 30
    min_trades: int = 60
    """A parameter set with fewer training trades is not chosen: a handful of lucky trades proves nothing."""

    def cuts(self, candles: int, purge: int) -> list[tuple[slice, slice]]:
        """(train, test) slices. Raises InputError when the series is too short."""
        first = int(candles * self.first_train)
        length = (candles - first) // self.folds
        gap = purge + self.embargo
        if length <= gap or first <= 2 * gap:
            raise InputError(
                f"{candles} candles are too few for {self.folds} folds with a gap of {gap}",
                f"import at least {int((gap + 1) * self.folds / (1 - self.first_train)) + 1}",
            )
        starts = [first + k * length for k in range(self.folds)]
        return [(slice(0, s - gap), slice(s, s + length)) for s in starts]


@dataclass(frozen=True, slots=True)
class Grid:
    """The parameter sets to try: the product of the values given, around a base."""

    base: RuleParameters = field(default_factory=RuleParameters)
    window: tuple[int, ...] = (16, 32, 64)
    theta_run: tuple[float, ...] = (0.3, 0.36)
    mode: tuple[str, ...] = ("follow", "fade")
    exits: tuple[tuple[float, float, int], ...] = ((4.0, 6.0, 20), (8.0, 12.0, 45))
    """(stop_ranges, target_ranges, horizon)"""

    def sets(self) -> list[RuleParameters]:
        """Every parameter set, in a fixed order."""
        return [
            replace(self.base, window=w, theta_run=t, mode=m, stop_ranges=s, target_ranges=g, horizon=h)
            for w, t, m, (s, g, h) in product(self.window, self.theta_run, self.mode, self.exits)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """Joined out-of-sample trades. net, stressed: price units a trade; entry_time: seconds since the epoch."""

    entry_time: npt.NDArray[np.int64]
    net: Float
    stressed: Float
    days: npt.NDArray[np.int64]
    """Every UTC day number (days since the epoch) that the test parts cover, traded or not."""
    chosen: list[RuleParameters | None]
    """The parameters chosen in each fold; None where no set traded enough."""
    device: str
    """What swept the training parts."""


def walk_forward(
    candles: Candles,
    grid: Grid,
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
    proposal uses candles up to its own, and the purge keeps trades that would end in the test part out. device,
    threads: as `sweep` takes them.
    """
    sets = grid.sets()
    cuts = plan.cuts(len(candles), max(s.horizon for s in sets))
    series = RuleSeries(candles, grid.base.encoder, (s.window for s in sets))
    swept = _sweep_training(series, sets, costs, cuts, device, threads)
    progress(1, 1 + len(cuts))
    chosen: list[RuleParameters | None] = []
    times, net, stress = [], [], []
    for fold, (_, test) in enumerate(cuts):
        best = best_set(sets, swept.trades[fold], swept.sharpe[fold], plan.min_trades)
        chosen.append(best)
        if best is not None:
            plain, worse = _trades(series, best, costs, test), _trades(series, best, stressed, test)
            times.append(candles.time[test][plain.entry])
            net.append(plain.net)
            # Stress moves fills, so its trades need not be the same ones: only their mean is used.
            stress.append(worse.net)
        progress(2 + fold, 1 + len(cuts))
    covered = np.concatenate([np.unique(candles.time[test] // 86_400) for _, test in cuts])
    return OutOfSample(
        entry_time=np.concatenate(times) if times else np.zeros(0, np.int64),
        net=np.concatenate(net) if net else np.zeros(0),
        stressed=np.concatenate(stress) if stress else np.zeros(0),
        days=np.unique(covered),
        chosen=chosen,
        device=swept.device,
    )


def best_set(sets: Sequence[RuleParameters], trades: Float, sharpe: Float, min_trades: int) -> RuleParameters | None:
    """The set whose trades in one training part have the highest Sharpe ratio, among those with enough of them.

    trades, sharpe: float64[sets]. In one part all ratios are of the same years, so that it is the highest t-statistic.
    """
    usable = (trades >= max(2, min_trades)) & np.isfinite(sharpe)
    if not usable.any():
        return None
    return sets[int(np.argmax(np.where(usable, sharpe, -np.inf)))]


def _sweep_training(
    series: RuleSeries,
    sets: Sequence[RuleParameters],
    costs: CostModel,
    cuts: Sequence[tuple[slice, slice]],
    device: str,
    threads: int,
) -> SweepResult:
    """Statistics of every set in every training part: arrays [folds, sets]."""
    confirm = sets[0].confirm
    job = SweepJob(
        series.candles,
        costs,
        folds=[(train.start, train.stop) for train, _ in cuts],
        # Where there is no range yet, nothing is allowed, and the scale is not looked at.
        scale=np.where(series.mean_range > 0.0, series.mean_range, 1.0),
        allowed={s.window: series.allowed(confirm, s.window) for s in sets},
    )
    return sweep_many([job], sets, device=device, threads=threads)[0]


def _trades(series: RuleSeries, parameters: RuleParameters, costs: CostModel, part: slice) -> Trades:
    """Trades of a parameter set inside one test part.

    No trade crosses the ends of the part. The metrics know the candles before it. Indices count from its start.
    """
    proposals = series.propose(parameters)
    columns = (proposals.side[part], proposals.stop[part], proposals.target[part])
    return simulate(series.candles.take(part), *columns, parameters.horizon, costs)


def daily_totals(entry_time: npt.NDArray[np.int64], net: Float, days: npt.NDArray[np.int64]) -> Float:
    """Sum of net outcomes per UTC day of entry, one value for every day covered; a day without trades is 0."""
    totals = np.zeros(len(days))
    np.add.at(totals, np.searchsorted(days, entry_time // 86_400), net)
    return totals
