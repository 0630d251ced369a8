"""The trading daemon: one thread that takes typed events off one queue and processes each to its end.

There is one way to start: read the broker's record, bring the books up to it, compare, then run. A crash and a deploy
look the same.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from sep_trader.broker.port import Broker, Heartbeat, Price, StreamState
from sep_trader.errors import BrokerUnavailable, SepError
from sep_trader.execution import switch
from sep_trader.execution.journal import Journal, RecordIncomplete
from sep_trader.execution.orders import OrderDesk, TraderSettings
from sep_trader.execution.reconcile import compare_open_trades
from sep_trader.execution.rows import Execution
from sep_trader.ledger.transactions import Transaction
from sep_trader.states import ExecutionStatus, TradingState
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECONCILIATION = "reconciliation"
"""Who halts when our books and the broker differ."""


@dataclass(frozen=True, slots=True)
class SignalNotice:
    """The database says that a signal was written."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time to look by oneself: the slow poll behind the notifications."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A feeding thread ended; the daemon must start again."""

    error: SepError


Event = Price | Heartbeat | Transaction | StreamState | SignalNotice | Tick | Failed


class Trader:
    """Trades one account of one broker from one database."""

    def __init__(self, database: Database, broker: Broker, settings: TraderSettings) -> None:
        self._database, self._broker, self._settings = database, broker, settings
        self._log = Log("trader")
        self.journal = Journal(database, broker, self._log)
        self._desk = OrderDesk(database, broker, self.journal, settings, self._log)
        self._now = _EPOCH
        self._prices: dict[str, Price] = {}
        self._streams: dict[str, StreamState] = {}
        self._close_tried: dict[int, float] = {}
        self._noticed: dict[int, float] = {}
        self._live: list[Execution] = []
        self._status_at = 0.0
        self._loss_check_at = 0.0
        self._heard_at: float | None = None
        self._incomplete_since: float | None = None

    def start(self) -> None:
        """Reconcile with the broker. Differences that its record does not explain halt trading until a person looks."""
        summary = self._broker.summary()
        with self._database.transaction() as connection:
            text = f"account {summary.account_id}, balance {summary.balance} {summary.currency}"
            self._log.write(connection, "trader_starting", text)
        self._now = self._desk.broker_time()
        self.journal.open(summary, self._settings.environment)
        booked = self.journal.catch_up()
        self._reload()
        found = self._differences()
        if found and self.journal.catch_up():  # a trade may have ended between the two reads
            self._reload()
            found = self._differences()
        with self._database.transaction() as connection:
            for text, ident in found:
                self._log.write(connection, "reconcile_mismatch", text, level="error", about=ident)
            if found:
                self._halt(connection, found[0][0])
            text = f"{booked} transactions booked, {len(self._live)} orders live, {len(found)} differences"
            self._log.write(connection, "reconciled", text, last_transaction_id=self.journal.last_id)
        self._status("running", force=True)

    def run(self, events: "queue.Queue[Event]", stopped: Callable[[], bool]) -> None:
        """Process events until `stopped()`; a quiet queue gives a Tick every `poll_s`.

        Raises SepError when the daemon must start again; `sep trade run` (cli/trade.py) restarts it.
        """
        next_tick = 0.0
        while not stopped():
            wait = next_tick - time.monotonic()
            try:
                event: Event = events.get(timeout=max(0.0, wait)) if wait > 0 else Tick()
            except queue.Empty:
                continue
            if isinstance(event, Tick):
                next_tick = time.monotonic() + self._settings.poll_s
            self._process_through_outage(event)
        self._status("stopped", force=True)

    def process(self, event: Event) -> None:
        """Take one event to its end."""
        if isinstance(event, Price | Heartbeat | Transaction):
            self._heard_at = time.monotonic()
        match event:
            case Price():
                self._prices[event.instrument] = event
                self._advance(event.time)
            case Heartbeat():
                self._advance(event.time)
            case Transaction():
                self._advance(event.time)
                if event.id > self.journal.last_id:
                    booked = (
                        self.journal.book([event]) if event.id == self.journal.last_id + 1 else self.journal.catch_up()
                    )
                    if booked:
                        self._reload()
            case StreamState():
                self._stream_changed(event)
            case SignalNotice():
                self._trade()
            case Tick():
                if self.journal.catch_up():
                    self._reload()
                self._advance_without_streams()
                self._check_daily_loss()
                self._settle_unknown()
                self._trade()
                self._status("running")
            case Failed():
                raise event.error

    def _process_through_outage(self, event: Event) -> None:
        """`process`, but log a broker out of reach and go on: the next tick looks again."""
        try:
            self.process(event)
            self._incomplete_since = None if isinstance(event, Tick) else self._incomplete_since
        except BrokerUnavailable as error:
            if isinstance(error, RecordIncomplete):
                self._reload()
                self._doubt_record(error)
            with self._database.transaction() as connection:
                self._log.write(connection, "broker_unavailable", str(error), level="warning")

    def _doubt_record(self, error: RecordIncomplete) -> None:
        """A record that stays incomplete is for a person to look at."""
        clock = time.monotonic()
        self._incomplete_since = clock if self._incomplete_since is None else self._incomplete_since
        if (
            clock - self._incomplete_since >= self._settings.record_patience_s
            and self._state() is not TradingState.HALTED
        ):
            with self._database.transaction() as connection:
                self._halt(connection, str(error))

    def _advance(self, now: datetime) -> None:
        self._now = max(self._now, now)
        due = [e for e in self._live if e.horizon_at is not None and e.horizon_at <= self._now]
        clock = time.monotonic()
        due = [e for e in due if e.status is ExecutionStatus.OPEN and clock >= self._close_tried.get(e.id, 0.0)]
        if not due or self._state() is TradingState.HALTED:
            return
        for execution in due:
            self._close_tried[execution.id] = clock + self._settings.close_retry_s
            self._desk.close(execution, self._now)
        self._reload()

    def _advance_without_streams(self) -> None:
        """Ask for the broker's time where no stream has told it for a while: a horizon comes all the same."""
        silent = self._heard_at is None or time.monotonic() - self._heard_at > self._settings.silence_s
        if silent and any(e.status is ExecutionStatus.OPEN for e in self._live):
            self._advance(self._desk.broker_time())

    def _check_daily_loss(self) -> None:
        clock = time.monotonic()
        if clock >= self._loss_check_at and self._now > _EPOCH:
            self._loss_check_at = clock + self._settings.loss_check_s
            self._desk.check_daily_loss(self._now)

    def _trade(self) -> None:
        self._now = max(self._now, self._desk.trade_new_signals(self._now))
        self._reload()

    def _settle_unknown(self) -> None:
        """Orders whose fate the broker's complete record does not tell within the patience never arrived."""
        clock = time.monotonic()
        for execution in self._live:
            if execution.status is ExecutionStatus.OPEN:
                continue
            since = self._noticed.setdefault(execution.id, clock)
            # The account itself must be no further than what was read: a record can lag behind it.
            if (
                clock - since >= self._settings.unknown_patience_s
                and self._broker.summary().last_transaction_id <= self.journal.last_id
            ):
                self._desk.give_up(execution)
        self._reload()

    def _reload(self) -> None:
        with self._database.transaction() as connection:
            self._live = queries.many(connection, "live_executions", Execution, account_id=self._broker.account_id)

    def _differences(self) -> list[tuple[str, str]]:
        """What differs between our books and the broker, in words, each with what it is about."""
        ours = {e.trade_id: e.open_units for e in self._live if e.trade_id is not None}
        found = compare_open_trades(ours, self._broker.open_trades())
        lines = [(one.text, f"trade {one.trade_id}") for one in found]
        balance = self.journal.check_balance(self._broker.summary())
        return lines if balance is None else [(balance, "balance"), *lines]

    def _state(self) -> TradingState:
        with self._database.transaction() as connection:
            return switch.read(connection).state

    def _halt(self, connection: Connection, why: str) -> None:
        if switch.halt(connection, by=RECONCILIATION, why=why):
            text = f"{TradingState.HALTED}: {why}"
            self._log.write(connection, "trading_state", text, level="error", by=RECONCILIATION)

    def _stream_changed(self, state: StreamState) -> None:
        self._streams[state.stream] = state
        with self._database.transaction() as connection:
            self._log.write(
                connection,
                "stream_connected" if state.connected else "stream_lost",
                state.cause or state.stream,
                level="info" if state.connected else "warning",
                stream=state.stream,
            )

    def _status(self, state: str, *, force: bool = False) -> None:
        clock = time.monotonic()
        if not force and clock < self._status_at:
            return
        self._status_at = clock + self._settings.status_s
        newest = max((p.time for p in self._prices.values()), default=None)
        details = {
            "account": self._broker.account_id,
            "environment": self._settings.environment,
            "last_transaction_id": self.journal.last_id,
            "streams": {name: s.connected for name, s in self._streams.items()},
            "stream_age_s": round(clock - self._heard_at, 3) if self._heard_at is not None else None,
            "newest_price": newest.isoformat() if newest else None,
            "price_age_s": round((self._now - newest).total_seconds(), 1) if newest else None,
            "unsettled": len(self._live),
        }
        with self._database.transaction() as connection:
            queries.execute(
                connection,
                "set_component_status",
                component="trader",
                broker_time=self._now if self._now > _EPOCH else None,
                state=state,
                details=Jsonb(details),
            )
