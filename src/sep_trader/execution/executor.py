"""Carries out the acts of a pass, group by group, each with its own deadline: the switch in memory, exits, the switch
in the database, the books, orders, notes.

Exits wait for no row, and nothing that fails keeps the rest from being done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import psycopg
from psycopg.types.json import Jsonb

from sep_trader.broker.deadline import deadline
from sep_trader.broker.port import Broker, Cancelled, Filled, MarketOrder, Outcome, Rejected, Resting, Unknown
from sep_trader.errors import SepError
from sep_trader.execution import switch
from sep_trader.execution.actions import (
    Action,
    Answer,
    Book,
    Close,
    Control,
    Doubt,
    Explain,
    GiveUp,
    Mark,
    Note,
    OpenLedger,
    Order,
    Protect,
    Refuse,
    See,
    TurnDown,
)
from sep_trader.execution.calls import Calls
from sep_trader.execution.codes import GONE, MARKET_CLOSED, reason_of
from sep_trader.execution.controls import control
from sep_trader.execution.exits import standing_stop
from sep_trader.execution.journal import Journal, TwoTraders
from sep_trader.execution.marks import Terms, comment_of, tag_of
from sep_trader.execution.observation import Attempt, Closing, Observation, Seen, Unseen
from sep_trader.execution.recollection import Recollection
from sep_trader.execution.settings import TraderSettings
from sep_trader.risk.limits import Reason
from sep_trader.risk.protections import Consequence
from sep_trader.states import ExecutionStatus, RequestKind, RequestStatus, SignalStatus, TradingState
from sep_trader.store.database import Connection, Database
from sep_trader.store.locks import Lock
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_EXIT_S = 3.0
_ORDER_S = 5.0
_SIDE_BY_SIDE = 4
_ON_THE_WAY = timedelta(seconds=1)
"""What an order has to arrive in, and by how much the broker's clock may be ahead of what we know of it."""
_SEEN_AGAIN_S = 0.9
_FAULTS = (SepError, psycopg.Error)


@dataclass(frozen=True, slots=True)
class _Sent:
    """An exit that was sent, and the line that tells of it; none where it was told before."""

    trade_id: int
    closing: Closing | None
    event: str
    text: str
    level: str


