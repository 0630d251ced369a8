"""The sweep: statistics of many parameter sets over one or several series, by the outcome rule of simulate.py."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.validate import check_candles
from sep_trader.research.costs import CostModel
from sep_trader.research.parameters import LONGEST_HORIZON, RuleParameters

if TYPE_CHECKING:
    from sep_trader.research.kernels import inputs

Float = npt.NDArray[np.float64]
SECONDS_PER_YEAR = 365.25 * 86400
# Trades whose variance is below this share of their mean square are all alike, but for rounding.
EQUAL = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """Statistics of every set: arrays [sets], or [folds, sets] where folds were asked for.

    trades, wins: counts (a win has a positive net). gross, net: sums over the trades, per unit, in price units.
    sharpe: mean over standard deviation of the trades' net, times the root of trades a year; NaN below two trades and
    where all are alike. max_drawdown: deepest fall of the net sum at the exits. expectancy: net a trade, NaN without
    one. device: where it was computed.
    """

    trades: Float
    wins: Float
    gross: Float
    net: Float
    sharpe: Float
    max_drawdown: Float
    expectancy: Float
    device: str

    def placed(self, into: "SweepResult | None", numbers: Sequence[int], sets: int) -> "SweepResult":
        """These sets' columns at their numbers among all sets; the others as `into` has them, NaN where it is None."""
        columns: dict[str, Float] = {}
        for one in fields(self)[:-1]:
            part: Float = getattr(self, one.name)
            whole = np.full((*part.shape[:-1], sets), np.nan) if into is None else getattr(into, one.name)
            whole[..., list(numbers)] = part
            columns[one.name] = whole
        return SweepResult(**columns, device=self.device)


def sweep(
    candles: Candles,
    sets: Sequence[RuleParameters],
    costs: CostModel,
    *,
    folds: Sequence[tuple[int, int]] | None = None,
    scale: Float | None = None,
    device: str = "auto",
    threads: int = 0,
) -> SweepResult:
    """Compute the statistics of many parameter sets over one series, by the outcome rule of `simulate`.

    sets: of one encoder. folds: candle ranges [first, last) to run each on its own: trades start and end inside.
    scale: float64[N], what a stop or target of 1 is worth in price units, 1 where left out. device: auto, cpu or cuda;
    auto says in the result what it took, and why. threads: 0 for all cores; the result is the same to the last bit for
    any number.
    Raises InputError for bad prices, times, sets or folds, for a window longer than the series, and for no GPU.
    """
    return sweep_many([SweepJob(candles, costs, folds, scale)], sets, device=device, threads=threads)[0]


@dataclass(frozen=True, slots=True, eq=False)
class SweepJob:
    """One series of a sweep: its candles, costs, folds and scale, as `sweep` takes them.

    allowed: by window, int8[N], the signs of the trend that count at each candle (AllowedTrend), both where left out.
    Sets that ask other granularities to confirm need it: a sweep does not look at larger candles. sides: int8[P, N],
    what any strategy proposes at each candle, -1, 0 or 1; see `sweep_sides`.
    """

    candles: Candles
    costs: CostModel
    folds: Sequence[tuple[int, int]] | None = None
    scale: Float | None = None
    allowed: dict[int, npt.NDArray[np.int8]] | None = None
    sides: npt.NDArray[np.int8] | None = None


def sweep_many(
    jobs: Sequence[SweepJob], sets: Sequence[RuleParameters], *, device: str = "auto", threads: int = 0
) -> list[SweepResult]:
    """Sweep several series with the same sets, as `sweep` does each; on a GPU all of them at once."""
    series, rules, columns = prepared(jobs, sets)
    chosen, sums = _plan().run(series, rules, columns, device, threads)
    return [_result(job, found, chosen) for job, found in zip(jobs, sums, strict=True)]


def sweep_sides(
    jobs: Sequence[SweepJob],
    exits: Sequence[tuple[int, float, float, int]],
    *,
    device: str = "auto",
    threads: int = 0,
) -> list[SweepResult]:
    """Sweep what any strategy proposes: every job's `sides` with every exit, as `sweep_many` does for the rule.

    exits: (row of sides, stop, target, horizon) a set; stop and target in units of the job's scale, inf for none.
    """
    plan = _plan()
    from sep_trader.research.kernels import inputs

    rows = min((0 if job.sides is None else len(job.sides) for job in jobs), default=0)
    for row, stop, target, horizon in exits:
        if not (0 <= row < rows and stop > 0.0 and target > 0.0 and 1 <= horizon <= LONGEST_HORIZON):
            raise InputError(
                f"exit {(row, stop, target, horizon)} is out of range",
                f"a row below {rows}, distances above 0, a horizon of 1..{LONGEST_HORIZON} candles",
            )
    if not exits:
        raise InputError("no exits to sweep", "give at least one")
    row_of, stops, targets, horizons = (np.array(column) for column in zip(*exits, strict=True))
    columns = inputs.SetColumns(
        row_of.astype(np.int64),
        np.zeros(len(exits), np.int64),
        horizons.astype(np.int64),
        stops.astype(np.float64),
        targets.astype(np.float64),
    )
    with ThreadPoolExecutor() as pool:
        series = list(pool.map(lambda job: _series(job, [RuleParameters()]), jobs))
    none = inputs.Rules(np.zeros(0, np.int64), np.zeros((0, 3)))
    chosen, sums = plan.run(series, none, columns, device, threads)
    return [_result(job, found, chosen) for job, found in zip(jobs, sums, strict=True)]


