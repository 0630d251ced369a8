"""The outcome of proposals: individual trades of one parameter set, and statistics of many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import product
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.qfh.bits import encode_bits, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import check_window
from sep_trader.research.costs import CostModel, rollovers
from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.trades import run_trades, trade_prices

if TYPE_CHECKING:
    from sep_trader.research.kernels import plan

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
DAYS_PER_YEAR = 365.0
SECONDS_PER_YEAR = 365.25 * 86400
# Trades whose variance is below this share of their mean square are all alike, but for rounding.
EQUAL = 1e-12


class ExitReason(IntEnum):
    """Why a trade was left; END: the series was over."""

    STOP = scalar.STOP
    TARGET = scalar.TARGET
    HORIZON = scalar.HORIZON
    END = scalar.END


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Trades of one parameter set, oldest first, as columns of one length.

    entry, exit: candle indices of the two fills. side: +1 or -1. entry_price, exit_price: the fills, with spread and
    slippage.
    gross: move between the mid prices; net: between the fills, with financing. Both per unit, in price units.
    reason: an ExitReason.
    """

    entry: Int
    exit: Int
    side: npt.NDArray[np.int8]
    entry_price: Float
    exit_price: Float
    gross: Float
    net: Float
    reason: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.entry)


def simulate(
    candles: Candles, side: npt.NDArray[np.int8], stop: Float, target: Float, horizon: int, costs: CostModel
) -> Trades:
    """Turn one parameter set's proposals into trades, by the outcome rule.

    side: int8[N], the proposal decided at the close of each candle. stop, target: float64[N], distances from the entry
    fill in price units, inf for none. horizon: candles a trade may last.

    A proposal at t fills at the open of t+1, at the ask (long) or the bid (short). The trade leaves at the first of
    stop, target and horizon; stop and target are triggered by the side it would be closed at. A candle that touches
    both counts as the stop, a candle that opens beyond the stop fills at its open, a target fills at its own price. At
    the horizon it leaves at the open of candle t+1+horizon, at the end of the series at the last close. The quotes of a
    candle carry the spread of the close before it. Slippage is paid at both fills, financing for each 17:00 New York
    passed. One position at a time: proposals while a trade is open are ignored; that of the candle it leaves in counts.

    Raises InputError for prices that are NaN or not positive, times out of order, a distance or horizon out of range.
    """
    check_candles(candles)
    n = len(candles)
    for name, column in (("side", side), ("stop", stop), ("target", target)):
        if len(column) != n:
            raise InputError(f"{name} has {len(column)} values for {n} candles", "one value a candle")
    if horizon < 1:
        raise InputError(f"horizon {horizon} is below 1 candle", "for example 60")
    proposed = side != 0
    for name, column in (("stop", stop), ("target", target)):
        bad = proposed & ~(column > 0.0)
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(f"{name} distance of candle {at} is {column[at]}", "above 0, or inf for none")
    index = np.empty((int(np.count_nonzero(proposed)), 4), dtype=np.int64)
    price = np.empty(index.shape)
    fills, quotes, half, block_low, block_high = candle_prices(candles, costs)
    count = run_trades(
        np.ascontiguousarray(side, dtype=np.int8),
        np.ascontiguousarray(stop, dtype=np.float64),
        np.ascontiguousarray(target, dtype=np.float64),
        horizon,
        fills,
        quotes,
        half,
        block_low,
        block_high,
        costs.slippage,
        rollovers(candles.time).astype(np.int32),
        daily_rates(costs),
        index,
        price,
    )
    entry, leave, row, reason = index[:count].T.copy()
    bought, sold, gross, net = price[:count].T.copy()
    return Trades(entry, leave, (1 - 2 * row).astype(np.int8), bought, sold, gross, net, reason.astype(np.int8))


def candle_prices(candles: Candles, costs: CostModel) -> tuple[Float, Float, Float, Float, Float]:
    """What the trades of these candles are priced from, as `trade_prices`."""
    columns = (candles.open, candles.high, candles.low, candles.close, candles.spread)
    return trade_prices(*columns, costs.spread_multiplier, costs.slippage)


def daily_rates(costs: CostModel) -> Float:
    """Financing for one night as a share of the entry's value: long, short."""
    return np.array([costs.financing_long, costs.financing_short]) / DAYS_PER_YEAR


