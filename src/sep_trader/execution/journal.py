"""The journal: copies the broker's record into the store, each transaction exactly once, and books what it means.

A transaction, its effect on executions and signals, and how far the record has been read are one database
transaction: a crash at any point leaves either all of it or none.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from sep_trader.broker.port import AccountSummary, Broker, Transaction
from sep_trader.errors import BrokerError, BrokerUnavailable
from sep_trader.execution.reconcile import (
    Change,
    OrderEnded,
    OrderFilled,
    TradeChanged,
    TradeFinanced,
    changes_of,
    exit_reason,
    missing_ids,
)
from sep_trader.ledger.entries import entry_of
from sep_trader.risk.limits import Reason
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_ZERO = Decimal(0)


class RecordIncomplete(BrokerUnavailable):
    """The broker's record has a hole, or does not yet reach as far as the account: nothing may be concluded from it."""


class Journal:
    """The books of one broker account."""

    def __init__(self, database: Database, broker: Broker, log: Log) -> None:
        self._database, self._broker, self._log = database, broker, log
        self._account = broker.account_id
        self.last_id = 0

    def open(self, summary: AccountSummary, environment: str) -> None:
        """Begin the account's ledger at its present balance, or take it up where it was left."""
        with self._database.transaction() as connection:
            queries.open_ledger(
                connection,
                account_id=self._account,
                environment=environment,
                currency=summary.currency,
                opening_balance=summary.balance,
                transaction_id=summary.last_transaction_id,
            )
            row = queries.ledger_account(connection, account_id=self._account)
        self.last_id = row["last_transaction_id"]

    def catch_up(self) -> int:
        """Read and book everything the broker has recorded since; return how many transactions that was.

        Raises RecordIncomplete when the record has a hole (nothing of it is booked then) or lags behind the account
        (what there is, is booked).
        """
        before = self.last_id
        batch = self._broker.transactions_since(before)
        booked = self.book(batch.items)
        if not batch.complete_since(before):
            raise RecordIncomplete(f"the broker's record ends at {self.last_id}, the account is at {batch.last_id}")
        return booked

    def book(self, transactions: Sequence[Transaction]) -> int:
        """Book transactions that follow the last booked one; those already booked are left out."""
        fresh = sorted((t for t in transactions if t.id > self.last_id), key=lambda t: t.id)
        if missing := missing_ids(self.last_id, fresh):
            # It may only lag: nothing is booked, and the next look asks again.
            raise RecordIncomplete(f"the broker's record lacks transactions {missing[:5]} after {self.last_id}")
        if not fresh:
            return 0
        with self._database.transaction() as connection:
            applied = queries.lock_ledger(connection, account_id=self._account)
            if applied != self.last_id:
                raise BrokerError(
                    f"another trader books account {self._account}: it is at {applied}, not {self.last_id}"
                )
            closed_on: list[datetime] = []
            for transaction in fresh:
                self._copy(connection, transaction)
                closed = [self._apply(connection, change) for change in changes_of(transaction)]
                if any(closed):
                    closed_on.append(transaction.time)
            queries.advance_ledger(connection, account_id=self._account, transaction_id=fresh[-1].id)
            if closed_on:
                queries.refresh_performance(connection, since=min(closed_on).date())
        self.last_id = fresh[-1].id
        return len(fresh)

    def _copy(self, connection: Connection, transaction: Transaction) -> None:
        entry = entry_of(transaction.raw)
        queries.insert_broker_transaction(
            connection,
            account_id=self._account,
            id=transaction.id,
            time=transaction.time,
            type=transaction.type,
            amount=entry.amount,
            is_profit=entry.is_profit,
            balance=entry.balance,
            raw=Jsonb(transaction.raw),
        )

    def _apply(self, connection: Connection, change: Change) -> bool:
        """Apply one change; True when it closed one of our trades."""
        match change:
            case OrderFilled():
                self._filled(connection, change)
            case OrderEnded():
                self._ended(connection, change)
            case TradeChanged():
                return self._changed(connection, change)
            case TradeFinanced():
                self._add(connection, change.trade_id, change.time, financing=change.amount)
        return False

    def _filled(self, connection: Connection, change: OrderFilled) -> None:
        execution = queries.execution_by_client_id(connection, account_id=self._account, client_id=change.client_id)
        if execution is None:
            self._log.write(
                connection,
                "foreign_fill",
                f"order {change.client_id} is not ours",
                level="warning",
                broker_time=change.time,
            )
            return
        part = change.part
        queries.set_execution_open(
            connection,
            id=execution["id"],
            order_id=change.order_id,
            trade_id=part.trade_id,
            units=part.units,
            entry_time=change.time,
            entry_price=part.price,
            horizon=execution["horizon"],
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            half_spread_cost=part.half_spread_cost,
        )
        text = f"{part.units} {execution['pair']} at {part.price}"
        self._decide(connection, execution, "EXECUTED", Reason.FILLED, text, change.time)
        self._log.write(
            connection,
            "order_filled",
            text,
            level="info" if execution["status"] == "INTENT" else "warning",
            broker_time=change.time,
            client_id=change.client_id,
            trade_id=part.trade_id,
            slippage=_slippage(execution, part.price),
        )

    def _ended(self, connection: Connection, change: OrderEnded) -> None:
        execution = queries.execution_by_client_id(connection, account_id=self._account, client_id=change.client_id)
        if execution is None or execution["status"] not in ("INTENT", "UNKNOWN"):
            return
        self.reject(connection, execution, change.code, f"the broker ended the order: {change.code}", change.order_id)

    def reject(
        self, connection: Connection, execution: dict[str, Any], code: str, text: str, order_id: int | None = None
    ) -> None:
        """Book that an order came to nothing, and end its signal."""
        queries.set_execution_unsettled(
            connection, id=execution["id"], status="REJECTED", reason=f"{code}: {text}", order_id=order_id
        )
        self._decide(connection, execution, "REFUSED", code, text, execution["intent_time"])
        self._log.write(connection, "order_refused", text, level="warning", code=code, client_id=execution["client_id"])

    def _changed(self, connection: Connection, change: TradeChanged) -> bool:
        part = change.part
        execution = self._add(
            connection,
            part.trade_id,
            change.time,
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            half_spread_cost=part.half_spread_cost,
            units=part.units,
            closed=change.closed,
            price=part.price,
            cause=change.cause,
        )
        if execution is None:
            return False
        self._log.write(
            connection,
            "trade_closed" if change.closed else "trade_reduced",
            f"{execution['pair']} {part.gross_pl + part.financing - part.commission:+} at {part.price}",
            broker_time=change.time,
            trade_id=part.trade_id,
            cause=change.cause,
        )
        return change.closed

    def _add(
        self,
        connection: Connection,
        trade_id: int,
        time: datetime,
        *,
        gross_pl: Decimal = _ZERO,
        financing: Decimal = _ZERO,
        commission: Decimal = _ZERO,
        half_spread_cost: Decimal = _ZERO,
        units: Decimal = _ZERO,
        closed: bool = False,
        price: Decimal | None = None,
        cause: str = "",
    ) -> dict[str, Any] | None:
        execution: dict[str, Any] | None = queries.execution_by_trade_id(
            connection, account_id=self._account, trade_id=trade_id
        )
        if execution is None:
            return None
        queries.add_execution_result(
            connection,
            id=execution["id"],
            gross_pl=gross_pl,
            financing=financing,
            commission=commission,
            half_spread_cost=half_spread_cost,
            units=units,
            closed=closed,
            time=time,
            price=price,
            exit_reason=exit_reason(cause, time, execution["horizon_at"]) if closed else None,
        )
        return execution

    def _decide(
        self, connection: Connection, execution: dict[str, Any], status: str, code: str, text: str, when: datetime
    ) -> None:
        queries.decide_signal(
            connection, id=execution["signal_id"], status=status, reason_code=code, reason=text, decided_at=when
        )


def _slippage(execution: dict[str, Any], price: Decimal | None) -> Decimal | None:
    """Price units lost between the price that the decision saw and the fill; negative is a gain."""
    if price is None:
        return None
    difference: Decimal = price - execution["expected_price"]
    return difference if execution["units"] > 0 else -difference