def prepared(
    jobs: Sequence[SweepJob], sets: Sequence[RuleParameters]
) -> "tuple[list[inputs.Series], inputs.Rules, inputs.SetColumns]":
    """Check what a sweep is given and turn it into what the kernels read. Raises InputError as `sweep` does."""
    plan = _plan()
    from sep_trader.research.kernels import inputs

    if not sets:
        raise InputError("no parameter sets to sweep", "give at least one")
    encoders = {one.encoder for one in sets}
    if len(encoders) > 1:
        raise InputError(f"sets of {len(encoders)} encoders in one sweep", "sweep each encoder's sets on their own")
    if any(one.confirm for one in sets) and any(job.allowed is None for job in jobs):
        raise InputError("sets that ask for confirmation need the signs allowed", "RuleSeries.allowed gives them")
    rules, rule_of_set, turned = plan.rules_of([one.rule for one in sets])
    columns = inputs.SetColumns(
        rule_of_set,
        turned,
        np.array([one.horizon for one in sets], dtype=np.int64),
        np.array([one.stop_ranges for one in sets]),
        np.array([one.target_ranges for one in sets]),
    )
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda job: _series(job, sets), jobs)), rules, columns


def on_gpu(device: str, work: float) -> bool:
    """Whether a sweep of so many candles x sets would run on a GPU here. Raises InputError as `sweep` does.

    device: auto, cpu or cuda.
    """
    return bool(_plan().chosen(device, work)[0])


def _plan() -> ModuleType:
    """The compiled kernels, loaded at their first use; raises InputError where numba is not installed."""
    try:
        from sep_trader.research.kernels import plan
    except ImportError:
        raise InputError("a sweep needs numba, which is not installed", "pip install 'sep-trader[research]'") from None
    return plan


def _series(job: SweepJob, sets: Sequence[RuleParameters]) -> "inputs.Series":
    """Check one job and prepare its arrays."""
    from sep_trader.research.kernels import inputs
    from sep_trader.research.kernels.tables import checked

    candles, n = job.candles, len(job.candles)
    opening, high, low, close, spread = (
        np.ascontiguousarray(column, dtype=np.float64)
        for column in (candles.open, candles.high, candles.low, candles.close, candles.spread)
    )
    if checked(opening, high, low, close, spread, candles.time) >= 0:
        check_candles(candles)
    longest = max(one.window for one in sets)
    if job.sides is None and longest > n:
        raise InputError(f"window {longest} is longer than the series of {n} candles", "shorten it or add candles")
    scale = None if job.scale is None else np.ascontiguousarray(job.scale, dtype=np.float64)
    if scale is not None and (len(scale) != n or not (np.isfinite(scale) & (scale > 0.0)).all()):
        raise InputError("the scale must be finite and above 0 for every candle", f"{n} values in price units")
    folds = [(0, n)] if job.folds is None else list(job.folds)
    for first, last in folds:
        if not 0 <= first <= last <= n:
            raise InputError(f"fold {first}..{last} is outside the series", f"0 <= first <= last <= {n}")
    return inputs.Series(
        open=opening,
        high=high,
        low=low,
        close=close,
        spread=spread,
        time=candles.time,
        step=candles.granularity.seconds,
        spread_multiplier=job.costs.spread_multiplier,
        slippage=job.costs.slippage,
        rates=job.costs.daily_rates,
        folds=np.array(folds, dtype=np.int64).reshape(-1, 2),
        encoder=sets[0].encoder,
        scale=scale,
        allowed=job.allowed,
        words=None if job.sides is None else _words(job.sides, n),
    )


def _words(sides: npt.NDArray[np.int8], n: int) -> npt.NDArray[np.uint32]:
    from sep_trader.research.kernels.proposals import pack_sides

    if sides.ndim != 2 or sides.shape[1] != n:
        raise InputError(f"proposals of shape {sides.shape} for {n} candles", "one row of -1, 0 and 1 a set")
    return pack_sides(np.ascontiguousarray(sides, dtype=np.int8))


def _result(job: SweepJob, sums: Float, device: str) -> SweepResult:
    """Statistics from the sums [folds, sets, SUMS]."""
    time, n = job.candles.time, len(job.candles)
    folds = [(0, n)] if job.folds is None else job.folds
    spans = [int(time[last - 1] - time[first]) if last > first else 0 for first, last in folds]
    years = np.array(spans) / SECONDS_PER_YEAR
    trades, wins, gross, net, squares, _, drawdown = np.moveaxis(sums, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = net / trades
        variance = (squares - trades * mean * mean) / (trades - 1.0)
        usable = (trades >= 2.0) & (variance > EQUAL * squares / trades) & (years[:, None] > 0.0)
        sharpe = np.where(usable, mean / np.sqrt(variance) * np.sqrt(trades / years[:, None]), np.nan)
    columns = [trades, wins, gross, net, sharpe, drawdown, mean]
    if job.folds is None:
        columns = [column[0] for column in columns]
    trades, wins, gross, net, sharpe, drawdown, mean = (np.ascontiguousarray(column) for column in columns)
    return SweepResult(trades, wins, gross, net, sharpe, drawdown, mean, device)
