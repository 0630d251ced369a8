"""One parameter set over one series: its trades and their statistics. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.function_rule import FunctionParameters
from sep_trader.research.learned import LearnedParameters
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import priced_on
from sep_trader.research.simulate import ExitReason, Trades, simulate
from sep_trader.research.strategies import Proposals, propose

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Set = RuleParameters | FunctionParameters | LearnedParameters
_YEAR_S = 365.25 * 86_400
_DAYS = 252


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of a list of trades. Amounts in pips a unit, net of spread, slippage and financing; NaN-like figures are
    None. first, last: seconds since the epoch of the first entry and the last exit.

    sharpe: of daily sums, times the root of 252. exposure: time with a trade open over the candles' time. mfe_pips,
    mae_pips: mean of the most a trade was ahead and behind, by mid prices of its candles.
    """

    trades: int
    wins: int
    win_rate: float | None
    expectancy_pips: float | None
    expectancy_r: float | None
    net_pips: float
    gross_pips: float
    profit_factor: float | None
    sharpe: float | None
    max_drawdown_pips: float
    exposure: float
    mfe_pips: float | None
    mae_pips: float | None
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True, eq=False)
class TradeTable:
    """Trades as columns of one length, oldest first. Times are seconds since the epoch; a trade that leaves at its stop
    or target has the start of that candle. net_pips: what it brought; r: that over the stop distance (NaN without one).
    """

    entry_time: Int
    exit_time: Int
    side: Int
    entry_price: Float
    exit_price: Float
    exit_reason: list[str]
    stop_price: Float
    target_price: Float
    gross_pips: Float
    net_pips: Float
    r: Float
    mfe_pips: Float
    mae_pips: Float

    def __len__(self) -> int:
        return len(self.net_pips)

    def take(self, index: Int) -> "TradeTable":
        """The trades of these numbers, in their order."""
        columns = {one.name: getattr(self, one.name) for one in fields(self)}
        reasons = [self.exit_reason[at] for at in index.tolist()]
        arrays = {name: column[index] for name, column in columns.items() if name != "exit_reason"}
        return TradeTable(**arrays, exit_reason=reasons)

    @classmethod
    def join(cls, parts: Sequence["TradeTable"]) -> "TradeTable":
        """The trades of several tables, in their order."""
        columns: dict[str, Any] = {}
        for one in fields(cls):
            found = [getattr(part, one.name) for part in parts]
            if one.name == "exit_reason":
                columns[one.name] = [reason for column in found for reason in column]
            else:
                kind = np.int64 if one.name in ("entry_time", "exit_time", "side") else np.float64
                columns[one.name] = np.concatenate([np.zeros(0, kind), *found])
        return cls(**columns)

    def to_pandas(self) -> Any:
        """A pandas DataFrame, times as UTC timestamps."""
        import pandas as pd

        columns = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("entry_time", "exit_time"):
            columns[name] = pd.to_datetime(columns[name], unit="s", utc=True)
        return pd.DataFrame(columns)

    def to_arrow(self) -> Any:
        """An Arrow table, times as UTC timestamps."""
        import pyarrow as pa

        columns = {one.name: pa.array(getattr(self, one.name)) for one in fields(self)}
        for name in ("entry_time", "exit_time"):
            columns[name] = columns[name].cast(pa.timestamp("s", tz="UTC"))
        return pa.table(columns)


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """What came of one parameter set on one series."""

    candles: Candles
    parameters: Set
    costs: CostModel
    trades: TradeTable
    statistics: Statistics

    def equity(self) -> tuple[Int, Float]:
        """Exit times and the sum of net pips up to each."""
        order = np.argsort(self.trades.exit_time, kind="stable")
        return self.trades.exit_time[order], np.cumsum(self.trades.net_pips[order])

    def returns(self) -> Any:
        """Daily results as a pandas Series: net price move over the entry price, 0 on a day without an exit. QuantStats
        and others take it as it is."""
        import pandas as pd

        pip = self.costs.pip
        share = pd.Series(
            self.trades.net_pips * pip / self.trades.entry_price,
            index=pd.to_datetime(self.trades.exit_time, unit="s").normalize(),
        )
        days = pd.date_range(*pd.to_datetime(self.candles.time[[0, -1]], unit="s").normalize(), freq="D")
        return share.groupby(level=0).sum().reindex(days, fill_value=0.0)

    def to_pandas(self) -> Any:
        """The trades as a pandas DataFrame."""
        return self.trades.to_pandas()


