"""Trades on bid and ask candles: the outcome rule where both sides of the market are recorded. Pure.

The candle backtest of `simulate` has a mid price and the spread of each close. Here the quotes themselves decide: an
entry fills at the open of the side it trades on, a stop and a target are met by the extreme of the side at which the
trade is closed.
"""

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import QuoteCandles
from sep_trader.research.costs import CostModel, rollovers
from sep_trader.research.kernels.scalar import END, HORIZON, STOP, TARGET

Float = npt.NDArray[np.float64]
Rows = list[tuple[int, int, int, float, float, float, float, int]]


def quoted_trades(
    candles: QuoteCandles,
    side: npt.NDArray[np.int8],
    stop: Float,
    target: Float,
    horizon: int,
    costs: CostModel,
    digits: int | None = None,
) -> Rows:
    """The trades of one parameter set's proposals, oldest first: entry, exit (candle indices), side, entry fill, exit
    fill, gross, net, reason.

    As `simulate` says, with the quotes of the candles in place of mid prices and spreads; `costs.spread_multiplier` has
    no say. Nights and slippage are charged as there.
    """
    nights, rates = rollovers(candles.time), costs.daily_rates
    found: Rows = []
    free_from = 0
    for t in np.flatnonzero(side[:-1]).tolist():
        entry = t + 1
        latest = _latest(candles, t, horizon)
        if t < free_from or latest == entry:
            continue
        sign = 1 if side[t] > 0 else -1
        leave, bought, price, reason = _followed(
            candles, entry, latest, sign, stop[t], target[t], costs.slippage, digits
        )
        sold = price - sign * costs.slippage
        gross = sign * (price - bought) + costs.slippage + _half(candles, entry) + _half(candles, leave, reason == END)
        charged = (nights[leave] - nights[entry]) * rates[0 if sign > 0 else 1] * bought
        found.append((entry, leave, sign, bought, sold, gross, sign * (sold - bought) + charged, reason))
        free_from = leave
    return found


def _latest(candles: QuoteCandles, t: int, horizon: int) -> int:
    """The candle at whose open the trade of candle t's proposal leaves at the latest; the length where none is."""
    deadline = candles.time[t] + candles.granularity.seconds * (horizon + 1)
    return max(t + 1, int(np.searchsorted(candles.time, deadline)))


def _followed(
    candles: QuoteCandles,
    entry: int,
    latest: int,
    sign: int,
    stop: float,
    target: float,
    slippage: float,
    digits: int | None,
) -> tuple[int, float, float, int]:
    """One trade: the candle it leaves in, its entry fill, the price it leaves at, and why."""
    n = len(candles)
    long, span = sign > 0, slice(entry, min(n, latest))
    bought = float(candles.ask_open[entry]) + slippage if long else float(candles.bid_open[entry]) - slippage
    opens, closes = (candles.bid_open, candles.bid_close) if long else (candles.ask_open, candles.ask_close)
    worst, best = (candles.bid_low, candles.bid_high) if long else (candles.ask_high, candles.ask_low)
    stop_level, target_level = bought - sign * stop, bought + sign * target
    if digits is not None:
        stop_level, target_level = float(np.round(stop_level, digits)), float(np.round(target_level, digits))
    stopped = _first(sign * (worst[span] - stop_level) <= 0)
    reached = _first(sign * (best[span] - target_level) >= 0)
    if stopped is not None and (reached is None or stopped <= reached):
        opened = float(opens[entry + stopped])
        return entry + stopped, bought, min(opened, stop_level) if long else max(opened, stop_level), STOP
    if reached is not None:
        return entry + reached, bought, target_level, TARGET
    if latest < n:
        return latest, bought, float(opens[latest]), HORIZON
    return n - 1, bought, float(closes[n - 1]), END


def _first(hits: npt.NDArray[np.bool_]) -> int | None:
    return int(np.argmax(hits)) if hits.any() else None


def _half(candles: QuoteCandles, at: int, at_close: bool = False) -> float:
    """Half the spread at the open of a candle, or at its close."""
    if at_close:
        return float(candles.ask_close[at] - candles.bid_close[at]) / 2
    return float(candles.ask_open[at] - candles.bid_open[at]) / 2