class Executor:
    """The hands of the trader. Everything that is sent to the broker, or written, goes through here."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        journal: Journal,
        calls: Calls,
        settings: TraderSettings,
        log: Log,
        monotonic: Callable[[], float],
        broker_time: Callable[[], datetime | None],
    ) -> None:
        self._database, self._broker, self._journal, self._calls = database, broker, journal, calls
        self._settings, self._log, self._monotonic = settings, log, monotonic
        self._broker_time = broker_time
        self._seen_at = float("-inf")
        self._seen: See | None = None
        self._blind = False
        """Whether the books could not be read in this pass: nothing is waited for them then."""
        self._acted = False
        self.lock_pid: int | None = None

    def carry_out(self, actions: Sequence[Action], observation: Observation, memory: Recollection) -> bool:
        """Do all of it; tell whether anything was sent or booked, so that the next look comes at once.

        Raises TwoTraders when somebody else books the account; nothing else.
        """
        self._acted, now = False, observation.now
        self._blind = isinstance(observation.books, Unseen)
        turns = [a for a in actions if isinstance(a, TurnDown)]
        for turn in turns:
            memory.lower(turn.state, turn.protection, turn.why)
        sent = self._exits([a for a in actions if isinstance(a, Close | Protect | Mark)], memory)
        self._turn_down(turns, memory, now)
        if sent and not self._in_books(partial(self._write_exits, sent, now), "what became of exits", memory):
            for one in (one for one in sent if one.text):
                self._log.write(None, one.event, one.text, level=one.level)
        for action in actions:
            self._keep_books(action, observation, memory)
        self._orders([a for a in actions if isinstance(a, Order)], now, memory)
        self._tell(actions, observation, memory)
        return self._acted

    # -- group 1: exits and protection

    def _exits(self, actions: Sequence[Close | Protect | Mark], memory: Recollection) -> list[_Sent]:
        """Send all of them, some side by side; what became of each is written later, since no exit waits for a row."""
        sent: list[_Sent] = []
        for start in range(0, len(actions), _SIDE_BY_SIDE):
            batch = actions[start : start + _SIDE_BY_SIDE]
            results = self._calls.run([partial(self._send_exit, action) for action in batch], _EXIT_S)
            for action, result in zip(batch, results, strict=True):
                outcome = result if not isinstance(result, Exception) else Unknown(str(result))
                sent.append(self._learn_exit(action, outcome, memory))
                self._acted = True
        return sent

    def _send_exit(self, action: Close | Protect | Mark) -> Outcome:
        if isinstance(action, Close):
            return self._broker.close_trade(action.trade.trade_id)
        if isinstance(action, Mark):
            marks = {"client_id": action.client_id, "tag": action.tag, "comment": action.comment}
            return self._broker.mark_trade(action.trade.trade_id, **marks)
        return self._broker.change_exits(action.trade, stop_loss=action.stop)

    def _learn_exit(self, action: Close | Protect | Mark, outcome: Outcome, memory: Recollection) -> _Sent:
        """Remember what became of it; a failure is told once for each cause."""
        trade_id = action.trade.trade_id
        before = memory.attempts.get(trade_id)
        failure, closed_market = _failure_of(action, outcome)
        failures = 0 if failure is None else (before.failures if before else 0) + 1
        memory.attempts[trade_id] = Attempt(self._monotonic(), failures, failure or "", closed_market)
        closing = None
        if isinstance(action, Close) and (failure is None or isinstance(outcome, Unknown)):
            order_id = outcome.order_id if isinstance(outcome, Filled) else None
            closing = memory.closings[trade_id] = Closing(action.cause, order_id, self._monotonic())
        what = {Close: "close", Protect: "protect", Mark: "mark"}[type(action)]
        told = f"{action.trade.instrument} trade {trade_id}: {action.why}"
        if failure is None:
            return _Sent(trade_id, closing, f"{what}_sent", told, "info")
        known = before is not None and before.cause == failure
        return _Sent(trade_id, closing, f"{what}_failed", "" if known else f"{told}; {failure}", "warning")

    def _write_exits(self, sent: Sequence[_Sent], now: datetime | None, connection: Connection) -> None:
        """Keep why trades were closed, and with which orders; tell the rest."""
        for one in sent:
            if one.closing is not None and one.closing.order_id is not None:
                queries.execute(
                    connection,
                    "note_closing",
                    account_id=self._broker.account_id,
                    trade_id=one.trade_id,
                    order_id=one.closing.order_id,
                    cause=one.closing.cause,
                )
            if one.text:
                self._log.write(connection, one.event, one.text, level=one.level, broker_time=now)

    # -- group 2: the switch

    def _turn_down(self, turns: Sequence[TurnDown], memory: Recollection, now: datetime | None) -> None:
        """Write this pass's turns, or one of an earlier pass that the database did not take."""
        if memory.floor is None:
            return
        state, protection, why = memory.floor
        consequence = Consequence.HALT if state is TradingState.HALTED else Consequence.REDUCE
        held = [] if any(turn.state is state for turn in turns) else [TurnDown(protection, consequence, why)]
        stand = [self._in_books(partial(self._turn, turn, now), "the switch", memory) for turn in (*turns, *held)]
        if all(stand):
            memory.floor = None  # written: what a person turns from now on counts

    def _turn(self, turn: TurnDown, now: datetime | None, connection: Connection) -> None:
        by = str(turn.protection)
        down = switch.halt if turn.state is TradingState.HALTED else switch.reduce
        if down(connection, by=by, why=turn.why):
            text = f"{turn.state}: {turn.why}"
            self._log.write(connection, "trading_state", text, level="error", broker_time=now, by=by)
        if turn.flatten:
            switch.ask(connection, self._broker.account_id, kind=RequestKind.FLATTEN, by=by, why=turn.why)

    # -- group 3: the books

    def _keep_books(self, action: Action, observation: Observation, memory: Recollection) -> None:
        now = observation.now
        match action:
            case OpenLedger(snapshot=snapshot):
                environment = self._settings.environment
                open_it = partial(self._journal.open, snapshot=snapshot, environment=environment)
                self._acted |= self._in_books(open_it, "the ledger", memory)
            case Book():
                self._acted |= self._in_books(partial(self._book, action, observation, memory), "the record", memory)
            case Explain(transaction_id=number, amount=amount) if now is not None:
                explain = partial(self._journal.explain, transaction_id=number, amount=amount, when=now)
                self._acted |= self._in_books(explain, "the balance", memory)
            case Doubt() | GiveUp():
                self._acted |= self._in_books(partial(self._settle, action), "an order", memory)
            case Refuse() if now is not None:
                self._in_books(partial(self._refuse, action, now), "a signal", memory)
            case Control(request=request):
                live = self._settings.environment == "live"
                do = partial(control, request=request, log=self._log, live=live, limits=self._settings.limits, now=now)
                self._acted |= self._in_books(do, "a request", memory)
            case Answer():
                self._in_books(partial(self._answer, action), "a request", memory)

    def _book(self, action: Book, observation: Observation, memory: Recollection, connection: Connection) -> None:
        books = observation.books
        if isinstance(books, Seen) and books.value.ledger is not None:
            booked = books.value.ledger.last_transaction_id
            self._journal.book(connection, booked, action.transactions.items, memory.closings)

    def _settle(self, action: Doubt | GiveUp, connection: Connection) -> None:
        execution = action.execution
        if isinstance(action, Doubt):
            self._doubt(execution.id, action.why, execution.client_id, connection)
            return
        queries.execute(connection, "give_up_execution", id=execution.id, reason=action.why)
        _end(connection, execution.signal_id, SignalStatus.REFUSED, Reason.ORDER_NOT_FOUND, action.why, None)
        self._log.write(connection, "order_given_up", action.why, level="error", client_id=execution.client_id)

    def _refuse(self, action: Refuse, now: datetime, connection: Connection) -> None:
        code, text = action.refused.code, action.refused.text
        status = SignalStatus.EXPIRED if code is Reason.EXPIRED else SignalStatus.REFUSED
        _end(connection, action.signal_id, status, code, text, now)
        said = f"{action.pair}: {text}" if action.pair else text
        self._log.write(connection, "signal_refused", said, broker_time=now, code=code, signal=action.signal_id)

    def _answer(self, action: Answer, connection: Connection) -> None:
        status = RequestStatus.DONE if action.done else RequestStatus.REFUSED
        queries.execute(connection, "answer_request", id=action.request_id, status=status, answer=action.text)
        self._log.write(connection, "request_answered", action.text, request=action.request_id, status=status)

    # -- group 4: orders

    def _orders(self, orders: Sequence[Order], now: datetime | None, memory: Recollection) -> None:
        """Send the orders, one after the other. After one whose end nobody knows, no other in this pass."""
        for order in orders:
            intents: list[int] = []
            write = partial(self._intend, order, now, memory, intents)
            if not self._in_books(write, "an intent", memory):
                continue
            self._acted = True  # also where the signal or the switch had changed: the next look tells how
            if not intents:
                continue
            if self._too_late(order):
                self._in_books(partial(self._expired, order.client_id), "an order", memory)
                continue
            outcome = self._place(order, memory)
            if isinstance(outcome, Unknown):
                self._in_books(partial(self._doubt, intents[0], outcome.cause, order.client_id), "an order", memory)
                return
            if isinstance(outcome, Rejected) and not outcome.recorded:
                self._in_books(partial(self._rejected, order.client_id, outcome), "an order", memory)

    def _intend(
        self,
        order: Order,
        now: datetime | None,
        memory: Recollection,
        intents: list[int],
        connection: Connection,
    ) -> None:
        """Commit the intent, unless the signal, the switch or the lock is not any more what the plan saw."""
        signal, approved = order.signal, order.order
        status = queries.optional(connection, "lock_new_signal", str, signal_id=signal.id)
        state = queries.value(connection, "lock_switch", str)
        if status != SignalStatus.NEW or state != TradingState.ACTIVE or now is None:
            return
        if self.lock_pid is not None and not queries.value(
            connection, "holds_lock", bool, pid=self.lock_pid, key=int(Lock.TRADER)
        ):
            raise TwoTraders("the lock that keeps a second trader out is lost")
        execution_id = queries.value(
            connection,
            "insert_intent",
            int,
            signal_id=signal.id,
            account_id=self._broker.account_id,
            pair=signal.pair,
            client_id=order.client_id,
            units=approved.units,
            intent_time=now,
            intent_transaction_id=order.transaction_id,
            expected_price=approved.expected_price,
            stop_distance=approved.stop_distance,
            target_distance=approved.target_distance,
            price_bound=approved.price_bound,
            deadline=order.deadline,
            quote_bid=order.quote.bid,
            quote_ask=order.quote.ask,
            quote_time=order.quote.time,
        )
        text = f"{approved.units} {signal.pair} near {approved.expected_price}, stop {approved.stop_distance} away"
        self._log.write(connection, "order_intent", text, broker_time=now, client_id=order.client_id, signal=signal.id)
        intents.append(execution_id)

    def _too_late(self, order: Order) -> bool:
        """Whether an order would arrive after its time: writing the intent may have taken seconds."""
        now = self._broker_time()
        return now is None or now + _ON_THE_WAY > order.deadline

    def _place(self, order: Order, memory: Recollection) -> Outcome:
        approved = order.order
        with deadline(_ORDER_S):
            return self._broker.place(
                MarketOrder(
                    instrument=order.signal.pair,
                    units=approved.units,
                    client_id=order.client_id,
                    stop_distance=approved.stop_distance,
                    target_distance=approved.target_distance,
                    price_bound=approved.price_bound,
                    # Never against a trade that somebody opened since we looked.
                    position_fill="OPEN_ONLY",
                    tag=tag_of(memory.database_id or ""),
                    comment=comment_of(Terms(order.horizon_at, approved.stop_distance)),
                )
            )

    def _doubt(self, execution_id: int, cause: str, client_id: str, connection: Connection) -> None:
        queries.execute(connection, "doubt_execution", id=execution_id, reason=cause)
        self._log.write(connection, "order_unknown", cause, level="error", client_id=client_id)

    def _rejected(self, client_id: str, outcome: Rejected, connection: Connection) -> None:
        """Book a refusal that left no trace in the broker's record."""
        execution = self._journal.execution_of(connection, client_id)
        if execution is not None and execution.status is ExecutionStatus.INTENT:
            text = f"{outcome.reason}: {outcome.message}" if outcome.message else outcome.reason
            self._journal.reject(connection, execution, reason_of(outcome.reason), text)

    def _expired(self, client_id: str, connection: Connection) -> None:
        """Book an order that was not sent, since its time was over when its intent stood."""
        execution = self._journal.execution_of(connection, client_id)
        if execution is not None:
            text = "its time was over before it could be sent"
            self._journal.reject(connection, execution, Reason.EXPIRED, text)

    # -- group 5: what is seen, and what is told

    def _tell(self, actions: Sequence[Action], observation: Observation, memory: Recollection) -> None:
        mono = observation.mono
        notes = [a for a in actions if isinstance(a, Note) and memory.is_new(a.key, a.every_s, mono)]
        sights = [a for a in actions if isinstance(a, See) and self._is_news(a, mono)]
        if not notes and not sights:
            return

        def write(connection: Connection) -> None:
            for note in notes:
                self._note(note, observation.now, connection)
            for sight in sights:
                self._see(sight, observation.now, connection)

        if self._in_books(write, "what is seen", memory):
            self._seen, self._seen_at = (sights[-1], mono) if sights else (self._seen, self._seen_at)
        else:
            for note in notes:
                self._note(note, observation.now, None)

    def _note(self, note: Note, now: datetime | None, connection: Connection | None) -> None:
        self._log.write(connection, note.event, note.text, level=note.level, broker_time=now, **note.context)

    def _is_news(self, sight: See, mono: float) -> bool:
        return (
            self._seen is None
            or mono - self._seen_at >= _SEEN_AGAIN_S
            or (_shown(sight) != _shown(self._seen) or sight.nav_high != self._seen.nav_high)
        )

    def _see(self, sight: See, now: datetime | None, connection: Connection) -> None:
        summary = sight.snapshot.summary
        queries.execute(
            connection,
            "see_account",
            account_id=summary.account_id,
            created_time=sight.snapshot.created_time,
            broker_time=now,
            transaction_id=summary.last_transaction_id,
            balance=summary.balance,
            nav=summary.nav,
            margin_used=summary.margin_used,
            margin_available=summary.margin_available,
            nav_high=sight.nav_high,
            day=sight.day,
            day_nav=sight.day_nav,
            week=sight.week,
            week_nav=sight.week_nav,
            trades=Jsonb(_shown(sight)),
        )
        queries.execute(
            connection,
            "keep_equity",
            account_id=summary.account_id,
            balance=summary.balance,
            nav=summary.nav,
            margin_used=summary.margin_used,
            open_trades=len(sight.snapshot.trades),
        )

    # -- shared

    def _in_books(self, write: Callable[[Connection], None], what: str, memory: Recollection) -> bool:
        """Write in one transaction; tell whether it stands. A database that does not take it is told on the console.

        One that could not be read in this pass is not asked.
        """
        if self._blind:
            return False
        try:
            with self._database.transaction() as connection:
                write(connection)
            return True
        except TwoTraders:
            raise
        except (*_FAULTS, ValueError, ArithmeticError) as error:
            if memory.is_new(f"unwritten {what}", 10.0, self._monotonic()):
                self._log.write(None, "not_written", f"{what}: {error}", level="error")
            return False