def backtest(candles: Candles, parameters: Set, costs: CostModel) -> Backtest:
    """Trade what a parameter set proposes over a whole series. candles: with a spread each."""
    found = priced_on(propose(candles, parameters), candles)
    terms = standard_instrument(candles.instrument)
    closes = isinstance(parameters, FunctionParameters) and parameters.side_closes
    trades = simulate(
        candles, found.side, found.stop, found.target, parameters.horizon, costs, digits=terms.display_precision,
        side_closes=closes,
    )  # fmt: skip
    table = table_of(candles, trades, found, costs.pip)
    return Backtest(candles, parameters, costs, table, statistics_of(table, candles))


def table_of(candles: Candles, trades: Trades, proposals: Proposals, pip: float) -> TradeTable:
    """The trades of proposals on their candles."""
    step, at = candles.granularity.seconds, trades.entry - 1
    stop, target = proposals.stop[at], proposals.target[at]
    over = trades.reason == ExitReason.END
    ahead, behind = _excursions(candles, trades)
    sign = trades.side.astype(np.float64)
    with np.errstate(invalid="ignore"):
        r = np.where(np.isfinite(stop), trades.net / stop, np.nan)
    return TradeTable(
        entry_time=candles.time[trades.entry],
        exit_time=candles.time[trades.exit] + np.where(over, step, 0),
        side=trades.side.astype(np.int64),
        entry_price=trades.entry_price,
        exit_price=trades.exit_price,
        exit_reason=[ExitReason(int(one)).name for one in trades.reason],
        stop_price=trades.entry_price - sign * stop,
        target_price=trades.entry_price + sign * target,
        gross_pips=trades.gross / pip,
        net_pips=trades.net / pip,
        r=r,
        mfe_pips=ahead / pip,
        mae_pips=behind / pip,
    )


def _excursions(candles: Candles, trades: Trades) -> tuple[Float, Float]:
    """The most that each trade was ahead and behind, price units from its fill, by the mids of its candles before the
    exit's."""
    ahead, behind = np.zeros(len(trades)), np.zeros(len(trades))
    for number, (entry, leave, side) in enumerate(zip(trades.entry, trades.exit, trades.side, strict=True)):
        span = slice(entry, max(entry + 1, leave))
        high, low = candles.high[span].max(), candles.low[span].min()
        price = trades.entry_price[number]
        up, down = float(high - price), float(price - low)
        ahead[number], behind[number] = (up, down) if side > 0 else (down, up)
    return np.maximum(ahead, 0.0), np.maximum(behind, 0.0)


def statistics_of(table: TradeTable, candles: Candles) -> Statistics:
    """The figures of trades on a series."""
    net, count = table.net_pips, len(table)
    won, lost = net[net > 0].sum(), -net[net < 0].sum()
    order = np.argsort(table.exit_time, kind="stable")
    total = np.cumsum(net[order])
    fall = float((np.maximum.accumulate(np.maximum(total, 0.0)) - total).max()) if count else 0.0
    span = float(len(candles) * candles.granularity.seconds)
    r = table.r[np.isfinite(table.r)]
    held = float((table.exit_time - table.entry_time).sum())
    return Statistics(
        trades=count,
        wins=int((net > 0).sum()),
        win_rate=float((net > 0).mean()) if count else None,
        expectancy_pips=float(net.mean()) if count else None,
        expectancy_r=float(r.mean()) if len(r) else None,
        net_pips=float(net.sum()),
        gross_pips=float(table.gross_pips.sum()),
        profit_factor=float(won / lost) if lost > 0 else None,
        sharpe=_sharpe(table, candles),
        max_drawdown_pips=fall,
        exposure=min(1.0, held / span) if span else 0.0,
        mfe_pips=_known_mean(table.mfe_pips),
        mae_pips=_known_mean(table.mae_pips),
        first=int(table.entry_time[0]) if count else None,
        last=int(table.exit_time[order[-1]]) if count else None,
    )


def _known_mean(values: Float) -> float | None:
    told = values[np.isfinite(values)]
    return float(told.mean()) if len(told) else None


def _sharpe(table: TradeTable, candles: Candles) -> float | None:
    """Mean over deviation of daily sums of all days with candles, times the root of 252."""
    days = np.unique(candles.time // 86_400)
    if len(table) < 2 or len(days) < 2:
        return None
    sums = np.zeros(len(days))
    np.add.at(sums, np.minimum(np.searchsorted(days, table.exit_time // 86_400), len(days) - 1), table.net_pips)
    deviation = float(sums.std(ddof=1))
    return float(sums.mean()) / deviation * float(np.sqrt(_DAYS)) if deviation > 0 else None


def statistics_json(figures: Statistics) -> dict[str, Any]:
    """As JSON values, times as RFC 3339 texts."""
    told = asdict(figures)
    for name in ("first", "last"):
        told[name] = None if told[name] is None else format_rfc3339(from_epoch(told[name]))
    return told
