"""How prices meet an instrument's precision: never past the entry, never worse than was asked for.

Stops and targets round away from the entry: a buy's stop down, its target up, a sell's the other way round. So a stop
below the entry stays below it, whatever the distance; the price of that is at most one tick of extra risk.
Limits and bounds round to the better side for the account (a buy down, a sell up), stop entries to the later side
(a buy up, a sell down), trailing distances up. A price that is already on a tick is never changed.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sep_trader.market.instrument import Instrument


def round_stop(price: Decimal, units: Decimal, instrument: Instrument) -> Decimal:
    """Round the protective stop of a trade of `units` away from the entry (buy: down, sell: up)."""
    return _down(price, instrument) if units > 0 else _up(price, instrument)


def round_target(price: Decimal, units: Decimal, instrument: Instrument) -> Decimal:
    """Round the profit target of a trade of `units` away from the entry (buy: up, sell: down)."""
    return _up(price, instrument) if units > 0 else _down(price, instrument)


def round_limit(price: Decimal, units: Decimal, instrument: Instrument) -> Decimal:
    """Round the worst price that an order of `units` accepts, to the better side (buy: down, sell: up)."""
    return _down(price, instrument) if units > 0 else _up(price, instrument)


def round_entry_stop(price: Decimal, units: Decimal, instrument: Instrument) -> Decimal:
    """Round the price that triggers a stop entry of `units`, to the later side (buy: up, sell: down)."""
    return _up(price, instrument) if units > 0 else _down(price, instrument)


def round_distance(distance: Decimal, instrument: Instrument) -> Decimal:
    """Round a trailing stop's distance up."""
    return _up(distance, instrument)


def _down(price: Decimal, instrument: Instrument) -> Decimal:
    return price.quantize(instrument.tick, rounding=ROUND_FLOOR)


def _up(price: Decimal, instrument: Instrument) -> Decimal:
    return price.quantize(instrument.tick, rounding=ROUND_CEILING)
