"""The journal: copies the broker's record into the store, each transaction exactly once, and books what it means.

A transaction, its effect on executions and signals, and how far the record has been read are one database
transaction: a crash at any point leaves either all of it or none. The books check themselves where they are written:
a balance that the broker states and our amounts do not add up to halts trading.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from psycopg.types.json import Jsonb

from sep_trader.broker.port import AccountSummary, Broker
from sep_trader.errors import BrokerError, BrokerUnavailable, StoreError
from sep_trader.execution import switch
from sep_trader.execution.reconcile import (
    Change,
    OrderCameToNothing,
    OrderFilled,
    TradeChanged,
    TradeFinanced,
    changes_of,
    exit_reason,
    to_apply,
)
from sep_trader.execution.rows import Execution, LedgerPosition
from sep_trader.ledger.entries import balance_difference, entry_of, same_balance
from sep_trader.ledger.transactions import FillCause, Transaction
from sep_trader.risk.limits import Reason
from sep_trader.states import ExecutionStatus, SignalStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_ZERO = Decimal(0)
BOOKS = "the books"
"""Who halts when a balance does not add up."""
MARGIN_CLOSEOUT = "margin closeout"
"""Who turns the switch down when the broker closes trades for want of margin."""


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
            queries.execute(
                connection,
                "open_ledger",
                account_id=self._account,
                environment=environment,
                currency=summary.currency,
                opening_balance=summary.balance,
                transaction_id=summary.last_transaction_id,
            )
            self.last_id = self._position(connection, "ledger_account").last_transaction_id

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
        """Book transactions that follow the last booked one; those already booked are left out.

        A stated balance that differs from the books halts trading; the books go on from what the broker states.
        """
        batch = to_apply(self.last_id, transactions)
        if batch.missing:
            # It may only lag: nothing is booked, and the next look asks again.
            raise RecordIncomplete(f"the broker's record lacks transactions {batch.missing[:5]} after {self.last_id}")
        if not batch.transactions:
            return 0
        last = batch.transactions[-1]
        with self._database.transaction() as connection:
            ledger = self._position(connection, "lock_ledger")
            if ledger.last_transaction_id != self.last_id:
                raise BrokerError(
                    f"another trader books account {self._account}: it is at {ledger.last_transaction_id}, "
                    f"not {self.last_id}"
                )
            balance = ledger.balance
            closed_on: list[datetime] = []
            for transaction in batch.transactions:
                balance = self._copy(connection, transaction, balance)
                closed = [self._book_change(connection, change) for change in changes_of(transaction)]
                if any(closed):
                    closed_on.append(transaction.time)
            queries.execute(
                connection, "advance_ledger", account_id=self._account, transaction_id=last.id, balance=balance
            )
            if closed_on:
                queries.execute(connection, "refresh_performance", since=min(closed_on).date())
        self.last_id = last.id
        return len(batch.transactions)

    def check_balance(self, summary: AccountSummary) -> str | None:
        """What is wrong when an account's balance differs from the books at the same transaction; None when both agree,
        or when the account is at another transaction."""
        with self._database.transaction() as connection:
            ledger = self._position(connection, "ledger_account")
        if summary.last_transaction_id != ledger.last_transaction_id or same_balance(summary.balance, ledger.balance):
            return None
        return f"the broker's balance is {summary.balance}, our books say {ledger.balance}"

    def _position(self, connection: Connection, query: str) -> LedgerPosition:
        found = queries.one(connection, query, LedgerPosition, account_id=self._account)
        if found is None:
            raise StoreError(f"account {self._account} has no ledger")
        return found

    def _copy(self, connection: Connection, transaction: Transaction, before: Decimal) -> Decimal:
        """Copy one transaction; return the balance after it."""
        entry = entry_of(transaction)
        queries.execute(
            connection,
            "insert_broker_transaction",
            account_id=self._account,
            id=transaction.id,
            time=transaction.time,
            type=transaction.type,
            amount=entry.amount,
            is_profit=entry.is_profit,
            balance=transaction.balance,
            client_id=transaction.client_id,
            raw=Jsonb(transaction.raw),
        )
        difference = balance_difference(before, transaction)
        if difference is not None:
            switch.halt(connection, by=BOOKS, why=str(difference))
            self._log.write(
                connection,
                "balance_difference",
                str(difference),
                level="error",
                broker_time=transaction.time,
                transaction_id=transaction.id,
            )
        return before + entry.amount if transaction.balance is None else transaction.balance

    def _book_change(self, connection: Connection, change: Change) -> Execution | None:
        """Book one change; return the trade of ours that it closed."""
        match change:
            case OrderFilled():
                self._filled(connection, change)
            case OrderCameToNothing():
                self._came_to_nothing(connection, change)
            case TradeChanged():
                return self._changed(connection, change)
            case TradeFinanced():
                self._financed(connection, change)
        return None

    def _filled(self, connection: Connection, change: OrderFilled) -> None:
        execution = self.execution_of(connection, change.client_id)
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
        queries.execute(
            connection,
            "set_execution_open",
            id=execution.id,
            order_id=change.order_id,
            trade_id=part.trade_id,
            units=part.units,
            entry_time=change.time,
            entry_price=part.price,
            horizon_at=execution.horizon_end,
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            half_spread_cost=part.half_spread_cost,
        )
        text = f"{part.units} {execution.pair} at {part.price}"
        _end_signal(connection, execution, SignalStatus.EXECUTED, Reason.FILLED, text, change.time)
        self._log.write(
            connection,
            "order_filled",
            text,
            level="info" if execution.status is ExecutionStatus.INTENT else "warning",
            broker_time=change.time,
            client_id=change.client_id,
            trade_id=part.trade_id,
            slippage=_slippage(execution, part.price),
        )

    def _came_to_nothing(self, connection: Connection, change: OrderCameToNothing) -> None:
        execution = self.execution_of(connection, change.client_id)
        if execution is None or execution.status not in (ExecutionStatus.INTENT, ExecutionStatus.UNKNOWN):
            return
        self.reject(connection, execution, change.code, f"the broker ended the order: {change.code}", change.order_id)

    def execution_of(self, connection: Connection, client_id: str) -> Execution | None:
        """Our execution of an order, by the order's client id."""
        return queries.one(
            connection, "execution_by_client_id", Execution, account_id=self._account, client_id=client_id
        )

    def reject(
        self, connection: Connection, execution: Execution, code: str, text: str, order_id: int | None = None
    ) -> None:
        """Book that an order came to nothing, and end its signal. `code` is a Reason, or the broker's own code."""
        queries.execute(connection, "reject_execution", id=execution.id, reason=f"{code}: {text}", order_id=order_id)
        _end_signal(connection, execution, SignalStatus.REFUSED, code, text, execution.intent_time)
        self._log.write(connection, "order_refused", text, level="warning", code=code, client_id=execution.client_id)

    def _changed(self, connection: Connection, change: TradeChanged) -> Execution | None:
        execution = self._execution_of_trade(connection, change.trade_id)
        if execution is None:
            return None
        part = change.part
        queries.execute(
            connection,
            "add_execution_result",
            id=execution.id,
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            half_spread_cost=part.half_spread_cost,
            units=part.units,
            closed=change.closed,
            time=change.time,
            price=part.price,
            exit_reason=exit_reason(change.cause, change.time, execution.horizon_at) if change.closed else None,
        )
        self._log.write(
            connection,
            "trade_closed" if change.closed else "trade_reduced",
            f"{execution.pair} {part.gross_pl + part.financing - part.commission:+} at {part.price}",
            broker_time=change.time,
            trade_id=part.trade_id,
            cause=change.cause,
        )
        if change.cause is FillCause.MARGIN_CLOSEOUT:
            why = f"the broker closed {execution.pair} trade {part.trade_id} for want of margin"
            switch.reduce_and_tell(connection, self._log, by=MARGIN_CLOSEOUT, why=why, broker_time=change.time)
        return execution if change.closed else None

    def _financed(self, connection: Connection, change: TradeFinanced) -> None:
        execution = self._execution_of_trade(connection, change.trade_id)
        if execution is not None:
            queries.execute(connection, "add_financing", id=execution.id, financing=change.amount)

    def _execution_of_trade(self, connection: Connection, trade_id: int) -> Execution | None:
        return queries.one(connection, "execution_by_trade_id", Execution, account_id=self._account, trade_id=trade_id)


def _end_signal(
    connection: Connection, execution: Execution, status: SignalStatus, code: str, text: str, when: datetime
) -> None:
    queries.execute(
        connection,
        "decide_signal",
        id=execution.signal_id,
        status=status,
        reason_code=code,
        reason=text,
        decided_at=when,
    )


def _slippage(execution: Execution, price: Decimal | None) -> Decimal | None:
    """Price units lost between the price that the decision saw and the fill; negative is a gain."""
    if price is None:
        return None
    difference = price - execution.expected_price
    return difference if execution.units > _ZERO else -difference
