"""Position size by risk per trade: what is lost at the stop is the same share of the account every time."""

from decimal import Decimal

from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import Reason, Refused


def size_by_risk(
    *,
    nav: Decimal,
    risk_per_trade: Decimal,
    stop_distance: Decimal,
    loss_factor: Decimal,
    price: Decimal,
    base_factor: Decimal,
    margin_available: Decimal,
    instrument: Instrument,
    at_most: Decimal | None = None,
) -> Decimal | Refused:
    """Units (positive) whose loss at the stop is at most nav * risk_per_trade, within the instrument's sizes.

    stop_distance: price units from fill to stop. loss_factor: home currency per unit of quote currency for a loss.
    base_factor: home currency per unit of base currency, for margin. at_most: units beside that. Rounded towards zero,
    so never more risk than asked for. Refused when that is less than the smallest trade, or needs more margin than
    there is.
    """
    for currency, factor in ((instrument.quote, loss_factor), (instrument.base, base_factor)):
        if factor <= 0:
            return Refused(Reason.NO_CONVERSION_RATE, f"no rate from {currency} to the account's currency")
    loss_per_unit = stop_distance * loss_factor
    most = instrument.maximum_order_units if at_most is None else min(at_most, instrument.maximum_order_units)
    units = instrument.quantise_units(min(nav * risk_per_trade / loss_per_unit, most))
    if units < instrument.minimum_trade_size:
        return Refused(
            Reason.SIZE_BELOW_MINIMUM,
            f"risking {risk_per_trade:%} of {nav} over {stop_distance} buys {units} units at {price}, "
            f"the smallest trade is {instrument.minimum_trade_size}",
        )
    margin = units * base_factor * instrument.margin_rate
    if margin > margin_available:
        return Refused(
            Reason.INSUFFICIENT_MARGIN, f"{units} units need {margin:.2f} margin, {margin_available} is free"
        )
    return units
