"""What the walks need of a series besides its prices, prepared once for all sets and folds."""

# mypy: disable-error-code="no-untyped-def"

from typing import Any

import numpy as np

from sep_trader.qfh.bits import bits_of, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.research.costs import rollovers
from sep_trader.research.kernels.compiled import compiled
from sep_trader.research.kernels.inputs import Int, Market, Series
from sep_trader.research.kernels.tables import half_spreads

driver: Any = compiled
# Bits of a session beyond which their number does not matter: no window is longer.
OLDEST = 1024


def market_of(one: Series, windows: Int) -> Market:
    """Prepare a series that was checked. windows: those of the rules, ascending."""
    starts, bits = np.zeros(0, np.bool_), np.zeros(0, np.int8)
    if one.words is None:
        starts = session_starts(one.time, one.step)
        bits = bits_of(one.open, one.close, starts, Encoder.parse(one.encoder))
    allowed = np.zeros((0, 0), np.int8)
    if one.allowed is not None and one.words is None:
        allowed = np.stack([one.allowed[window] for window in windows.tolist()])
    return Market(
        open=one.open,
        high=one.high,
        low=one.low,
        close=one.close,
        half=half_spreads(one.spread, one.spread_multiplier),
        nights=rollovers(one.time).astype(np.int32),
        time=one.time,
        step=one.step,
        scale=np.zeros(0) if one.scale is None else np.ascontiguousarray(one.scale, dtype=np.float64),
        slippage=one.slippage,
        rates=one.rates,
        bits=bits,
        starts=starts,
        allowed=allowed,
    )


@driver
def fill_columns(market, spread, open_, high, low, close, spreads, time, nights, bits, ages):
    """Copy a series to columns that are longer than it, zero behind its end; ages: unbroken bits of the session."""
    n = len(market.open)
    for to, of in (
        (open_, market.open),
        (high, market.high),
        (low, market.low),
        (close, market.close),
        (spreads, spread),
    ):
        to[:n] = of
        to[n:] = 0.0
    time[:n], nights[:n] = market.time, market.nights
    time[n:], nights[n:], bits[:], ages[:] = 0, 0, 0, 0
    age = 0
    for i in range(len(market.bits)):
        age = 0 if market.starts[i] else age
        age = min(OLDEST, age + 1) if market.bits[i] >= 0 else 0
        bits[i], ages[i] = market.bits[i] & 1, age
