"""Five classics, each at most ten lines: examples to begin from. None of them is expected to earn anything."""

import numpy as np

from sep_trader.strategies.indicators import before, deviation, held, highest, lowest, mean
from sep_trader.strategies.port import View, strategy

# mypy: disable-error-code="no-untyped-def"


@strategy(grid={"fast": [10, 20], "slow": [50, 100]}, warm_up=lambda fast, slow: slow + 1)
def sma_cross(candles: View, fast=20, slow=100):
    """Follow the crossing of two means."""
    side = np.sign(mean(candles.close, fast) - mean(candles.close, slow))
    return np.where(side * before(side) < 0, side, 0)


@strategy(grid={"length": [14, 28], "low": [20, 30]}, warm_up=lambda length, low: length + 2)
def rsi_reversal(candles: View, length=14, low=30):
    """Buy where the relative strength (of plain means) comes back from below, sell where it does from above."""
    change = candles.close - before(candles.close)
    up, down = mean(np.maximum(change, 0), length), mean(np.maximum(-change, 0), length)
    rsi = 100 * up / np.maximum(up + down, 1e-12)
    back_up = (rsi >= low) & (before(rsi) < low)
    return 1 * back_up - 1 * ((rsi <= 100 - low) & (before(rsi) > 100 - low))


@strategy(grid={"length": [20, 55]}, warm_up=lambda length: length + 1)
def donchian_breakout(candles: View, length=20):
    """Follow a close beyond the highest high or the lowest low of the candles before."""
    above = candles.close > before(highest(candles.high, length))
    return 1 * above - 1 * (candles.close < before(lowest(candles.low, length)))


@strategy(grid={"length": [20, 40], "width": [2.0, 2.5]}, warm_up=lambda length, width: length)
def bollinger_fade(candles: View, length=20, width=2.0):
    """Trade back to the mean from outside of a band around it."""
    away = candles.close - mean(candles.close, length)
    return np.where(np.abs(away) > width * deviation(candles.close, length), -np.sign(away), 0)


@strategy(grid={"until": [12, 16]}, warm_up=1440)
def london_open_range(candles: View, until=16):
    """Follow a close beyond the range of 07:00 to 08:00 UTC, from then until an hour of the day."""
    hours = candles.larger("H1")
    opening = hours.time % 86_400 == 7 * 3600
    high, low = (candles.align(hours, held(np.where(opening, one, np.nan), 12)) for one in (hours.high, hours.low))
    hour = candles.time // 3600 % 24
    side = (1 * (candles.close > high) - 1 * (candles.close < low)) * ((hour >= 8) & (hour < until))
    return np.where(side != before(side), side, 0)
