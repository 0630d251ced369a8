"""The journal: copies the broker's record into the store, each transaction exactly once, and books what it means.

A transaction, its effect on executions and signals, its entries in the ledger, and how far the record has been read are
one database transaction: a crash at any point leaves either all of it or none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from psycopg.types.json import Jsonb

from sep_trader.broker.port import AccountSnapshot
from sep_trader.errors import StoreError
from sep_trader.execution.codes import reason_of
from sep_trader.execution.edge import watch_edge
from sep_trader.execution.observation import Closing
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
from sep_trader.ledger.entries import (
    Entry,
    EntryKind,
    balance_after,
    balance_difference,
    entries_of,
    is_profit,
)
from sep_trader.ledger.transactions import Fill, OrderEnded, OrderPlaced, Other, Transaction, Transfer, Unreadable
from sep_trader.risk.limits import Reason
from sep_trader.states import ExecutionStatus, ExitReason, SignalStatus
from sep_trader.store.database import Connection
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_ZERO = Decimal(0)


class TwoTraders(StoreError):
    """Somebody else books this account: this trader must end before it acts."""


class Journal:
    """The books of one broker account. Every method works within the caller's database transaction."""

    def __init__(self, account_id: str, log: Log) -> None:
        self._account, self._log = account_id, log

    def open(self, connection: Connection, snapshot: AccountSnapshot, environment: str) -> None:
        """Begin the account's ledger at its present balance, or leave it as it is."""
        summary = snapshot.summary
        queries.execute(
            connection,
            "open_ledger",
            account_id=self._account,
            environment=environment,
            currency=summary.currency,
            opening_balance=summary.balance,
            transaction_id=summary.last_transaction_id,
        )

    def book(
        self, connection: Connection, booked: int, transactions: Sequence[Transaction], closings: Mapping[int, Closing]
    ) -> int:
        """Book the transactions that follow the id `booked`, up to the first hole; return how many.

        closings: the closes that we sent, by trade, whose orders are ours. Raises TwoTraders when the books are at
        another id.
        """
        batch = to_apply(booked, transactions)
        if not batch:
            return 0
        ledger = queries.only(connection, "lock_ledger", LedgerPosition, account_id=self._account)
        if ledger.last_transaction_id != booked:
            raise TwoTraders(
                f"another trader books account {self._account}: it is at {ledger.last_transaction_id}, not {booked}"
            )
        balance, names = ledger.balance, _Names(self._account)
        for transaction in batch:
            self._copy(connection, transaction, balance)
            balance = balance_after(balance, transaction)
            for change in changes_of(transaction, names.of(connection, transaction)):
                self._book_change(connection, change, closings)
        last = batch[-1].id
        queries.execute(connection, "advance_ledger", account_id=self._account, transaction_id=last, balance=balance)
        return len(batch)

    def explain(self, connection: Connection, transaction_id: int, amount: Decimal, when: datetime) -> None:
        """Take the broker's balance for the truth: what differs becomes an entry of its own."""
        queries.execute(connection, "correct_ledger", account_id=self._account, amount=amount)
        sides = (Entry(EntryKind.CASH, amount), Entry(EntryKind.UNEXPLAINED, -amount))
        self._enter(connection, transaction_id, sides, when)

    def _copy(self, connection: Connection, transaction: Transaction, before: Decimal) -> None:
        """Copy one transaction and write its entries."""
        queries.execute(
            connection,
            "insert_broker_transaction",
            account_id=self._account,
            id=transaction.id,
            time=transaction.time,
            type=transaction.type,
            amount=balance_after(before, transaction) - before,
            is_profit=is_profit(transaction),
            balance=transaction.balance,
            client_id=transaction.client_id,
            raw=Jsonb(transaction.raw),
        )
        self._enter(connection, transaction.id, entries_of(before, transaction), transaction.time)
        if isinstance(transaction.event, Transfer):
            queries.execute(connection, "move_marks", account_id=self._account, amount=transaction.event.amount)
        self._tell_doubts(connection, transaction, before)

    def _tell_doubts(self, connection: Connection, transaction: Transaction, before: Decimal) -> None:
        difference = balance_difference(before, transaction)
        moved = balance_after(before, transaction) - before
        if difference is not None:
            self._tell(connection, "balance_difference", str(difference), "error", transaction)
        elif isinstance(transaction.event, Unreadable):
            text = f"transaction {transaction.id} ({transaction.type}): {transaction.event.cause}"
            self._tell(connection, "unreadable_transaction", text, "error", transaction)
        elif isinstance(transaction.event, Other) and moved:
            text = f"{transaction.type} is not known; it moved {moved:+} by the balance that the broker states"
            self._tell(connection, "unknown_transaction", text, "warning", transaction)

    def _tell(self, connection: Connection, event: str, text: str, level: str, transaction: Transaction) -> None:
        self._log.write(
            connection, event, text, level=level, broker_time=transaction.time, transaction_id=transaction.id
        )

    def _enter(self, connection: Connection, transaction_id: int, entries: Sequence[Entry], when: datetime) -> None:
        if not entries:
            return
        kinds = [str(entry.kind) for entry in entries]
        queries.execute(
            connection,
            "insert_entries",
            account_id=self._account,
            transaction_id=transaction_id,
            time=when,
            kinds=kinds,
            amounts=[entry.amount for entry in entries],
            pairs=[entry.pair for entry in entries],
            trade_ids=[entry.trade_id for entry in entries],
        )

    def _book_change(self, connection: Connection, change: Change, closings: Mapping[int, Closing]) -> None:
        match change:
            case OrderFilled():
                self._filled(connection, change)
            case OrderCameToNothing():
                self._came_to_nothing(connection, change)
            case TradeChanged():
                self._changed(connection, change, closings.get(change.trade_id))
            case TradeFinanced():
                self._financed(connection, change)

    def _filled(self, connection: Connection, change: OrderFilled) -> None:
        execution = self.execution_of(connection, change.client_id)
        if execution is None:
            text = f"order {change.client_id} is not ours"
            self._log.write(connection, "foreign_fill", text, level="warning", broker_time=change.time)
            return
        part = change.part
        late = execution.status in (ExecutionStatus.GIVEN_UP, ExecutionStatus.REJECTED)
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
            fill_bid=change.bid,
            fill_ask=change.ask,
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            conversion=part.conversion,
            half_spread_cost=part.half_spread_cost,
        )
        text = f"{part.units} {execution.pair} at {part.price}"
        code = Reason.LATE if late else Reason.FILLED
        end_signal(connection, execution, SignalStatus.EXECUTED, code, text, change.time)
        self._log.write(
            connection,
            "order_filled_late" if late else "order_filled",
            text,
            level="info" if execution.status is ExecutionStatus.INTENT else "warning",
            broker_time=change.time,
            client_id=change.client_id,
            trade_id=part.trade_id,
            slippage=_slippage(execution, part.price),
        )

    def _came_to_nothing(self, connection: Connection, change: OrderCameToNothing) -> None:
        execution = self.execution_of(connection, change.client_id)
        open_ends = (ExecutionStatus.INTENT, ExecutionStatus.UNKNOWN, ExecutionStatus.GIVEN_UP)
        if execution is not None and execution.status in open_ends:
            text = f"the broker ended the order: {change.code}"
            self.reject(connection, execution, reason_of(change.code), text, change.order_id)

    def execution_of(self, connection: Connection, client_id: str) -> Execution | None:
        """Our execution of an order, by the order's client id."""
        return queries.one(
            connection, "execution_by_client_id", Execution, account_id=self._account, client_id=client_id
        )

    def reject(
        self, connection: Connection, execution: Execution, code: Reason, text: str, order_id: int | None = None
    ) -> None:
        """Book that an order came to nothing, and end its signal."""
        queries.execute(connection, "reject_execution", id=execution.id, reason=f"{code}: {text}", order_id=order_id)
        status = SignalStatus.EXPIRED if code is Reason.EXPIRED else SignalStatus.REFUSED
        end_signal(connection, execution, status, code, text, execution.intent_time)
        self._log.write(connection, "order_refused", text, level="warning", code=code, client_id=execution.client_id)

    def _changed(self, connection: Connection, change: TradeChanged, closing: Closing | None) -> None:
        execution = self._execution_of_trade(connection, change.trade_id)
        if execution is None:
            return
        part = change.part
        ours = _our_cause(execution, change.order_id, closing)
        queries.execute(
            connection,
            "add_execution_result",
            id=execution.id,
            gross_pl=part.gross_pl,
            financing=part.financing,
            commission=part.commission,
            conversion=part.conversion,
            half_spread_cost=part.half_spread_cost,
            units=part.units,
            closed=change.closed,
            time=change.time,
            price=part.price,
            exit_reason=exit_reason(change.cause, ours) if change.closed else None,
            bid=change.bid,
            ask=change.ask,
        )
        self._log.write(
            connection,
            "trade_closed" if change.closed else "trade_reduced",
            f"{execution.pair} {part.gross_pl + part.financing - part.commission:+} at {part.price}",
            broker_time=change.time,
            trade_id=part.trade_id,
            cause=change.cause,
            answer="lost" if closing is not None and closing.order_id is None and ours is not None else None,
        )
        if change.closed:
            queries.execute(
                connection,
                "end_exit_signals",
                id=execution.id,
                reason=f"trade {change.trade_id} is closed",
                when=change.time,
            )
            watch_edge(connection, execution.pair, change.time, self._log)

    def _financed(self, connection: Connection, change: TradeFinanced) -> None:
        execution = self._execution_of_trade(connection, change.trade_id)
        if execution is not None:
            queries.execute(connection, "add_financing", id=execution.id, financing=change.amount)

    def _execution_of_trade(self, connection: Connection, trade_id: int) -> Execution | None:
        return queries.one(connection, "execution_by_trade_id", Execution, account_id=self._account, trade_id=trade_id)


