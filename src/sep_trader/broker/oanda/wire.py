"""OANDA's JSON objects read as the port's values. Unknown fields are ignored, optional ones may be missing.

All functions raise KeyError, ValueError, TypeError or decimal.InvalidOperation for an object that lacks what it must
have; the client turns these into one BrokerError (or, for an order's answer, into Unknown).
"""

from decimal import Decimal
from typing import Any

from sep_trader.broker.oanda.record import transaction, transaction_or_unreadable
from sep_trader.broker.oanda.times import parse_time
from sep_trader.broker.oanda.values import Account, AccountChanges, BrokerOrder, Position
from sep_trader.broker.port import (
    AccountSnapshot,
    AccountSummary,
    BrokerTrade,
    GuaranteedStops,
    Heartbeat,
    Price,
    Pricing,
    Transactions,
)
from sep_trader.market.instrument import Instrument

Json = dict[str, Any]

_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_ZERO = Decimal(0)


def decimal(value: object) -> Decimal:
    """Read a decimal string, or a JSON number where an older server sends one, exactly as it is written."""
    return Decimal(str(value))


def account(body: Json) -> Account:
    """Read one entry of the list of accounts."""
    return Account(body["id"], tuple(body.get("tags", ())), mt4="mt4AccountID" in body)


def summary(body: Json) -> AccountSummary:
    """Read the answer of the account and the summary endpoint."""
    item = body["account"]
    return AccountSummary(
        account_id=item["id"],
        currency=item["currency"],
        balance=decimal(item["balance"]),
        nav=decimal(item["NAV"]),
        unrealized_pl=decimal(item["unrealizedPL"]),
        margin_used=decimal(item["marginUsed"]),
        margin_available=decimal(item["marginAvailable"]),
        open_trade_count=int(item["openTradeCount"]),
        hedging_enabled=bool(item["hedgingEnabled"]),
        last_transaction_id=int(body.get("lastTransactionID", item.get("lastTransactionID"))),
    )


def snapshot(body: Json) -> AccountSnapshot:
    """Read the answer of the account endpoint: exits stand beside the trades and are named there by their ids."""
    item = body["account"]
    orders = {order["id"]: order for order in item.get("orders", ())}
    created = item.get("createdTime")
    return AccountSnapshot(
        summary=summary(body),
        created_time=parse_time(created) if created else None,
        guaranteed_stops=GuaranteedStops(item.get("guaranteedStopLossOrderMode", GuaranteedStops.DISABLED)),
        trades=tuple(trade(one, orders) for one in item["trades"] if one.get("state", "OPEN") != "CLOSED"),
    )


def instrument(item: Json) -> Instrument:
    """Read one instrument. Financing and margin are live data: they are taken as sent, never assumed."""
    financing = item.get("financing", {})
    charged = {day["dayOfWeek"]: int(day["daysCharged"]) for day in financing.get("financingDaysOfWeek", ())}
    known = {"financing_days": tuple(charged.get(day, 0) for day in _WEEKDAYS)} if charged else {}
    return Instrument(
        name=item["name"],
        pip_location=int(item["pipLocation"]),
        display_precision=int(item["displayPrecision"]),
        trade_units_precision=int(item["tradeUnitsPrecision"]),
        minimum_trade_size=decimal(item["minimumTradeSize"]),
        maximum_order_units=decimal(item["maximumOrderUnits"]),
        margin_rate=decimal(item["marginRate"]),
        minimum_trailing_stop_distance=decimal(item["minimumTrailingStopDistance"]),
        financing_long_rate=decimal(financing.get("longRate", 0)),
        financing_short_rate=decimal(financing.get("shortRate", 0)),
        **known,
    )


def price(item: Json) -> Price | None:
    """Read one quote, at the best bid and ask (the first of each ladder); None when a side of the book is empty.

    A crossed book, bid above ask, is kept as a quote that is not tradeable.
    """
    bids, asks = item.get("bids"), item.get("asks")
    if not bids or not asks:
        return None
    bid, ask = decimal(bids[0]["price"]), decimal(asks[0]["price"])
    tradeable = item["tradeable"] if "tradeable" in item else item.get("status") == "tradeable"
    return Price(
        instrument=item["instrument"],
        time=parse_time(item["time"]),
        bid=bid,
        ask=ask,
        tradeable=bool(tradeable) and bid <= ask,
    )


def pricing(body: Json) -> Pricing:
    """Read the answer of the pricing endpoint, home conversions included."""
    conversions = {
        item["currency"]: (decimal(item["accountGain"]), decimal(item["accountLoss"]))
        for item in body.get("homeConversions", ())
    }
    prices = [price(item) for item in body["prices"]]
    known = tuple(item for item in prices if item is not None)
    time = parse_time(body["time"]) if "time" in body else max(item.time for item in known)
    return Pricing(time, known, conversions)


