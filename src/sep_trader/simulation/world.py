"""A simulated day: the trader, its database, the exchange and everything that goes wrong, on one clock."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import structlog
from psycopg import Error

from sep_trader.broker.deadline import measured_by
from sep_trader.exchange.accounts.account import Account, Batch, open_account
from sep_trader.exchange.accounts.floor import STANDARD_POLICY, Floor
from sep_trader.exchange.http.app import ExchangeApp
from sep_trader.exchange.http.clock import SteppedClock
from sep_trader.exchange.http.faults import Faults as ExchangeFaults
from sep_trader.exchange.http.pacer import Pacer
from sep_trader.exchange.market.tape import Tape
from sep_trader.exchange.market.terms import offered
from sep_trader.exchange.matching.exchange import Exchange
from sep_trader.execution.journal import TwoTraders
from sep_trader.execution.marks import client_id_of, tag_of
from sep_trader.execution.observation import Observation, Seen
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection
from sep_trader.signals.job import insert_signals
from sep_trader.signals.signal import Signal
from sep_trader.simulation.acts import Acts
from sep_trader.simulation.audit import Audit, read_audit
from sep_trader.simulation.calls import OneAfterTheOther
from sep_trader.simulation.clock import VirtualClock
from sep_trader.simulation.database import disk_full, gone
from sep_trader.simulation.day import Armed, Day, Faults, Striking, Trace
from sep_trader.simulation.feed import Feed
from sep_trader.simulation.judge import Judge, Violated
from sep_trader.simulation.liveness import Liveness
from sep_trader.simulation.market import DAY_S, PAIRS, Jump, SparseMarket
from sep_trader.simulation.schedule import PlannedSignal, Schedule
from sep_trader.simulation.stack import ACCOUNT, DATABASE_NAME, TOKEN, Stack, made_signal
from sep_trader.simulation.wire import Wire, client_on
from sep_trader.store.locks import Lock

T = TypeVar("T")
_BALANCE = Decimal(100_000)
_NS = 1_000_000_000
_SETTLING_S = 90.0
_JUMP_PIPS = 150
_TRIED_AGAIN_S = 12.0


class Killed(BaseException):
    """The trader's process dies here."""


class _Watched(Trader):
    """The trader, whose passes are judged."""

    world: "World"
    number = 0

    def once(self, *, signal: bool = False) -> Observation:
        """One pass, and its judgement."""
        self.world.liveness.begin_pass()
        observation = super().once(signal=signal)
        self.world.passed(observation, touched=self._touched)
        return observation


