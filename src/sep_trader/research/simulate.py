"""The backtest: proposals of one parameter set become trades, by the outcome rule."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.validate import check_candles
from sep_trader.research.costs import CostModel, rollovers
from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.tables import half_spreads
from sep_trader.research.kernels.trades import run_each, run_trades
from sep_trader.research.quoted import Rows, quoted_trades

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
_DIGITS = 6
"""Of the mid prices that are checked in place of quotes."""


class ExitReason(IntEnum):
    """Why a trade was left; END: the series was over; SIDE: the strategy turned to the other side."""

    STOP = scalar.STOP
    TARGET = scalar.TARGET
    HORIZON = scalar.HORIZON
    END = scalar.END
    SIDE = scalar.SIDE


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

    def take(self, index: npt.NDArray[np.bool_]) -> "Trades":
        """The trades of a mask."""
        return Trades(**{one.name: getattr(self, one.name)[index] for one in fields(self)})

    def shifted(self, by: int) -> "Trades":
        """The same trades on a series that begins so many candles earlier."""
        return replace(self, entry=self.entry + by, exit=self.exit + by)


def simulate(
    candles: Candles | QuoteCandles,
    side: npt.NDArray[np.int8],
    stop: Float,
    target: Float,
    horizon: int,
    costs: CostModel,
    *,
    digits: int | None = None,
    side_closes: bool = False,
) -> Trades:
    """Turn one parameter set's proposals into trades, by the outcome rule; on bid and ask where the candles have both.

    side: int8[N], the proposal decided at the close of each candle. stop, target: float64[N], distances from the entry
    fill in price units, inf for none. horizon: candles a trade may last. digits: decimals to which the levels of stop
    and target are rounded, as a broker takes them; left out, they are not. side_closes: a proposal of the other side
    closes the trade at the next open (mid candles only); it opens none.

    A proposal at t fills at the open of t+1, at the ask (long) or the bid (short). The trade leaves at the first of
    stop, target and horizon; stop and target are triggered by the side it would be closed at. A candle that touches
    both counts as the stop, a candle that opens beyond the stop fills at its open, a target fills at its own price. The
    horizon is by the clock, as the trader's is: it leaves at the open of the first candle that begins `horizon`
    granularities after candle t has ended, or later (t+1+horizon where no candle is missing); at the end of the series
    it leaves at the last close. There is no trade where the horizon has passed when t+1 opens: after a weekend, say.
    The quotes of a mid candle carry the spread of the close before it; how near that comes to the quotes themselves is
    measured in docs/claims.md. Slippage is paid at both fills, financing for each
    17:00 New York passed. One position at a time: proposals while a trade is open are ignored; that of the candle it
    leaves in counts.

    Raises InputError for prices that are NaN or not positive, times out of order, a distance or horizon out of range.
    """
    if isinstance(candles, QuoteCandles):
        if side_closes:
            raise InputError("sides close trades on mid candles only", "give mid candles")
        _check(candles.to_mid(_DIGITS), side, stop, target, horizon)
        return _columns(quoted_trades(candles, side, stop, target, horizon, costs, digits))
    _check(candles, side, stop, target, horizon)
    index = np.empty((int(np.count_nonzero(side)), 4), dtype=np.int64)
    price = np.empty(index.shape)
    count = run_trades(*_walked(candles, side, stop, target, horizon, costs, digits), side_closes, index, price)
    entry, leave, row, reason = index[:count].T.copy()
    bought, sold, gross, net = price[:count].T.copy()
    return Trades(entry, leave, (1 - 2 * row).astype(np.int8), bought, sold, gross, net, reason.astype(np.int8))


def _columns(rows: Rows) -> Trades:
    """Trades as columns."""
    kinds = (np.int64, np.int64, np.int8, np.float64, np.float64, np.float64, np.float64, np.int8)
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return Trades(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def net_outcomes(
    candles: Candles,
    side: npt.NDArray[np.int8],
    stop: Float,
    target: Float,
    horizon: int,
    costs: CostModel,
    *,
    digits: int | None = None,
) -> Float:
    """Net outcome, in price units, of entering at each candle that has a side, each on its own; NaN elsewhere.

    As `simulate`, but no proposal is ignored because another one is in the market.
    """
    _check(candles, side, stop, target, horizon)
    net = np.full(len(candles), np.nan)
    run_each(*_walked(candles, side, stop, target, horizon, costs, digits), net)
    return net


def _check(candles: Candles, side: npt.NDArray[np.int8], stop: Float, target: Float, horizon: int) -> None:
    """Raise InputError for what `simulate` cannot take."""
    check_candles(candles)
    n = len(candles)
    for name, column in (("side", side), ("stop", stop), ("target", target)):
        if len(column) != n:
            raise InputError(f"{name} has {len(column)} values for {n} candles", "one value a candle")
    if horizon < 1:
        raise InputError(f"horizon {horizon} is below 1 candle", "for example 60")
    for name, column in (("stop", stop), ("target", target)):
        bad = (side != 0) & ~(column > 0.0)
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(f"{name} distance of candle {at} is {column[at]}", "above 0, or inf for none")


def _walked(
    candles: Candles,
    side: npt.NDArray[np.int8],
    stop: Float,
    target: Float,
    horizon: int,
    costs: CostModel,
    digits: int | None,
) -> tuple[Any, ...]:
    """What `run_trades` and `run_each` read, in their order."""
    floats = [np.ascontiguousarray(one, dtype=np.float64) for one in (stop, target)]
    prices = [getattr(candles, name) for name in ("open", "high", "low", "close")]
    return (
        np.ascontiguousarray(side, dtype=np.int8),
        *floats,
        horizon,
        *(np.ascontiguousarray(one, dtype=np.float64) for one in prices),
        half_spreads(np.ascontiguousarray(candles.spread, dtype=np.float64), costs.spread_multiplier),
        candles.time,
        candles.granularity.seconds,
        costs.slippage,
        rollovers(candles.time).astype(np.int32),
        costs.daily_rates,
        0.0 if digits is None else 10.0**digits,
    )