def transactions(body: Json) -> Transactions:
    """Read the answer of sinceid or idrange, oldest first and without doubles; one that cannot be read stays a
    transaction, as Unreadable."""
    by_id = {item.id: item for item in map(transaction_or_unreadable, body["transactions"])}
    return Transactions(tuple(by_id[key] for key in sorted(by_id)), int(body["lastTransactionID"]))


def heartbeat(item: Json) -> Heartbeat:
    """Read a heartbeat of either stream."""
    last = item.get("lastTransactionID")
    return Heartbeat(parse_time(item["time"]), None if last is None else int(last))


def trade(item: Json, orders: dict[str, Json] | None = None) -> BrokerTrade:
    """Read a trade with its exits, which come whole or, in account details and changes, as ids into `orders`."""
    closed = item.get("closeTime")
    average = item.get("averageClosePrice")
    unrealized = item.get("unrealizedPL")
    exits = {name: item.get(f"{name}Order") or (orders or {}).get(item.get(f"{name}OrderID", "")) for name in _EXITS}
    return BrokerTrade(
        trade_id=int(item["id"]),
        instrument=item["instrument"],
        units=decimal(item["currentUnits"]),
        initial_units=decimal(item["initialUnits"]),
        price=decimal(item["price"]),
        open_time=parse_time(item["openTime"]),
        state=item["state"],
        realized_pl=decimal(item.get("realizedPL", 0)),
        financing=decimal(item.get("financing", 0)),
        client_id=_client_id(item),
        stop_loss=_field(exits["stopLoss"], "price"),
        take_profit=_field(exits["takeProfit"], "price"),
        close_time=parse_time(closed) if closed else None,
        average_close_price=decimal(average) if average else None,
        unrealized_pl=decimal(unrealized) if unrealized is not None else None,
        trailing_stop=_field(exits["trailingStopLoss"], "distance"),
        trailing_stop_price=_field(exits["trailingStopLoss"], "trailingStopValue"),
        guaranteed_stop=_field(exits["guaranteedStopLoss"], "price"),
        tag=item.get("clientExtensions", {}).get("tag"),
        comment=item.get("clientExtensions", {}).get("comment"),
    )


_EXITS = ("stopLoss", "takeProfit", "trailingStopLoss", "guaranteedStopLoss")


def order(item: Json) -> BrokerOrder:
    """Read a pending order."""
    trade_id = item.get("tradeID")
    return BrokerOrder(
        order_id=int(item["id"]),
        type=item["type"],
        state=item["state"],
        create_time=parse_time(item["createTime"]),
        instrument=item.get("instrument"),
        units=_field(item, "units"),
        price=_field(item, "price"),
        distance=_field(item, "distance"),
        trade_id=int(trade_id) if trade_id else None,
        client_id=_client_id(item),
    )


def position(item: Json) -> Position:
    """Read a position; a side that was never traded may be missing."""
    long, short = item.get("long", {}), item.get("short", {})
    return Position(
        instrument=item["instrument"],
        long_units=decimal(long.get("units", 0)),
        short_units=decimal(short.get("units", 0)),
        long_price=_field(long, "averagePrice"),
        short_price=_field(short, "averagePrice"),
        pl=decimal(item.get("pl", 0)),
        unrealized_pl=decimal(item.get("unrealizedPL", 0)),
        financing=decimal(item.get("financing", 0)),
        margin_used=decimal(item.get("marginUsed", 0)),
    )


def changes(body: Json) -> AccountChanges:
    """Read the answer of the changes endpoint; lists that a server leaves out are empty."""
    item = body["changes"]
    created = {entry["id"]: entry for entry in item.get("ordersCreated", ())}

    def trades(key: str) -> tuple[BrokerTrade, ...]:
        return tuple(trade(entry, created) for entry in item.get(key, ()))

    def orders(key: str) -> tuple[BrokerOrder, ...]:
        return tuple(order(entry) for entry in item.get(key, ()))

    return AccountChanges(
        last_id=int(body["lastTransactionID"]),
        trades_opened=trades("tradesOpened"),
        trades_reduced=trades("tradesReduced"),
        trades_closed=trades("tradesClosed"),
        orders_created=orders("ordersCreated"),
        orders_cancelled=orders("ordersCancelled"),
        orders_filled=orders("ordersFilled"),
        orders_triggered=orders("ordersTriggered"),
        positions=tuple(position(entry) for entry in item.get("positions", ())),
        transactions=tuple(transaction(entry) for entry in item.get("transactions", ())),
        state=body.get("state", {}),
    )


def _client_id(item: Json) -> str | None:
    found = item.get("clientExtensions", {}).get("id")
    return None if found is None else str(found)


def _field(item: Json | None, name: str) -> Decimal | None:
    value = (item or {}).get(name)
    return None if value is None else decimal(value)
