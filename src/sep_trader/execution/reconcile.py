"""What the broker's record says about our orders and trades. Pure.

Two invariants hold, and tests/property/test_reconcile.py proves them. First, a transaction is applied once at most:
`to_apply` gives consecutive ids that follow the last one applied. Second, a change names an order by its client id or
a trade by the broker's id, and the transaction itself holds that name: nothing is guessed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sep_trader.broker.port import BrokerTrade
from sep_trader.execution.marks import Owner, owner_of
from sep_trader.ledger.transactions import Fill, FillCause, Financing, OrderEnded, TradePart, Transaction
from sep_trader.states import ExitReason

NOTHING_OPENED = "NOTHING_OPENED"
"""Code of an order whose fill opened no trade: it only closed or reduced others."""


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """The order `client_id` opened a trade."""

    client_id: str
    order_id: int
    time: datetime
    part: TradePart
    bid: Decimal | None = None
    ask: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderCameToNothing:
    """The order `client_id` opened no trade; `code` is the broker's reason. `order_id` is None for a rejected order."""

    client_id: str
    order_id: int | None
    code: str


@dataclass(frozen=True, slots=True)
class TradeChanged:
    """A trade realised something, by an order; `closed` when that was its end."""

    trade_id: int
    time: datetime
    part: TradePart
    closed: bool
    cause: FillCause
    order_id: int
    bid: Decimal | None = None
    ask: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TradeFinanced:
    """A trade was charged or paid overnight financing."""

    trade_id: int
    time: datetime
    amount: Decimal


Change = OrderFilled | OrderCameToNothing | TradeChanged | TradeFinanced


def to_apply(applied: int, transactions: Iterable[Transaction]) -> tuple[Transaction, ...]:
    """The transactions that follow the id `applied`, each once, in order of their ids, up to the first hole."""
    fresh = {t.id: t for t in transactions if t.id > applied}
    found: list[Transaction] = []
    while applied + len(found) + 1 in fresh:
        found.append(fresh[applied + len(found) + 1])
    return tuple(found)


def changes_of(transaction: Transaction, order_name: str | None = None) -> list[Change]:
    """What one transaction changes, in the order in which it must be applied.

    order_name: the name of the order that it is about, from the entry that created the order. A fill or an end may come
    without it.
    """
    time = transaction.time
    match transaction.event:
        case Fill() as fill:
            return _changes_of_fill(fill, time, fill.client_id or order_name)
        case OrderEnded(order_id=order_id, client_id=client_id, code=code) if client_id or order_name:
            return [OrderCameToNothing(client_id or order_name or "", order_id, code)]
        case Financing(parts=parts):
            return [TradeFinanced(part.trade_id, time, part.amount) for part in parts]
        case _:
            return []


def exit_reason(cause: FillCause, ours: ExitReason | None) -> ExitReason:
    """Why a trade ended: by the fill's cause, and where a client closed it by what we know of our own closes.

    ours: why we closed it with the order that was filled; None where that order is not ours.
    """
    match cause:
        case FillCause.STOP_LOSS:
            return ExitReason.STOP_LOSS
        case FillCause.TAKE_PROFIT:
            return ExitReason.TAKE_PROFIT
        case FillCause.TRAILING_STOP:
            return ExitReason.TRAILING_STOP
        case FillCause.MARGIN_CLOSEOUT:
            return ExitReason.MARGIN_CLOSEOUT
        case FillCause.TRADE_CLOSE if ours is not None:
            return ours
        case _:
            return ExitReason.MANUAL


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference between our books and the broker's that the record does not explain."""

    trade_id: int
    text: str


def compare_open_trades(
    ours: Mapping[int, Decimal], theirs: Iterable[BrokerTrade], database_id: str
) -> list[Discrepancy]:
    """Differences between our open trades (id -> units) and the broker's, both at the same transaction.

    A trade of somebody else is not compared, unless it carries our marks.
    """
    broker = {t.trade_id: t for t in theirs}
    found = [Discrepancy(i, f"trade {i} is open in our books and not at the broker") for i in ours if i not in broker]
    for trade_id, trade in broker.items():
        if trade_id in ours and trade.units != ours[trade_id]:
            text = f"trade {trade_id} has {trade.units} units at the broker, {ours[trade_id]} in our books"
            found.append(Discrepancy(trade_id, text))
        if trade_id not in ours and owner_of(trade, database_id) is Owner.OURS:
            text = f"trade {trade_id} carries our mark {trade.client_id} and is not in our books"
            found.append(Discrepancy(trade_id, text))
    return found


def _changes_of_fill(fill: Fill, time: datetime, name: str | None) -> list[Change]:
    changes: list[Change] = [
        TradeChanged(p.trade_id, time, p, True, fill.cause, fill.order_id, fill.bid, fill.ask) for p in fill.closed
    ]
    if fill.reduced is not None:
        changes.append(TradeChanged(fill.reduced.trade_id, time, fill.reduced, False, fill.cause, fill.order_id))
    if name and fill.opened is not None:
        changes.append(OrderFilled(name, fill.order_id, time, fill.opened, fill.bid, fill.ask))
    elif name:
        changes.append(OrderCameToNothing(name, fill.order_id, NOTHING_OPENED))
    return changes
