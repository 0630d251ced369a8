"""Requests that change the account, built as OANDA's JSON: every number a string, on the instrument's precision."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sep_trader.broker.oanda.rounding import (
    round_distance,
    round_entry_stop,
    round_limit,
    round_stop,
    round_target,
)
from sep_trader.broker.oanda.times import DatetimeFormat, format_time
from sep_trader.broker.oanda.values import AnyOrder, LimitOrder, StopOrder
from sep_trader.broker.port import MarketOrder
from sep_trader.market.instrument import Instrument

Json = dict[str, Any]

CANCEL = Decimal(0)
"""As an exit's price: take the exit off the trade."""


def quantised(order: AnyOrder, instrument: Instrument) -> AnyOrder:
    """Return the order on the instrument's precision, by the rules of `rounding`; units are cut towards zero."""
    units = order.units
    exits: Json = {
        "units": instrument.quantise_units(units),
        "stop_loss": None if order.stop_loss is None else round_stop(order.stop_loss, units, instrument),
        "take_profit": None if order.take_profit is None else round_target(order.take_profit, units, instrument),
        "trailing_stop": None if order.trailing_stop is None else round_distance(order.trailing_stop, instrument),
    }
    match order:
        case MarketOrder():
            distances: Json = {
                "stop_distance": _distance(order.stop_distance, instrument),
                "target_distance": _distance(order.target_distance, instrument),
            }
            return replace(order, price_bound=_bound(order.price_bound, units, instrument), **distances, **exits)
        case LimitOrder():
            return replace(order, price=round_limit(order.price, units, instrument), **exits)
        case StopOrder():
            price = round_entry_stop(order.price, units, instrument)
            return replace(order, price=price, price_bound=_bound(order.price_bound, units, instrument), **exits)


def order_request(order: AnyOrder, style: DatetimeFormat = "RFC3339") -> Json:
    """Build the body of an order. The client id goes on the order and on the trade that it opens."""
    tag = order.tag if isinstance(order, MarketOrder) else ""
    extensions = {"id": order.client_id, "tag": tag, "comment": order.comment}
    extensions = {key: text for key, text in extensions.items() if text}
    body: Json = {
        "type": _TYPES[type(order)],
        "instrument": order.instrument,
        "units": _plain(order.units),
        "timeInForce": order.time_in_force,
        "positionFill": order.position_fill,
        "clientExtensions": extensions,
        "tradeClientExtensions": extensions,
    }
    if not isinstance(order, MarketOrder):
        body["price"] = _plain(order.price)
        if order.gtd_time is not None:
            body["gtdTime"] = format_time(order.gtd_time, style)
    if not isinstance(order, LimitOrder) and order.price_bound is not None:
        body["priceBound"] = _plain(order.price_bound)
    if order.stop_loss is not None:
        body["stopLossOnFill"] = {"price": _plain(order.stop_loss), "timeInForce": "GTC"}
    if order.take_profit is not None:
        body["takeProfitOnFill"] = {"price": _plain(order.take_profit), "timeInForce": "GTC"}
    if isinstance(order, MarketOrder):
        if order.stop_distance is not None:
            body["stopLossOnFill"] = {"distance": _plain(order.stop_distance), "timeInForce": "GTC"}
        if order.target_distance is not None:
            body["takeProfitOnFill"] = {"distance": _plain(order.target_distance), "timeInForce": "GTC"}
    if order.trailing_stop is not None:
        body["trailingStopLossOnFill"] = {"distance": _plain(order.trailing_stop), "timeInForce": "GTC"}
    return {"order": body}


def close_request(units: Decimal | None) -> Json:
    """Build the body that closes a trade, whole (None) or by `units`, whose sign OANDA wants positive."""
    return {"units": "ALL" if units is None else _plain(abs(units).normalize())}


def exits_request(
    instrument: Instrument,
    units: Decimal,
    stop_loss: Decimal | None,
    take_profit: Decimal | None,
    trailing_stop: Decimal | None,
) -> Json:
    """Build the body that changes the exits of a trade of `units`: None leaves one as it is, CANCEL (0) removes it."""
    body: Json = {}
    if stop_loss is not None:
        body["stopLoss"] = _exit("price", stop_loss and round_stop(stop_loss, units, instrument))
    if take_profit is not None:
        body["takeProfit"] = _exit("price", take_profit and round_target(take_profit, units, instrument))
    if trailing_stop is not None:
        body["trailingStopLoss"] = _exit("distance", trailing_stop and round_distance(trailing_stop, instrument))
    return body


_TYPES: dict[type, str] = {MarketOrder: "MARKET", LimitOrder: "LIMIT", StopOrder: "STOP"}


def _bound(price: Decimal | None, units: Decimal, instrument: Instrument) -> Decimal | None:
    return None if price is None else round_limit(price, units, instrument)


def _distance(distance: Decimal | None, instrument: Instrument) -> Decimal | None:
    return None if distance is None else round_distance(distance, instrument)


def _exit(key: str, value: Decimal) -> Json | None:
    return None if value == CANCEL else {key: _plain(value), "timeInForce": "GTC"}


def _plain(value: Decimal) -> str:
    """Write a number without an exponent."""
    return format(value, "f")
