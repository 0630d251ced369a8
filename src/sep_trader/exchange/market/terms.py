"""The instruments on offer: their terms, how the protocol writes them, and what a pair usually costs."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sep_trader.exchange.market.figures import number_text
from sep_trader.market.instrument import Instrument, standard_instrument

# Typical mid prices and spreads in pips: where a seeded market starts, and the rate of a conversion nobody quotes.
REFERENCE: dict[str, tuple[str, str]] = {
    "EUR_USD": ("1.10000", "1.2"),
    "GBP_USD": ("1.30000", "1.6"),
    "AUD_USD": ("0.70000", "1.4"),
    "NZD_USD": ("0.65000", "1.7"),
    "USD_JPY": ("110.000", "1.3"),
    "USD_CHF": ("0.95000", "1.6"),
    "USD_CAD": ("1.30000", "1.8"),
    "EUR_GBP": ("0.84615", "1.6"),
    "EUR_JPY": ("121.000", "1.9"),
    "EUR_CHF": ("1.04500", "1.9"),
    "EUR_AUD": ("1.57143", "2.4"),
    "EUR_CAD": ("1.43000", "2.4"),
    "EUR_NZD": ("1.69231", "3.1"),
    "GBP_JPY": ("143.000", "2.8"),
    "GBP_CHF": ("1.23500", "2.9"),
    "GBP_AUD": ("1.85714", "3.2"),
    "GBP_CAD": ("1.69000", "3.2"),
    "GBP_NZD": ("2.00000", "4.1"),
    "AUD_JPY": ("77.000", "1.9"),
    "AUD_CHF": ("0.66500", "2.2"),
    "AUD_CAD": ("0.91000", "2.2"),
    "AUD_NZD": ("1.07692", "2.4"),
    "NZD_JPY": ("71.500", "2.2"),
    "NZD_CHF": ("0.61750", "2.6"),
    "NZD_CAD": ("0.84500", "2.6"),
    "CAD_JPY": ("84.615", "2.2"),
    "CAD_CHF": ("0.73077", "2.4"),
    "CHF_JPY": ("115.789", "2.6"),
}
PAIRS = tuple(REFERENCE)
# Annual policy rates that the financing of a pair is made of; a stated model, not a quotation.
_YIELD = {"USD": 43, "EUR": 21, "GBP": 42, "JPY": 5, "CHF": 2, "AUD": 38, "NZD": 34, "CAD": 27}
_FINANCING_MARKUP = 14
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def offered(pair: str) -> Instrument:
    """The terms of a pair on this exchange: the usual ones, 5 % margin for the yen, and financing by the two yields."""
    base = standard_instrument(pair)
    difference = _YIELD.get(base.base, 30) - _YIELD.get(base.quote, 30)
    return replace(
        base,
        margin_rate=Decimal("0.05") if "JPY" in base.name else Decimal("0.02"),
        financing_long_rate=Decimal(difference - _FINANCING_MARKUP).scaleb(-3),
        financing_short_rate=Decimal(-difference - _FINANCING_MARKUP).scaleb(-3),
    )


def maximum_trailing_distance(instrument: Instrument) -> Decimal:
    """The widest trailing stop: ten thousand pips."""
    return instrument.pip * 10_000


def instrument_body(instrument: Instrument) -> dict[str, Any]:
    """An instrument as the instruments endpoint writes it."""
    tick = instrument.tick
    return {
        "name": instrument.name,
        "type": "CURRENCY",
        "displayName": instrument.name.replace("_", "/"),
        "pipLocation": instrument.pip_location,
        "displayPrecision": instrument.display_precision,
        "tradeUnitsPrecision": instrument.trade_units_precision,
        "minimumTradeSize": number_text(instrument.minimum_trade_size),
        "maximumTrailingStopDistance": str(maximum_trailing_distance(instrument).quantize(tick)),
        "minimumTrailingStopDistance": str(instrument.minimum_trailing_stop_distance.quantize(tick)),
        "maximumPositionSize": "0",
        "maximumOrderUnits": number_text(instrument.maximum_order_units),
        "marginRate": number_text(instrument.margin_rate),
        "guaranteedStopLossOrderMode": "DISABLED",
        "tags": [{"type": "BRAIN_ASSET_CLASS", "name": "FX"}, {"type": "ASSET_CLASS", "name": "CURRENCY"}],
        "financing": {
            "longRate": number_text(instrument.financing_long_rate),
            "shortRate": number_text(instrument.financing_short_rate),
            "financingDaysOfWeek": [
                {"dayOfWeek": day, "daysCharged": charged}
                for day, charged in zip(_DAYS, instrument.financing_days, strict=True)
            ],
        },
    }
