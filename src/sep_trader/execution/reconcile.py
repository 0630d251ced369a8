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
from sep_trader.ledger.transactions import Fill, FillCause, Financing, OrderEnded, TradePart, Transaction
from sep_trader.states import ExitReason

OUR_MARK = "sep-"
"""The client id of every order that this system sends begins with it."""
NOTHING_OPENED = "NOTHING_OPENED"
"""Code of an order whose fill opened no trade: it only closed or reduced others."""


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """The order `client_id` opened a trade."""

    client_id: str
    order_id: int
    time: datetime
    part: TradePart


@dataclass(frozen=True, slots=True)
class OrderCameToNothing:
    """The order `client_id` opened no trade; `code` is the broker's reason. `order_id` is None for a rejected order."""

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
    cause: FillCause


@dataclass(frozen=True, slots=True)
class TradeFinanced:
    """A trade was charged or paid overnight financing."""

    trade_id: int
    time: datetime
    amount: Decimal


Change = OrderFilled | OrderCameToNothing | TradeChanged | TradeFinanced


@dataclass(frozen=True, slots=True)
class Batch:
    """Transactions that may be applied now, in order of their ids; `missing` ids keep all of them back."""

    transactions: tuple[Transaction, ...]
    missing: tuple[int, ...]


def to_apply(applied: int, transactions: Iterable[Transaction]) -> Batch:
    """The transactions after the id `applied`, each once; none of them while an id between is missing."""
    fresh = {t.id: t for t in transactions if t.id > applied}
    missing = sorted(set(range(applied + 1, max(fresh, default=applied) + 1)) - fresh.keys())
    return Batch(() if missing else tuple(fresh[key] for key in sorted(fresh)), tuple(missing))


def changes_of(transaction: Transaction) -> list[Change]:
    """What one transaction changes, in the order in which it must be applied."""
    time = transaction.time
    match transaction.event:
        case Fill() as fill:
            return _changes_of_fill(fill, time)
        case OrderEnded(order_id=order_id, client_id=str(client_id), code=code):
            return [OrderCameToNothing(client_id, order_id, code)]
        case Financing(parts=parts):
            return [TradeFinanced(part.trade_id, time, part.amount) for part in parts]
        case _:
            return []


def exit_reason(cause: FillCause, time: datetime, horizon_at: datetime | None) -> ExitReason:
    """Why a trade ended, from the fill's cause: a close at or after the horizon was ours."""
    match cause:
        case FillCause.STOP_LOSS:
            return ExitReason.STOP_LOSS
        case FillCause.TAKE_PROFIT:
            return ExitReason.TAKE_PROFIT
        case FillCause.TRAILING_STOP:
            return ExitReason.TRAILING_STOP
        case FillCause.MARGIN_CLOSEOUT:
            return ExitReason.MARGIN_CLOSEOUT
        case FillCause.TRADE_CLOSE if horizon_at is not None and time >= horizon_at:
            return ExitReason.HORIZON
        case _:
            return ExitReason.MANUAL


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference between our books and the broker's that the record does not explain."""

    trade_id: int
    text: str


def compare_open_trades(ours: Mapping[int, Decimal], theirs: Iterable[BrokerTrade]) -> list[Discrepancy]:
    """Differences between our open trades (id -> units) and the broker's.

    A trade of somebody else is not compared, unless it carries our mark.
    """
    broker = {t.trade_id: t for t in theirs}
    found = [Discrepancy(i, f"trade {i} is open in our books and not at the broker") for i in ours if i not in broker]
    for trade_id, trade in broker.items():
        if trade_id in ours and trade.units != ours[trade_id]:
            text = f"trade {trade_id} has {trade.units} units at the broker, {ours[trade_id]} in our books"
            found.append(Discrepancy(trade_id, text))
        if trade_id not in ours and (trade.client_id or "").startswith(OUR_MARK):
            text = f"trade {trade_id} carries our mark {trade.client_id} and is not in our books"
            found.append(Discrepancy(trade_id, text))
    return found


def _changes_of_fill(fill: Fill, time: datetime) -> list[Change]:
    changes: list[Change] = [TradeChanged(p.trade_id, time, p, True, fill.cause) for p in fill.closed]
    if fill.reduced is not None:
        changes.append(TradeChanged(fill.reduced.trade_id, time, fill.reduced, False, fill.cause))
    if fill.client_id and fill.opened is not None:
        changes.append(OrderFilled(fill.client_id, fill.order_id, time, fill.opened))
    elif fill.client_id:
        changes.append(OrderCameToNothing(fill.client_id, fill.order_id, NOTHING_OPENED))
    return changes
