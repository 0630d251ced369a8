"""What the broker's record says about our orders and trades. Pure.

Invariants: applying a transaction twice is impossible (ids are consecutive and each is applied with the one before
it); every change names the order by our client id or the trade by the broker's id, never by guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sep_trader.broker.port import BrokerTrade, Transaction
from sep_trader.ledger.entries import TradePart, fill_parts, financing_parts


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """Our order opened a trade."""

    client_id: str
    order_id: int
    time: datetime
    part: TradePart


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """Our order came to nothing; `code` is the broker's reason."""

    client_id: str
    order_id: int | None
    code: str


@dataclass(frozen=True, slots=True)
class TradeChanged:
    """A trade realised something; `closed` when that was its end."""

    trade_id: int
    time: datetime
    part: TradePart
    closed: bool
    cause: str


@dataclass(frozen=True, slots=True)
class TradeFinanced:
    """A trade was charged or paid overnight financing."""

    trade_id: int
    time: datetime
    amount: Decimal


Change = OrderFilled | OrderEnded | TradeChanged | TradeFinanced


def changes_of(transaction: Transaction) -> list[Change]:
    """What one transaction changes, in the order in which it must be applied."""
    raw, time = transaction.raw, transaction.time
    if transaction.type == "ORDER_FILL":
        return _changes_of_fill(raw, time)
    if transaction.type == "ORDER_CANCEL" and raw.get("clientOrderID"):
        return [OrderEnded(raw["clientOrderID"], int(raw["orderID"]), str(raw.get("reason", "CANCELLED")))]
    if transaction.type == "MARKET_ORDER_REJECT" and _client_id(raw):
        return [OrderEnded(_client_id(raw), None, str(raw.get("rejectReason", "REJECTED")))]
    if transaction.type == "DAILY_FINANCING":
        return [TradeFinanced(trade, time, amount) for trade, amount in financing_parts(raw).items()]
    return []


def exit_reason(cause: str, time: datetime, horizon_at: datetime | None) -> str:
    """Why a trade ended, from the fill's reason: a close at or after the horizon was ours."""
    if cause == "MARKET_ORDER_TRADE_CLOSE" and horizon_at is not None and time >= horizon_at:
        return "HORIZON"
    return {
        "STOP_LOSS_ORDER": "STOP_LOSS",
        "TAKE_PROFIT_ORDER": "TAKE_PROFIT",
        "TRAILING_STOP_LOSS_ORDER": "TRAILING_STOP",
        "MARKET_ORDER_MARGIN_CLOSEOUT": "MARGIN_CLOSEOUT",
    }.get(cause, "MANUAL")


def missing_ids(applied: int, transactions: Iterable[Transaction]) -> list[int]:
    """Ids that ought to follow `applied` but are not among the transactions: a record with holes is not applied."""
    ids = [t.id for t in transactions]
    return sorted(set(range(applied + 1, max(ids) + 1)) - set(ids)) if ids else []


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference between our books and the broker's that the record does not explain."""

    trade_id: int
    text: str


def compare_open_trades(ours: Mapping[int, Decimal], theirs: Iterable[BrokerTrade]) -> list[Discrepancy]:
    """Differences between our open trades (id -> units) and the broker's. Trades that are not ours are not ours to
    judge, unless they carry our mark."""
    broker = {t.trade_id: t for t in theirs}
    found = [Discrepancy(i, f"trade {i} is open in our books and not at the broker") for i in ours if i not in broker]
    for trade_id, trade in broker.items():
        if trade_id in ours and trade.units != ours[trade_id]:
            found.append(
                Discrepancy(
                    trade_id, f"trade {trade_id} has {trade.units} units at the broker, {ours[trade_id]} in our books"
                )
            )
        if trade_id not in ours and (trade.client_id or "").startswith("sep-"):
            found.append(
                Discrepancy(trade_id, f"trade {trade_id} carries our mark {trade.client_id} and is not in our books")
            )
    return found


def _changes_of_fill(raw: Mapping[str, Any], time: datetime) -> list[Change]:
    parts = fill_parts(raw)
    cause = str(raw.get("reason", ""))
    changes: list[Change] = [TradeChanged(p.trade_id, time, p, True, cause) for p in parts.closed]
    if parts.reduced is not None:
        changes.append(TradeChanged(parts.reduced.trade_id, time, parts.reduced, False, cause))
    client_id = raw.get("clientOrderID")
    if client_id and parts.opened is not None:
        changes.append(OrderFilled(client_id, int(raw["orderID"]), time, parts.opened))
    elif client_id:
        changes.append(OrderEnded(client_id, int(raw["orderID"]), "NOTHING_OPENED"))
    return changes


def _client_id(raw: Mapping[str, Any]) -> str:
    return str((raw.get("clientExtensions") or {}).get("id") or "")