class _Names:
    """The names of orders, for fills and ends that come without: from the entry that created the order."""

    def __init__(self, account_id: str) -> None:
        self._account = account_id
        self._placed: dict[int, str | None] = {}

    def of(self, connection: Connection, transaction: Transaction) -> str | None:
        match transaction.event:
            case OrderPlaced(order_id=order_id, client_id=name):
                self._placed[order_id] = name
                return name
            case Fill(client_id=None, order_id=order_id) | OrderEnded(client_id=None, order_id=int(order_id)):
                if order_id not in self._placed:
                    self._placed[order_id] = queries.optional(
                        connection, "client_id_of_order", str, account_id=self._account, order_id=order_id
                    )
                return self._placed[order_id]
            case _:
                return None


def end_signal(
    connection: Connection, execution: Execution, status: SignalStatus, code: Reason, text: str, when: datetime
) -> None:
    """End the signal of an order."""
    queries.execute(
        connection,
        "decide_signal",
        id=execution.signal_id,
        status=status,
        reason_code=code,
        reason=text,
        decided_at=when,
    )


def _our_cause(execution: Execution, order_id: int, closing: Closing | None) -> ExitReason | None:
    """Why we closed a trade with an order; None where the order is not ours, as far as anybody knows."""
    if closing is not None and closing.order_id in (order_id, None):
        return closing.cause
    if execution.closing_order_id == order_id and execution.closing_cause is not None:
        return ExitReason(execution.closing_cause)
    return None


def _slippage(execution: Execution, price: Decimal | None) -> Decimal | None:
    """Price units lost between the price that the decision saw and the fill; negative is a gain."""
    if price is None:
        return None
    difference = price - execution.expected_price
    return difference if execution.units > _ZERO else -difference