class World:
    """One day. `run` lives through it."""

    def __init__(
        self,
        stack: Stack,
        schedule: Schedule,
        *,
        keep_lines: bool = False,
        jumps: Sequence[Jump] = (),
        late: Callable[[float, Any], None] | None = None,
    ) -> None:
        self.stack, self.schedule = stack, schedule
        self.trace = Trace(lines=[] if keep_lines else None)
        self._chance = random.Random(f"world {schedule.seed}")  # noqa: S311
        self._epoch = schedule.begin.timestamp()
        busy = [(s.at - 3, s.at + 90) for s in schedule.signals]
        busy += [(p.at - 2, p.at + 30) for p in (*schedule.faults, *schedule.acts)]
        moved = [
            Jump(p.at, self._chance.choice(PAIRS), self._chance.choice((-1, 1)) * _JUMP_PIPS)
            for p in schedule.acts
            if p.cell.fault == "jump"
        ]
        market = SparseMarket(schedule.market, int(self._epoch), busy, [*moved, *jumps])
        start = int(self._epoch) * _NS
        self.floor = Floor({name: offered(name) for name in market.instruments}, STANDARD_POLICY)
        self.exchange = Exchange(self.floor, Tape(market), start)
        self.account = Account(ACCOUNT)
        limits = RiskLimits()
        self.judge = Judge(self.floor, self.account, limits, tag_of(DATABASE_NAME))
        self.floor.listeners.append(self._recorded)
        self.floor.commit(open_account(self.account, _BALANCE, start))
        self.exchange.add_account(self.account)
        pacer = Pacer(self.exchange, SteppedClock(start), ExchangeFaults(schedule.seed))
        self.app = ExchangeApp(pacer, {TOKEN: (self.account,)})
        self.clock = _clock_of(self)
        self.wire = Wire(self.app, self.clock, TOKEN, self, self._chance, late)
        self.feed = Feed(self)
        self.acts = Acts(self)
        self.liveness = Liveness(self)
        armed = [Armed(p, self._chance.randrange(2)) for p in sorted(schedule.faults, key=lambda p: p.at)]
        self.faults: Striking = Faults(armed, self.trace)
        self._idle = False
        self.trader: _Watched | None = None
        self.holder = 0
        self.number = 0
        self.passes = 0
        self._dies = False
        """Whether the process dies as soon as the request under way is done."""
        self.settling = False
        self._limits = limits
        self.audit: Audit = read_audit(stack.auditor)
        self._seen_books: tuple[float, ...] = ()

    # -- the day

    def run(self) -> Day:
        """Live through the day, and settle. Everything that it logs is kept for the judges."""
        violation = None
        self.stack.new_day(self)
        structlog.configure(processors=[self.liveness.hear], cache_logger_on_first_use=False)
        try:
            with measured_by(self.clock.monotonic):
                self.audit = read_audit(self.stack.auditor)
                self._plan_events()
                self._trade_until(DAY_S)
                self._settle()
                self.liveness.at_the_end()
        except Violated as found:
            violation = (found.invariant, self.trace.steps, found.text)
        finally:
            structlog.reset_defaults()
        for client, number in sorted(self.judge.orders.items()):
            self.trace.add(f"end {client} {number}")
        self.trace.add(f"end {self.account.balance} {self.account.record.last}")
        trace = self.trace.digest.hexdigest()
        trades = len(self.judge.opened)
        return Day(self.schedule.seed, self.trace.steps, self.passes, self.faults.met, trace, trades, violation)

    def _plan_events(self) -> None:
        for planned in self.schedule.signals:
            self.clock.at(planned.at, lambda p=planned: self.store(p))  # type: ignore[misc]
        for act in self.schedule.acts:
            self.clock.at(act.at, lambda p=act: self.acts.do(p))  # type: ignore[misc]
        self.feed.plan(self.schedule)

    def settle_process(self, alive: bool) -> None:
        """Have a trader's process, or none, as a state that is put back says; the lock is held as it says."""
        holder = self.stack.holders[0]
        holder.execute("SELECT pg_advisory_unlock_all()")
        if not alive:
            self.trader = None
        elif self.trader is None:
            self.trader = self.new_trader()
        if self.holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (Lock.TRADER,))

    def _trade_until(self, end: float) -> None:
        """A trader, and another one after each that dies or ends."""
        while self.clock.monotonic() < end:
            trader = self.started()
            try:
                trader.run(lambda: self.clock.monotonic() >= end or self.acts.restarting)
                self.acts.restarting = False
                if self.settling:
                    trader.settle()
                    return
                self.gone("stopped")
            except Killed:
                self.gone("killed")
            except TwoTraders:
                self.gone("second")
            pause = self._chance.choice((0.5, 2.0, 8.0))
            self.clock.sleep(pause)
            while self.acts.lock_is_elsewhere and self.clock.monotonic() < end:
                self.clock.sleep(1.0)

    def _settle(self) -> None:
        """No faults any more: what is open between the books and the broker must come together."""
        self.settling = True
        self.faults.end()
        self.acts.let_be()
        self._trade_until(DAY_S + _SETTLING_S)

    def started(self) -> _Watched:
        """A trader's process starts."""
        self.number += 1
        trader = self.new_trader()
        trader.number = self.number
        self.trader = trader
        self._idle = False
        self.feed.connect(trader.newest)
        self.trace.add(f"start {self.number} {self.clock.monotonic():.6f}")
        self.liveness.started()
        return trader

    def new_trader(self) -> _Watched:
        """A trader that has not looked yet."""
        settings = TraderSettings(
            "custom",
            limits=self._limits,
            consequences={**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN}
            if self.schedule.flattening
            else CONSEQUENCES,
        )
        client = client_on(self.wire, self.clock, self._chance, ACCOUNT, TOKEN)
        trader = _Watched(
            self.stack.trader,
            client,
            settings,
            clock=self.clock,
            calls=OneAfterTheOther(self.clock),
            take_lock=self._lock,
        )
        trader.world, trader.number = self, self.number
        return trader

    def gone(self, how: str) -> None:
        """The process has ended: its session, and with it the lock, are gone."""
        self.trace.add(f"{how} {self.clock.monotonic():.6f}")
        self.stack.holders[0].execute("SELECT pg_advisory_unlock_all()")
        if self.holder and self.holder == self.number:
            self.holder = self.judge.holder = 0
        self.feed.connect(None)
        self.trader = None
        self.liveness.ended(how)

    def _lock(self) -> int | None:
        return self.take_lock(0, self.number)

    def take_lock(self, session: int, trader: int) -> int | None:
        """Let a trader try to take the lock with one of the two sessions."""
        holder = self.stack.holders[session]
        holder.execute("SELECT pg_advisory_unlock_all()")
        row = holder.execute("SELECT pg_try_advisory_lock(%s) AS ok", (Lock.TRADER,)).fetchone()
        if row is None or not row["ok"]:
            return None
        self.holder = self.judge.holder = trader
        return int(holder.info.backend_pid)

    # -- what the trader does: the watches of the wire and of the database

    @property
    def now(self) -> float:
        """The exchange's time, seconds since the epoch."""
        return self.floor.now / _NS

    def request(self, step: str, method: str, path: str, body: Any) -> tuple[str, float]:
        """A request is about to leave."""
        self._step(step, "send")
        writes = method != "GET"
        armed = self.strikes(step, lambda a: True)
        if armed is not None and armed.planned.cell.fault == "killed_before":
            raise Killed
        self.judge.request(step, path, body, self.now, self.number, self.audit)
        if writes:
            self.liveness.sent(step, path)
        if armed is None:
            return "", 0.0
        if armed.planned.cell.fault == "crossed":
            self.acts.crosses(body)
        if armed.planned.cell.fault == "killed_after":
            self._dies = True
            return "", 0.0
        self.liveness.disturbed(armed.planned)
        return armed.planned.cell.fault, armed.planned.seconds

    def answered(self, step: str) -> None:
        """A request was done."""
        self._step(step, "done")
        if self._dies:
            self._dies = False
            raise Killed

    def over(self, step: str, seconds: float) -> None:
        """A request has ended."""
        self.liveness.took(step, seconds)

    def statement(self, transaction: str, number: int, name: str) -> None:
        """A statement is about to be sent."""
        self._step(transaction, f"{number} {name}")
        kinds = ("gone", "disk_full", "stalled", "waits", "killed_before", "halted")
        armed = self.strikes(transaction, lambda a: a.planned.cell.fault in kinds and number >= a.from_statement)
        if armed is None:
            return
        fault = armed.planned.cell.fault
        if fault == "killed_before":
            raise Killed
        if fault == "halted":
            self.acts.halt_now()
            return
        self.liveness.disturbed(armed.planned)
        if fault == "stalled":
            self.clock.sleep(2.0)
        if fault == "waits":
            self.clock.sleep(1.0)
            return
        raise disk_full() if fault == "disk_full" else gone()

    def commit(self, transaction: str, commit: Callable[[], None]) -> None:
        """In place of a commit."""
        self._step(transaction, "commit")
        armed = self.strikes(transaction, lambda a: True)
        fault = "" if armed is None else armed.planned.cell.fault
        if fault == "killed_before":
            raise Killed
        if armed is not None and fault != "halted":
            self.liveness.disturbed(armed.planned)
        if fault in ("uncommitted", "gone", "stalled"):
            raise gone()
        if fault == "disk_full":
            raise disk_full()
        commit()
        if fault == "unconfirmed":
            self._audited(transaction)
            raise gone()
        if fault == "killed_after":
            self._audited(transaction)
            raise Killed

    def committed(self, transaction: str, statements: frozenset[str]) -> None:
        """A transaction stands."""
        if transaction not in ("books", "status", "note", "see"):
            self._audited(transaction)

    def audit_now(self, *, judged: bool = False) -> Audit:
        """Read the books; judge them where somebody else than the trader wrote."""
        self.audit = read_audit(self.stack.auditor)
        if judged:
            self.judge.committed(self.audit, "person")
            self.liveness.audited(self.audit)
        return self.audit

    def _audited(self, transaction: str) -> None:
        if transaction in ("books", "status", "note"):
            return
        self.audit = read_audit(self.stack.auditor)
        self.judge.committed(self.audit, transaction)
        self.liveness.audited(self.audit)

    def _step(self, step: str, what: str) -> None:
        self.trace.add(f"{self.clock.monotonic():.6f} {self.number} {step} {what}")

    def strikes(self, step: str, fits: Callable[[Armed], bool]) -> Armed | None:
        """The fault that strikes at a step now."""
        return self.faults.strike(step, self.clock.monotonic(), fits)

    # -- what happens beside the trader

    def _recorded(self, account: Account, batch: Batch, encoded: list[bytes]) -> None:
        """The exchange recorded transactions."""
        for line in encoded:
            self.trace.add(line.decode())
        self.judge.recorded(account, batch, encoded)
        if batch.entries and self.account.record.last > 2:
            self.clock.heard()
            self.feed.recorded(encoded)
            self.liveness.recorded(batch)

    def store(self, planned: PlannedSignal) -> None:
        """The local machine's signal arrives."""
        signal = self.signal_of(planned)
        stored = self.by_person(lambda c: insert_signals(c, [signal]))
        if stored is None:
            self.clock.in_(1.0, lambda: self.store(planned))
        elif stored:
            self.liveness.signal(signal)
            self.judge.names.add(client_id_of(signal.id))
            self.wake(signal=True)

    def signal_of(self, planned: PlannedSignal) -> Signal:
        """A planned signal as it is stored."""
        return made_signal(
            planned.pair,
            self.schedule.begin + timedelta(seconds=round(planned.at - planned.after) - 60),
            side=planned.side,
            stop_pips=planned.stop_pips,
            target_pips=planned.target_pips,
            horizon=timedelta(minutes=planned.horizon_minutes),
            expires=timedelta(minutes=3),
        )

    def by_person(self, write: Callable[[Any], T]) -> T | None:
        """Write to the database as somebody else than the trader; None while the trader holds what is needed."""
        try:
            with self.stack.person.transaction():
                return write(self.stack.person)
        except Error as error:
            if error.sqlstate == "55P03":  # lock_not_available: a moment later
                return None
            raise

    def wake(self, *, signal: bool = False) -> None:
        """The database notifies the trader."""
        if self.trader is not None:
            self.trader.wake.call(signal=signal)

    # -- what a pass leaves

    def passed(self, observation: Observation, *, touched: bool) -> None:
        """A pass has ended."""
        self.passes += 1
        books = observation.books
        tries = () if self.trader is None else self.trader.memory.attempts.values()
        soon = self.clock.monotonic() - _TRIED_AGAIN_S
        waits = any(one.cause and not one.closed_market and one.at > soon for one in tries)  # for its next try
        quiet = not touched and not observation.unseen and not self.liveness.disturbed_now and not waits
        if isinstance(books, Seen):
            value = books.value
            unsettled = any(e.trade_id is None for e in value.executions)
            quiet = quiet and not value.signals and not value.requests and not unsettled
            ends = [e.horizon_at.timestamp() - self._epoch for e in value.executions if e.horizon_at is not None]
            self._seen_books = tuple(ends)
        self._idle = quiet
        self.liveness.after_pass(observation)

    def look_at(self) -> list[float]:
        """When the trader must look, whatever it skips: at horizons, at faults, at what the judges wait for."""
        ends = (DAY_S, DAY_S + _SETTLING_S)
        return [*self._seen_books, *self.faults.waiting, *self.liveness.look_at(), *ends]

    @property
    def idle(self) -> bool:
        """Whether the trader waits with nothing to do."""
        return self._idle


def _clock_of(world: World) -> VirtualClock:
    clock = VirtualClock(world.exchange)
    clock.watched = lambda: bool(world.account.open_trades or world.account.pending)
    clock.skips = lambda: world.idle
    clock.look_at = world.look_at
    return clock
