"""OANDA's transactions read as typed ones: the only place that knows what the record's field names mean. Pure.

Source: OANDA v20, transaction definitions. A type that is not known here becomes Other and keeps its stated balance, so
that the books notice whatever moved money. Functions raise KeyError, ValueError, TypeError or
decimal.InvalidOperation for an object without what a transaction must have.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sep_trader.broker.oanda.times import parse_time
from sep_trader.ledger.transactions import (
    Adjustment,
    Event,
    ExitKind,
    ExitsChanged,
    Fill,
    FillCause,
    Financing,
    FinancingPart,
    OrderEnded,
    OrderPlaced,
    Other,
    TradePart,
    Transaction,
    Transfer,
    Unreadable,
)

Json = Mapping[str, Any]

_ZERO = Decimal(0)
_CAUSES = {
    "MARKET_ORDER": FillCause.ORDER,
    "LIMIT_ORDER": FillCause.ORDER,
    "STOP_ORDER": FillCause.ORDER,
    "MARKET_IF_TOUCHED_ORDER": FillCause.ORDER,
    "MARKET_ORDER_TRADE_CLOSE": FillCause.TRADE_CLOSE,
    "MARKET_ORDER_DELAYED_TRADE_CLOSE": FillCause.TRADE_CLOSE,
    "MARKET_ORDER_POSITION_CLOSEOUT": FillCause.POSITION_CLOSE,
    "MARKET_ORDER_MARGIN_CLOSEOUT": FillCause.MARGIN_CLOSEOUT,
    "STOP_LOSS_ORDER": FillCause.STOP_LOSS,
    "GUARANTEED_STOP_LOSS_ORDER": FillCause.STOP_LOSS,
    "TAKE_PROFIT_ORDER": FillCause.TAKE_PROFIT,
    "TRAILING_STOP_LOSS_ORDER": FillCause.TRAILING_STOP,
}
_EXITS = {
    "STOP_LOSS_ORDER": ExitKind.STOP_LOSS,
    "TAKE_PROFIT_ORDER": ExitKind.TAKE_PROFIT,
    "TRAILING_STOP_LOSS_ORDER": ExitKind.TRAILING_STOP,
    "GUARANTEED_STOP_LOSS_ORDER": ExitKind.GUARANTEED_STOP,
}
_ENTRIES = ("MARKET_ORDER", "FIXED_PRICE_ORDER", "LIMIT_ORDER", "STOP_ORDER", "MARKET_IF_TOUCHED_ORDER")
# Types that move money and are neither a fill, nor financing, nor a transfer: the field that holds the amount.
_ADJUSTMENTS = {"DIVIDEND_ADJUSTMENT": "dividendAdjustment"}


def transaction(raw: Json) -> Transaction:
    """Read one entry of the account's record."""
    return Transaction(
        id=int(raw["id"]),
        type=raw["type"],
        time=parse_time(raw["time"]),
        event=_event(raw),
        balance=_number(raw, "accountBalance"),
        raw=raw,
    )


