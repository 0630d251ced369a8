"""Longer candles from shorter ones, on the broker's grid: days begin at 17:00 New York."""

from dataclasses import replace

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.calendar import candle_start
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity


def resample(candles: Candles, granularity: Granularity) -> Candles:
    """Candles of a longer granularity: first open, highest high, lowest low, last close and spread, summed volume.

    A period without a candle gives none. The first and last periods may be incomplete when the input begins or ends
    inside them: cut them off with `complete_only`.
    Raises InputError unless the target is longer and a whole multiple.
    """
    source = candles.granularity
    if granularity.seconds <= source.seconds or granularity.seconds % source.seconds:
        raise InputError(f"{granularity} candles cannot be made of {source} candles", "choose a longer granularity")
    if len(candles) == 0:
        return replace(candles, granularity=granularity)
    starts = candle_start(candles.time, granularity)
    first = np.flatnonzero(np.concatenate([[True], np.diff(starts) > 0]))
    last = np.concatenate([first[1:], [len(starts)]]) - 1
    return Candles(
        instrument=candles.instrument,
        granularity=granularity,
        time=starts[first],
        open=candles.open[first],
        high=np.maximum.reduceat(candles.high, first),
        low=np.minimum.reduceat(candles.low, first),
        close=candles.close[last],
        spread=candles.spread[last],
        volume=np.add.reduceat(candles.volume, first),
    )


def complete_only(candles: Candles, start: int, end: int) -> Candles:
    """The candles that lie within start <= time < end as a whole: what input of that span says everything about."""
    return candles.take((candles.time >= start) & (candles.time + candles.granularity.seconds <= end))
