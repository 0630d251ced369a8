"""Proposals that can be priced: distances of whole ticks, no stop inside two spreads; and whether opens are copies.

Live orders have whole ticks, and a stop that two spreads reach is met by the market's own noise. What trains, tests and
trades goes through here, so that all of them mean the same trades.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.instrument import Instrument, standard_instrument
from sep_trader.research.strategies import Proposals

Float = npt.NDArray[np.float64]
LEAST_SPREADS = 2.0
"""A stop nearer than so many spreads is not proposed."""
_GAP_S = 86_400
_ENOUGH_GAPS = 4


def whole_ticks(distance: Float, instrument: Instrument) -> Float:
    """Distances in price units, rounded half-even to ticks, at least one; inf stays."""
    return np.maximum(np.round(distance, instrument.display_precision), float(instrument.tick))


def too_near(stop: Float, spread: Float) -> npt.NDArray[np.bool_]:
    """Where a stop is inside two spreads. An unknown spread (NaN) is inside of nothing."""
    return stop < LEAST_SPREADS * spread


def priced(proposals: Proposals, spread: Float, instrument: Instrument) -> Proposals:
    """The proposals as they can be traded. spread: as known at each candle's close, price units, NaN where unknown."""
    stop, target = whole_ticks(proposals.stop, instrument), whole_ticks(proposals.target, instrument)
    side = np.where(too_near(stop, spread), 0, proposals.side).astype(np.int8)
    return replace(proposals, side=side, stop=stop, target=target)


def priced_on(proposals: Proposals, candles: Candles) -> Proposals:
    """The same for the usual terms of the candles' pair."""
    return priced(proposals, candles.spread, standard_instrument(candles.instrument))


def copied_opens(candles: Candles) -> bool:
    """Whether the opens are known to be copies of the closes before: after no gap of a day did the price ever differ.

    Lean's hourly files are such. Then no candle opens beyond a stop, and the rule that a gap fills at the open has
    nothing to act on: stops look better than they are.
    """
    after_gap = 1 + np.flatnonzero(np.diff(candles.time) > _GAP_S)
    if len(after_gap) < _ENOUGH_GAPS:
        return False
    return bool((candles.open[after_gap] == candles.close[after_gap - 1]).all())
