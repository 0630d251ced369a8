"""Walk-forward: parameters chosen inside each training part only, judged on the candles after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.research.costs import CostModel
from sep_trader.research.strategies import RuleParameters, metrics_by_window, propose_from
from sep_trader.research.sweep import Trades, simulate

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
        fixed = self.base.to_json()
        return [
            RuleParameters.from_json(
                {**fixed, "window": w, "theta_run": t, "mode": m, "stop_ranges": s, "target_ranges": g, "horizon": h}
            )
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


def walk_forward(
    candles: Candles, grid: Grid, costs: CostModel, stressed: CostModel, plan: WalkForwardPlan, progress: Progress
) -> OutOfSample:
    """Run every fold and join its test trades. `progress(done, total)` is called after each parameter set of a fold.

    Signals of the training part never see the test part: every proposal uses candles up to its own, and trades that
    would end behind the training part are kept out by the purge.
    """
    sets = grid.sets()
    cuts = plan.cuts(len(candles), max(s.horizon for s in sets))
    trades_of = _simulator(candles, sets)
    every = []
    for k, parameters in enumerate(sets):
        every.append(trades_of(parameters, costs))
        progress(k + 1, len(sets))
    chosen = [best_set(sets, every, train, plan.min_trades) for train, _ in cuts]
    times, net, stress = [], [], []
    for best, (_, test) in zip(chosen, cuts, strict=True):
        if best is None:
            continue
        plain, worse = trades_of(best, costs, test), trades_of(best, stressed, test)
        times.append(candles.time[test][plain.entry])
        net.append(plain.net)
        # Stress moves fills, so its trades need not be the same ones: only their mean is used.
        stress.append(worse.net)
    covered = np.concatenate([np.unique(candles.time[test] // 86_400) for _, test in cuts])
    return OutOfSample(
        entry_time=np.concatenate(times) if times else np.zeros(0, np.int64),
        net=np.concatenate(net) if net else np.zeros(0),
        stressed=np.concatenate(stress) if stress else np.zeros(0),
        days=np.unique(covered),
        chosen=chosen,
    )


def best_set(
    sets: Sequence[RuleParameters], trades: Sequence[Trades], train: slice, min_trades: int
) -> RuleParameters | None:
    """The set with the highest t-statistic of net outcome among trades that lie wholly inside `train`."""
    best: RuleParameters | None = None
    best_score = -np.inf
    for parameters, of_set in zip(sets, trades, strict=True):
        net = of_set.net[of_set.exit < train.stop]
        deviation = float(net.std(ddof=1)) if len(net) >= max(2, min_trades) else 0.0
        if deviation == 0.0:
            continue
        score = float(net.mean()) / deviation * np.sqrt(len(net))
        if score > best_score:
            best, best_score = parameters, score
    return best


def _simulator(candles: Candles, sets: Sequence[RuleParameters]) -> Callable[..., Trades]:
    """Trades of a parameter set over all candles or one part of them, with the metrics of each window computed once.

    Trade indices count from the part's start.
    """
    encoders = {s.encoder for s in sets}
    cache = {e: metrics_by_window(candles, e, sorted({s.window for s in sets if s.encoder == e})) for e in encoders}

    def trades_of(parameters: RuleParameters, model: CostModel, part: slice | None = None) -> Trades:
        by_window, mean_range = cache[parameters.encoder]
        proposals = propose_from(candles, parameters, by_window[parameters.window], mean_range)
        if part is None:
            return simulate(candles, proposals.side, proposals.stop, proposals.target, parameters.horizon, model)
        # The test part alone, so that no trade crosses its ends; metrics keep their history.
        return simulate(
            candles.take(part),
            proposals.side[part],
            proposals.stop[part],
            proposals.target[part],
            parameters.horizon,
            model,
        )

    return trades_of


def daily_totals(entry_time: npt.NDArray[np.int64], net: Float, days: npt.NDArray[np.int64]) -> Float:
    """Sum of net outcomes per UTC day of entry, one value for every day covered; a day without trades is 0."""
    totals = np.zeros(len(days))
    np.add.at(totals, np.searchsorted(days, entry_time // 86_400), net)
    return totals