def transaction_or_unreadable(raw: Json) -> Transaction:
    """Read one entry; one that lacks what it must have is kept as it came. Raises for one without an id or a time."""
    try:
        return transaction(raw)
    except (KeyError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
        cause = f"{type(error).__name__}: {error}"
        return Transaction(
            id=int(raw["id"]),
            type=str(raw.get("type", "UNREADABLE")),
            time=parse_time(raw["time"]),
            event=Unreadable(cause),
            balance=_readable_balance(raw),
            raw=raw,
        )


def _readable_balance(raw: Json) -> Decimal | None:
    try:
        return _number(raw, "accountBalance")
    except InvalidOperation:
        return None


def _event(raw: Json) -> Event:
    kind = raw["type"]
    if kind == "ORDER_FILL":
        return _fill(raw)
    if kind == "DAILY_FINANCING":
        return Financing(_amount(raw, "financing"), _financing_parts(raw))
    if kind == "TRANSFER_FUNDS":
        adjusts = raw.get("fundingReason") == "ADJUSTMENT"
        return Adjustment(_amount(raw, "amount")) if adjusts else Transfer(_amount(raw, "amount"))
    if kind in _ADJUSTMENTS:
        return Adjustment(_amount(raw, _ADJUSTMENTS[kind]))
    if kind == "ORDER_CANCEL":
        return OrderEnded(int(raw["orderID"]), _text(raw, "clientOrderID"), str(raw.get("reason", "CANCELLED")))
    if kind in _EXITS and "tradeID" in raw:
        price, distance = _number(raw, "price"), _number(raw, "distance")
        return ExitsChanged(int(raw["tradeID"]), int(raw["id"]), _EXITS[kind], price, distance)
    if kind in _ENTRIES:
        return OrderPlaced(int(raw["id"]), _own_id(raw))
    # The reject of a replacement leaves the order that it was to replace as it is, whose name it may carry.
    if kind.removesuffix("_REJECT") in _ENTRIES and "intendedReplacesOrderID" not in raw:
        return OrderEnded(None, _own_id(raw), str(raw.get("rejectReason", "REJECTED")))
    return Other()


def _fill(raw: Json) -> Fill:
    """Read an ORDER_FILL. Its fees are stated once: the first trade that it touched carries them.

    Source: OANDA v20. `pl` holds what the conversion into the home currency cost; some fills state it apart.
    """
    commission, guarantee = _amount(raw, "commission"), _amount(raw, "guaranteedExecutionFee")
    fees = commission + guarantee
    quote = raw.get("fullPrice") or {}
    opened, reduced = raw.get("tradeOpened"), raw.get("tradeReduced")
    closed = list(raw.get("tradesClosed") or ())
    touched = [part for part in (*closed, reduced, opened) if part]

    def part(of: Json) -> TradePart:
        return _part(of, fees if of is touched[0] else _ZERO)

    return Fill(
        order_id=int(raw["orderID"]),
        client_id=_text(raw, "clientOrderID"),
        cause=_CAUSES.get(raw.get("reason", ""), FillCause.OTHER),
        gross_pl=_amount(raw, "pl"),
        financing=_amount(raw, "financing"),
        fees=fees,
        commission=commission,
        conversion=_amount(raw, "homeConversionCost"),
        bid=_best(quote.get("bids")),
        ask=_best(quote.get("asks")),
        instrument=_text(raw, "instrument"),
        opened=part(opened) if opened else None,
        closed=tuple(part(one) for one in closed),
        reduced=part(reduced) if reduced else None,
    )


def _best(ladder: Any) -> Decimal | None:
    return Decimal(str(ladder[0]["price"])) if ladder else None


def _part(raw: Json, commission: Decimal) -> TradePart:
    return TradePart(
        trade_id=int(raw["tradeID"]),
        units=_amount(raw, "units"),
        price=_number(raw, "price"),
        gross_pl=_amount(raw, "realizedPL"),
        financing=_amount(raw, "financing"),
        commission=commission,
        half_spread_cost=_amount(raw, "halfSpreadCost"),
        conversion=_amount(raw, "homeConversionCost"),
    )


def _financing_parts(raw: Json) -> tuple[FinancingPart, ...]:
    return tuple(
        FinancingPart(int(trade["tradeID"]), _amount(trade, "financing"))
        for position in raw.get("positionFinancings") or ()
        for trade in position.get("openTradeFinancings") or ()
    )


def _own_id(raw: Json) -> str | None:
    return _text(raw.get("clientExtensions") or {}, "id")


def _text(raw: Json, key: str) -> str | None:
    return str(raw[key]) if raw.get(key) else None


def _number(raw: Json, key: str) -> Decimal | None:
    value = raw.get(key)
    return None if value is None else Decimal(str(value))


def _amount(raw: Json, key: str) -> Decimal:
    return Decimal(str(raw.get(key) or 0))
