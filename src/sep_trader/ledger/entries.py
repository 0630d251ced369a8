"""What a broker's transaction did to the account: money, and the trades it opened, reduced or closed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction's effect on the balance, account currency. Transfers are not profit."""

    amount: Decimal
    is_profit: bool
    balance: Decimal | None


@dataclass(frozen=True, slots=True)
class TradePart:
    """A trade's share of a transaction. `units` signed as in the transaction (opposite to the trade when closing)."""

    trade_id: int
    units: Decimal
    price: Decimal | None
    gross_pl: Decimal
    financing: Decimal
    commission: Decimal
    half_spread_cost: Decimal


@dataclass(frozen=True, slots=True)
class FillParts:
    """What an ORDER_FILL did: the trade it opened, those it closed, the one it reduced."""

    opened: TradePart | None
    closed: tuple[TradePart, ...]
    reduced: TradePart | None


def entry_of(raw: Mapping[str, Any]) -> Entry:
    """The effect of a transaction on the balance. Source: OANDA v20, accountBalance = balance + pl + financing -
    commission - guaranteedExecutionFee on a fill; DAILY_FINANCING adds its financing; TRANSFER_FUNDS its amount."""
    kind = raw.get("type")
    balance = _optional(raw.get("accountBalance"))
    if kind == "ORDER_FILL":
        fees = _money(raw, "commission") + _money(raw, "guaranteedExecutionFee")
        return Entry(_money(raw, "pl") + _money(raw, "financing") - fees, True, balance)
    if kind == "DAILY_FINANCING":
        return Entry(_money(raw, "financing"), True, balance)
    if kind == "TRANSFER_FUNDS":
        return Entry(_money(raw, "amount"), False, balance)
    return Entry(_ZERO, True, balance)


def fill_parts(raw: Mapping[str, Any]) -> FillParts:
    """The trades an ORDER_FILL touched, each with its share of P&L, financing, commission and spread cost.

    Commission is stated for the fill as a whole; it is charged to the first trade touched.
    """
    fees = _money(raw, "commission") + _money(raw, "guaranteedExecutionFee")
    opened, reduced = raw.get("tradeOpened"), raw.get("tradeReduced")
    closed = list(raw.get("tradesClosed") or [])
    parts = [p for p in [*closed, reduced, opened] if p]
    taken = {id(p): (fees if i == 0 else _ZERO) for i, p in enumerate(parts)}
    return FillParts(
        opened=_part(opened, taken[id(opened)]) if opened else None,
        closed=tuple(_part(p, taken[id(p)]) for p in closed),
        reduced=_part(reduced, taken[id(reduced)]) if reduced else None,
    )


def financing_parts(raw: Mapping[str, Any]) -> dict[int, Decimal]:
    """Trade id -> financing of a DAILY_FINANCING, where the broker states it per trade."""
    return {
        int(trade["tradeID"]): _money(trade, "financing")
        for position in raw.get("positionFinancings") or []
        for trade in position.get("openTradeFinancings") or []
    }


def _part(raw: Mapping[str, Any], commission: Decimal) -> TradePart:
    return TradePart(
        trade_id=int(raw["tradeID"]),
        units=_money(raw, "units"),
        price=_optional(raw.get("price")),
        gross_pl=_money(raw, "realizedPL"),
        financing=_money(raw, "financing"),
        commission=commission,
        half_spread_cost=_money(raw, "halfSpreadCost"),
    )


def _money(raw: Mapping[str, Any], key: str) -> Decimal:
    return Decimal(str(raw.get(key) or 0))


def _optional(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
