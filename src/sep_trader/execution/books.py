"""What the database knows, read in one statement, as typed values: the trader's view of its own books."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sep_trader.execution.rows import (
    Books,
    Execution,
    LedgerPosition,
    NewSignal,
    PairRight,
    Request,
    SeenAccount,
    Switch,
)
from sep_trader.states import ExecutionStatus, Origin, RequestKind, SignalKind, SpreadSource, TradingState, Verdict
from sep_trader.store.database import Connection
from sep_trader.store.locks import Lock
from sep_trader.store.queries import queries

Json = Mapping[str, Any]

_UNREADABLE = (KeyError, ValueError, TypeError, InvalidOperation, OverflowError)


@dataclass(frozen=True, slots=True)
class _Row:
    """The statement's one row; lists are JSON texts."""

    state: TradingState
    reason: str
    changed_by: str
    changed_at: datetime
    database_id: str
    ledger: str | None
    seen: str | None
    executions: str
    signals: str
    rights: str
    last_exits: str
    requests: str
    overrides: str
    elsewhere: str
    orders_last_minute: int
    unknown_lately: int
    streak: str
    lock_held: bool


def read_books(
    connection: Connection, account_id: str, now: datetime | None, lock_pid: int | None
) -> tuple[Books, bool]:
    """Read the books of an account, and whether the session `lock_pid` holds the lock of the trader (None: not asked).

    now: the broker's time; orders are counted in the minute and the hour before it, and none where it is not known. A
    signal that cannot be read is set aside, with the reason; every other one is read all the same.
    """
    row = queries.only(
        connection, "books", _Row, account_id=account_id, now=now, lock_pid=lock_pid, lock_key=int(Lock.TRADER)
    )
    signals, unreadable = _signals(_load(row.signals))
    streak = _load(row.streak)
    books = Books(
        database_id=row.database_id,
        switch=Switch(row.state, row.reason, row.changed_by, row.changed_at),
        ledger=None if row.ledger is None else _ledger(_load(row.ledger)),
        seen=None if row.seen is None else _seen(_load(row.seen)),
        executions=tuple(_execution(item) for item in _load(row.executions)),
        signals=signals,
        unreadable_signals=unreadable,
        rights={pair: _right(item) for pair, item in _load(row.rights).items()},
        last_exits={pair: datetime.fromisoformat(text) for pair, text in _load(row.last_exits).items()},
        requests=tuple(_request(item) for item in _load(row.requests)),
        elsewhere=tuple(_load(row.elsewhere)),
        orders_last_minute=row.orders_last_minute,
        unknown_lately=row.unknown_lately,
        losses_in_a_row=int(streak["lost"]),
        last_loss=_time(streak["at"]),
        overrides={name: Decimal(value) for name, value in _load(row.overrides).items()},
    )
    return books, row.lock_held


def _request(item: Json) -> Request:
    value = item.get("value")
    return Request(**{**item, "kind": RequestKind(item["kind"]), "value": None if value is None else Decimal(value)})


def _load(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _number(value: object) -> Decimal:
    return Decimal(str(value))


def _maybe(value: object) -> Decimal | None:
    return None if value is None else _number(value)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _told_time(text: str | None) -> datetime | None:
    """A time that a verdict brought along; None where it is none: one bad row stops nothing."""
    try:
        return _time(text)
    except ValueError:
        return None


def _ledger(item: Json) -> LedgerPosition:
    return LedgerPosition(item["last_transaction_id"], _number(item["balance"]))


def _seen(item: Json) -> SeenAccount:
    return SeenAccount(
        created_time=_time(item["created_time"]),
        nav_high=_number(item["nav_high"]),
        day=date.fromisoformat(item["day"]),
        day_nav=_number(item["day_nav"]),
        week=date.fromisoformat(item["week"]),
        week_nav=_number(item["week_nav"]),
    )


def _right(item: Json) -> PairRight:
    # A word that nobody knows gives no right, and takes none from the other pairs.
    verdict = item["verdict"] if item["verdict"] in set(Verdict) else None
    spread = item["spread"] if item["spread"] in set(SpreadSource) else "unknown"
    return PairRight(
        enabled=item["enabled"] and (item["verdict"] is None or verdict is not None),
        model_id=item["model_id"],
        verdict=None if verdict is None else Verdict(verdict),
        override_reason=item["override_reason"],
        spread=SpreadSource(spread),
        proven_live=item["proven_live"],
        evidence_until=_told_time(item["evidence_until"]),
    )


def _execution(item: Json) -> Execution:
    return Execution(
        id=item["id"],
        signal_id=UUID(item["signal_id"]),
        account_id=item["account_id"],
        pair=item["pair"],
        client_id=item["client_id"],
        status=ExecutionStatus(item["status"]),
        units=_number(item["units"]),
        open_units=_number(item["open_units"]),
        intent_time=datetime.fromisoformat(item["intent_time"]),
        intent_transaction_id=item["intent_transaction_id"],
        expected_price=_number(item["expected_price"]),
        stop_distance=_maybe(item["stop_distance"]),
        target_distance=_maybe(item["target_distance"]),
        deadline=_time(item["deadline"]),
        trade_id=item["trade_id"],
        entry_price=_maybe(item["entry_price"]),
        horizon_at=_time(item["horizon_at"]),
        late=item["late"],
        closing_order_id=item["closing_order_id"],
        closing_cause=item["closing_cause"],
        horizon=timedelta(seconds=float(item["horizon"])),
        candle_time=datetime.fromisoformat(item["candle_time"]),
        granularity=item["granularity"],
        model_id=item["model_id"],
    )


def _signals(items: list[Json]) -> tuple[tuple[NewSignal, ...], tuple[tuple[UUID, str], ...]]:
    """The signals that can be read, and the ids of those that cannot, with the reason."""
    read: list[NewSignal] = []
    unreadable: list[tuple[UUID, str]] = []
    for item in items:
        try:
            read.append(_signal(item))
        except _UNREADABLE as error:
            unreadable.append((UUID(item["id"]), f"{type(error).__name__}: {error}"))
    return tuple(read), tuple(unreadable)


def _signal(item: Json) -> NewSignal:
    return NewSignal(
        id=UUID(item["id"]),
        pair=item["pair"],
        model_id=item["model_id"],
        granularity=item["granularity"],
        candle_time=datetime.fromisoformat(item["candle_time"]),
        side=item["side"],
        confidence=_number(item["confidence"]),
        stop_distance=_number(item["stop_distance"]),
        target_distance=_maybe(item["target_distance"]),
        horizon=timedelta(seconds=float(item["horizon"])),
        expires_at=datetime.fromisoformat(item["expires_at"]),
        origin=Origin(item["origin"]),
        max_units=_maybe(item["max_units"]),
        ordered=item["ordered"],
        kind=SignalKind(item["kind"]),
    )
