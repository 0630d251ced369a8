"""What a training part says of every set: the QFH rule by its kernels, any other strategy by its sides. Pure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.function_rule import FunctionParameters
from sep_trader.research.kernels.inputs import AllowedTrend
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import priced, too_near, whole_ticks
from sep_trader.research.simulate import simulate
from sep_trader.research.strategies import Proposals, RuleSeries, mean_candle_range
from sep_trader.research.sweep import EQUAL, SECONDS_PER_YEAR, SweepJob, SweepResult, sweep_many, sweep_sides
from sep_trader.strategies.port import Entries

Float = npt.NDArray[np.float64]
Folds = Sequence[tuple[int, int]]


def series_of(
    candles: Candles, sets: "Sequence[RuleParameters] | Sequence[FunctionParameters]"
) -> "RuleTraining | FunctionTraining":
    """The series of one strategy's sets."""
    first = sets[0]
    if isinstance(first, RuleParameters):
        return RuleTraining(candles, first.encoder, (one.window for one in sets if isinstance(one, RuleParameters)))
    return FunctionTraining(candles)


class RuleTraining(RuleSeries):
    """A series for the QFH rule."""

    def sweep(
        self, sets: Sequence[RuleParameters], costs: CostModel, folds: Folds, device: str, threads: int
    ) -> SweepResult:
        """Statistics of every set in every fold: arrays [folds, sets]."""
        # Where there is no range yet, nothing is allowed, and the scale is not looked at.
        scale = np.where(self.mean_range > 0.0, self.mean_range, 1.0)
        terms, spread = standard_instrument(self.candles.instrument), self.candles.spread
        found: SweepResult | None = None
        # Sets of one stop share the candles at which it is too near, those of one confirmation its trend.
        for stop, confirm in dict.fromkeys((one.stop_ranges, one.confirm) for one in sets):
            numbers = [at for at, one in enumerate(sets) if (one.stop_ranges, one.confirm) == (stop, confirm)]
            near = too_near(whole_ticks(stop * scale, terms), spread)
            allowed = {
                window: np.where(near, AllowedTrend.NONE, self.allowed(confirm, window)).astype(np.int8)
                for window in {sets[at].window for at in numbers}
            }
            job = SweepJob(self.candles, costs, folds, scale, allowed)
            part = sweep_many([job], [sets[at] for at in numbers], device=device, threads=threads)[0]
            found = part.placed(found, numbers, len(sets))
        assert found is not None  # noqa: S101 - a grid has at least one set
        return found


class FunctionTraining:
    """A series for a strategy that is a function; what it proposes is computed once for each choice of values."""

    def __init__(self, candles: Candles) -> None:
        self.candles = candles
        self.mean_range = mean_candle_range(candles)
        self._entries: dict[object, Entries] = {}

    def entries(self, parameters: FunctionParameters) -> Entries:
        """The sides of a set, and the strategy's own distances."""
        if parameters.rule not in self._entries:
            made = parameters.found.strategy.entries(self.candles, dict(parameters.values))
            self._entries[parameters.rule] = made
        return self._entries[parameters.rule]

    def propose(self, parameters: FunctionParameters) -> Proposals:
        """What a set proposes at each candle's close."""
        made = self.entries(parameters)
        return parameters.assembled(made.side.astype(np.int8), made.stop, made.target, self.mean_range)

    def sweep(
        self, sets: Sequence[FunctionParameters], costs: CostModel, folds: Folds, device: str, threads: int
    ) -> SweepResult:
        """Statistics of every set in every fold: arrays [folds, sets]."""
        own = [at for at, one in enumerate(sets) if not self._by_ranges(one)]
        scaled = [at for at in range(len(sets)) if at not in set(own)]
        found: SweepResult | None = None
        if scaled:
            found = self._swept([sets[at] for at in scaled], costs, folds, device, threads).placed(
                None, scaled, len(sets)
            )
        if own:
            found = self._walked([sets[at] for at in own], costs, folds).placed(found, own, len(sets))
        assert found is not None  # noqa: S101 - a grid has at least one set
        return found

    def _by_ranges(self, parameters: FunctionParameters) -> bool:
        made = self.entries(parameters)
        return made.stop is None and made.target is None and not parameters.side_closes

    def _swept(
        self, sets: Sequence[FunctionParameters], costs: CostModel, folds: Folds, device: str, threads: int
    ) -> SweepResult:
        """Sets whose exits are multiples of the mean range: all at once, by their sides."""
        known = np.isfinite(self.mean_range) & (self.mean_range > 0)
        scale = np.where(known, self.mean_range, 1.0)
        terms, spread = standard_instrument(self.candles.instrument), self.candles.spread
        row_of: dict[object, int] = {}
        rows: list[npt.NDArray[np.int8]] = []
        for one in sets:
            # Sets that share their signals and their stop share a row.
            if (one.rule, one.stop_ranges) not in row_of:
                row_of[one.rule, one.stop_ranges] = len(rows)
                near = too_near(whole_ticks(one.stop_ranges * scale, terms), spread)
                rows.append(np.where(known & ~near, self.entries(one).side, 0).astype(np.int8))
        exits = [(row_of[one.rule, one.stop_ranges], one.stop_ranges, one.target_ranges, one.horizon) for one in sets]
        job = SweepJob(self.candles, costs, folds, scale, sides=np.stack(rows))
        return sweep_sides([job], exits, device=device, threads=threads)[0]

    def _walked(self, sets: Sequence[FunctionParameters], costs: CostModel, folds: Folds) -> SweepResult:
        """Sets with distances of their own, or that close by their side, one after the other."""
        columns = {name: np.full((len(folds), len(sets)), np.nan) for name in _COLUMNS}
        terms = standard_instrument(self.candles.instrument)
        for at, one in enumerate(sets):
            made = priced(self.propose(one), self.candles.spread, terms)
            for fold, (first, last) in enumerate(folds):
                part = slice(first, last)
                if last - first < 2:
                    continue
                trades = simulate(
                    self.candles.take(part), made.side[part], made.stop[part], made.target[part], one.horizon, costs,
                    digits=terms.display_precision, side_closes=one.side_closes,
                )  # fmt: skip
                seconds = float(self.candles.time[last - 1] - self.candles.time[first])
                for name, value in _figures(trades.gross, trades.net, seconds / SECONDS_PER_YEAR).items():
                    columns[name][fold, at] = value
        return SweepResult(**columns, device="cpu")


_COLUMNS = ("trades", "wins", "gross", "net", "sharpe", "max_drawdown", "expectancy")


def _figures(gross: Float, net: Float, years: float) -> dict[str, float]:
    """The statistics of one set's trades, as a sweep gives them."""
    count = len(net)
    total = np.cumsum(net)
    fall = float((np.maximum.accumulate(np.maximum(total, 0.0)) - total).max()) if count else 0.0
    deviation = float(net.std(ddof=1)) if count > 1 else 0.0
    told = deviation**2 > EQUAL * float((net**2).mean()) if count > 1 and years > 0 else False
    sharpe = float(net.mean()) / deviation * np.sqrt(count / years) if told else np.nan
    mean = float(net.mean()) if count else np.nan
    values = (count, int((net > 0).sum()), float(gross.sum()), float(net.sum()), sharpe, fall, mean)
    return dict(zip(_COLUMNS, values, strict=True))
