"""The sweep: statistics of many parameter sets over one or several series, by the outcome rule of simulate.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.validate import check_candles
from sep_trader.qfh.bits import encode_bits, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.research.costs import CostModel, rollovers
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.simulate import candle_prices, daily_rates

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
    Sets that ask other granularities to confirm need it: a sweep does not look at larger candles.
    """

    candles: Candles
    costs: CostModel
    folds: Sequence[tuple[int, int]] | None = None
    scale: Float | None = None
    allowed: dict[int, npt.NDArray[np.int8]] | None = None


def sweep_many(
    jobs: Sequence[SweepJob], sets: Sequence[RuleParameters], *, device: str = "auto", threads: int = 0
) -> list[SweepResult]:
    """Sweep several series with the same sets, as `sweep` does each; on a GPU all of them at once."""
    series, rules, columns = prepared(jobs, sets)
    chosen, sums = _plan().run(series, rules, columns, device, threads)
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
    rules, rule_of_set = plan.rules_of([one.rule for one in sets])
    columns = inputs.SetColumns(
        rule_of_set,
        np.array([one.horizon for one in sets], dtype=np.int64),
        np.array([one.stop_ranges for one in sets]),
        np.array([one.target_ranges for one in sets]),
    )
    return [_series(job, sets) for job in jobs], rules, columns


def on_gpu(device: str) -> bool:
    """Whether a sweep for this device (auto, cpu, cuda) would run on a GPU here. Raises InputError as `sweep` does."""
    return bool(_plan().chosen(device)[0])


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

    candles, n = job.candles, len(job.candles)
    check_candles(candles)
    longest = max(one.window for one in sets)
    if longest > n:
        raise InputError(f"window {longest} is longer than the series of {n} candles", "shorten it or add candles")
    scale = np.ones(n) if job.scale is None else np.ascontiguousarray(job.scale, dtype=np.float64)
    if len(scale) != n or not (np.isfinite(scale) & (scale > 0.0)).all():
        raise InputError("the scale must be finite and above 0 for every candle", f"{n} values in price units")
    folds = [(0, n)] if job.folds is None else list(job.folds)
    for first, last in folds:
        if not 0 <= first <= last <= n:
            raise InputError(f"fold {first}..{last} is outside the series", f"0 <= first <= last <= {n}")
    starts = session_starts(candles.time, candles.granularity.seconds)
    fills, quotes, half, block_low, block_high = candle_prices(candles, job.costs)
    return inputs.Series(
        bits=encode_bits(candles.open, candles.close, starts, Encoder.parse(sets[0].encoder)),
        starts=starts,
        folds=np.array(folds, dtype=np.int64).reshape(-1, 2),
        scale=scale,
        fills=fills,
        quotes=quotes,
        half=half,
        block_low=block_low,
        block_high=block_high,
        slippage=job.costs.slippage,
        nights=rollovers(candles.time).astype(np.int32),
        rates=daily_rates(job.costs),
        allowed=job.allowed,
    )


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