def check_candles(candles: Candles) -> None:
    """Refuse NaN or non-positive prices, a bad spread and unsorted times: raises InputError naming the first."""
    for name in ("open", "high", "low", "close"):
        column = getattr(candles, name)
        bad = ~(np.isfinite(column) & (column > 0.0))
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(f"{name} of candle {at} is {column[at]}", "prices are finite and above 0")
    bad = ~(np.isfinite(candles.spread) & (candles.spread >= 0.0))
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(f"spread of candle {at} is {candles.spread[at]}", "a spread is finite and not below 0")
    step = np.diff(candles.time)
    if len(step) and step.min() <= 0:
        at = int(np.argmax(step <= 0)) + 1
        raise InputError(f"time of candle {at} is not after the one before it", "sort the candles and drop duplicates")


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One set of the collapse rule and its exits.

    window: bits. theta: least share of nulls or ruptures. max_entropy, min_stability: limits of the rule. fade: turn
    the side round. horizon: candles. stop, target: distances in units of the sweep's scale, inf for none.
    Raises InputError for a value out of range.
    """

    window: int = 32
    theta: float = 0.3
    max_entropy: float = 1.0
    min_stability: float = 0.0
    fade: bool = False
    horizon: int = 60
    stop: float = math.inf
    target: float = math.inf

    def __post_init__(self) -> None:
        check_window(self.window)
        for name in ("theta", "max_entropy", "min_stability"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} {getattr(self, name)} is outside 0..1", "a share")
        if self.horizon < 1:
            raise InputError(f"horizon {self.horizon} is below 1 candle", "for example 60")
        for name in ("stop", "target"):
            if not getattr(self, name) > 0.0:
                raise InputError(f"{name} {getattr(self, name)} is not above 0", "inf for none")

    @property
    def rule(self) -> tuple[int, float, float, float, bool]:
        """What decides its proposals: sets that share it share their signals."""
        return self.window, self.theta, self.max_entropy, self.min_stability, self.fade


def grid(**choices: Sequence[float | int | bool]) -> list[ParameterSet]:
    """Every combination of the given choices for ParameterSet's fields, the last field varying fastest."""
    return [ParameterSet(**dict(zip(choices, values, strict=True))) for values in product(*choices.values())]  # type: ignore[arg-type]


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
    sets: Sequence[ParameterSet],
    encoder: Encoder,
    costs: CostModel,
    *,
    folds: Sequence[tuple[int, int]] | None = None,
    scale: Float | None = None,
    device: str = "auto",
    threads: int = 0,
) -> SweepResult:
    """Compute the statistics of many parameter sets over one series, by the outcome rule of `simulate`.

    folds: candle ranges [first, last) to run each on its own: trades start and end inside. scale: float64[N], what a
    stop or target of 1 is worth in price units, 1 where left out. device: auto, cpu or cuda; auto says in the result
    what it took, and why. threads: 0 for all cores; the result is the same to the last bit for any number.
    Raises InputError for bad prices, times, sets or folds, for a window longer than the series, and for no GPU.
    """
    return sweep_many([SweepJob(candles, costs, folds, scale)], sets, encoder, device=device, threads=threads)[0]


@dataclass(frozen=True, slots=True, eq=False)
class SweepJob:
    """One series of a sweep: its candles, costs, folds and scale, as `sweep` takes them.

    allowed: by window, int8[N], the signs of the trend that count at each candle: 0 none, 1 up, 2 down, 3 both.
    """

    candles: Candles
    costs: CostModel
    folds: Sequence[tuple[int, int]] | None = None
    scale: Float | None = None
    allowed: dict[int, npt.NDArray[np.int8]] | None = None


def sweep_many(
    jobs: Sequence[SweepJob], sets: Sequence[ParameterSet], encoder: Encoder, *, device: str = "auto", threads: int = 0
) -> list[SweepResult]:
    """Sweep several series with the same sets, as `sweep` does each; on a GPU all of them at once."""
    series, rules, columns = prepared(jobs, sets, encoder)
    chosen, sums = _plan().run(series, rules, columns, device, threads)
    return [_result(job, found, chosen) for job, found in zip(jobs, sums, strict=True)]


def prepared(
    jobs: Sequence[SweepJob], sets: Sequence[ParameterSet], encoder: Encoder
) -> "tuple[list[plan.Series], plan.Rules, plan.SetColumns]":
    """Check what a sweep is given and turn it into what the kernels read. Raises InputError as `sweep` does."""
    plan = _plan()
    if not sets:
        raise InputError("no parameter sets to sweep", "give at least one")
    rules, rule_of_set = plan.rules_of([one.rule for one in sets])
    columns = plan.SetColumns(
        rule_of_set,
        np.array([one.horizon for one in sets], dtype=np.int64),
        np.array([one.stop for one in sets]),
        np.array([one.target for one in sets]),
    )
    return [_series(job, sets, encoder) for job in jobs], rules, columns


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


def _series(job: SweepJob, sets: Sequence[ParameterSet], encoder: Encoder) -> "plan.Series":
    """Check one job and prepare its arrays."""
    from sep_trader.research.kernels import plan

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
    return plan.Series(
        bits=encode_bits(candles.open, candles.close, starts, encoder),
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
