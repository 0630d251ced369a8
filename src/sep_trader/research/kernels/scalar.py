"""The trade and the decision, written once in plain Python; the drivers compile these for the CPU and for CUDA.

A short trade is a long one in mirrored prices: every price negated, bid and ask exchanged. Arrays of shape [2, N] hold
the long side's prices in row 0 and the short side's mirrored prices in row 1, so that the functions know one side only.
Negation is exact, so nothing is lost by it. No function here calls another: each target compiles them alone.
"""

import math

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

STOP, TARGET, HORIZON, END = 0, 1, 2, 3
# Candles that one entry of block_low and block_high sums up; a power of two.
BLOCK = 16


def find_exit(
    row: int,
    entry: int,
    fill: float,
    stop_distance: float,
    target_distance: float,
    horizon: int,
    quotes: Float,
    block_low: Float,
    block_high: Float,
) -> tuple[int, float, int]:
    """Find where a trade that was filled at candle `entry` leaves: (candle, exit price before slippage, reason).

    quotes: float64[4, 2, N], what the trade could be closed at: open, low, high, close. The stop is looked at before
    the target; a candle that opens beyond the stop fills at its open; a target fills at its price, never better.
    """
    n = quotes.shape[2]
    last = entry + horizon
    if last > n:
        last = n
    stop = fill - stop_distance
    target = fill + target_distance
    at = entry
    if stop_distance == math.inf and target_distance == math.inf:
        at = last
    while at < last:
        if at % BLOCK == 0:
            # Whole blocks that touch neither price are passed in one step.
            block = at // BLOCK
            while at + BLOCK <= last and block_low[row, block] > stop and block_high[row, block] < target:
                at += BLOCK
                block += 1
            if at >= last:
                break
        if quotes[1, row, at] <= stop:
            return at, min(quotes[0, row, at], stop), STOP
        if quotes[2, row, at] >= target:
            return at, target, TARGET
        at += 1
    if last < n:
        return last, quotes[0, row, last], HORIZON
    return n - 1, quotes[3, row, n - 1], END


def trade_result(
    row: int,
    entry: int,
    leave: int,
    fill: float,
    price: float,
    reason: int,
    slippage: float,
    half: Float,
    nights: Int32,
    rates: Float,
) -> tuple[float, float, float]:
    """Gross and net of one trade in price units: (gross, net, exit fill), from mirrored prices.

    half: float64[N], half the spread that the quotes of a candle carry; half[N] is that of the last close. nights:
    cumulative count of 17:00 New York passed. rates: daily financing, long and short. Gross is between mid prices.
    """
    exit_half = half[leave + 1] if reason == END else half[leave]
    out = price - slippage
    gross = (price + exit_half) - (fill - slippage - half[entry])
    paid_for = nights[leave] - nights[entry]
    value = fill if row == 0 else -fill
    net = (out - fill) + paid_for * rates[row] * value
    return gross, net, out