def _failure_of(action: Close | Protect | Mark, outcome: Outcome) -> tuple[str | None, bool]:
    """Why an exit came to nothing (None when it did not), and whether that is a closed market."""
    match outcome:
        case Filled() | Resting():
            return None, False
        case Cancelled(reason=reason):
            return reason, reason in MARKET_CLOSED
        case Rejected(reason=reason, message=message):
            gone = isinstance(action, Close) and reason in GONE
            return (None if gone else f"{reason} {message}".strip()), reason in MARKET_CLOSED
        case Unknown(cause=cause):
            return f"no answer: {cause}", False


def _shown(sight: See) -> list[dict[str, object]]:
    """Every open trade of a snapshot as it is kept."""

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return [
        {
            "trade_id": trade.trade_id,
            "pair": trade.instrument,
            "units": text(trade.units),
            "price": text(trade.price),
            "open_time": trade.open_time.isoformat(),
            "stop_price": text(standing_stop(trade)),
            "target_price": text(trade.take_profit),
            "trailing_distance": text(trade.trailing_stop),
            "unrealized_pl": text(trade.unrealized_pl),
            "current_price": text(sight.prices.get(trade.trade_id)),
            "client_id": trade.client_id,
            "owner": str(sight.owners[trade.trade_id]),
        }
        for trade in sight.snapshot.trades
    ]


def _end(
    connection: Connection, signal_id: object, status: SignalStatus, code: Reason, text: str, when: datetime | None
) -> None:
    queries.execute(
        connection, "decide_signal", id=signal_id, status=status, reason_code=code, reason=text, decided_at=when
    )
