"""The invariants of liveness, L1 to L9, S14 and S18, and those of quiescence.

They count from the end of the last fault, from when the market opened, the switch allowed it, and the trader ran:
before that nothing could be done.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from sep_trader.exchange.accounts.account import Batch
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.execution.marks import client_id_of
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.risk.limits import Reason, losses
from sep_trader.risk.protections import Protection
from sep_trader.signals.signal import Signal
from sep_trader.simulation.audit import Audit
from sep_trader.simulation.cells import TRANSACTIONS
from sep_trader.simulation.judge import Violated
from sep_trader.simulation.market import DAY_S
from sep_trader.simulation.schedule import Planned
from sep_trader.states import ExecutionStatus, SignalStatus, TradingState

if TYPE_CHECKING:
    from sep_trader.simulation.world import World

_SENT_S, _CLOSED_S = 3.0, 10.0
_CURED_S = 10.0
_SIGNAL_S = 32.0
_BOOKED_S = 5.0
_SAID_S = 5.0
_DECIDED_S = 3.0
_FLATTENED_S = 5.0
_ORDER_S = 5.2
_RESUMED_S = 450.0
"""Somebody resumes within it."""
_OPENING = Decimal(100_000)
_UNSETTLED = frozenset({ExecutionStatus.INTENT, ExecutionStatus.UNKNOWN})
_CONCLUDED = frozenset({ExecutionStatus.GIVEN_UP, ExecutionStatus.CLOSED})
_PROTECTIONS = frozenset(str(one) for one in Protection)
_DOUBTFUL = frozenset({"vanished", "lost", "silent", "late", "slow", "gateway", "gateway_after", "truncated"})


@dataclass(slots=True)
class _Known:
    """A signal that was stored. Seconds of the day."""

    pair: str
    stored: float
    expires: float
    horizon: float
    client: str


@dataclass(slots=True)
class Liveness:
    """Watches the passes of a day."""

    world: "World"
    calm_since: float = 0.0
    answers_since: float = 0.0
    """The end of the last fault on the way to the broker: one of the database excuses no exit."""
    runs_since: float = 0.0
    passes: int = 0
    signals: dict[str, _Known] = field(default_factory=dict)
    bare: dict[int, float] = field(default_factory=dict)
    """Trades of ours without a stop, or with one that is too far, and since when."""
    closes: dict[int, float] = field(default_factory=dict)
    allowed_since: float | None = 0.0
    """Since when exits may be sent (the switch is not HALTED)."""
    opened_since: dict[str, float] = field(default_factory=dict)
    """Since when the market of a pair is open."""
    blind_since: dict[str, float] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)
    trips: list[str] = field(default_factory=list)
    doubts: int = 0
    halting: bool = False
    """Whether something has come that halts, and the switch does not show it yet."""
    lost_most: Decimal = Decimal(0)
    flat_since: float | None = None
    down_since: float | None = None
    """Since when the switch is not ACTIVE."""
    _states: dict[str, ExecutionStatus] = field(default_factory=dict)
    _ended: dict[str, float] = field(default_factory=dict)
    _ordered: bool = False
    _struck: bool = False
    _struck_broker: bool = False

    @property
    def _now(self) -> float:
        return self.world.clock.monotonic()

    @property
    def disturbed_now(self) -> bool:
        """Whether a fault is at work."""
        return self._now < self.calm_since

    # -- what is heard

    def hear(self, _: Any, __: str, event: MutableMapping[str, Any]) -> NoReturn:
        """Take a line of the log (a processor of structlog); nothing is printed."""
        name, text = str(event.get("event")), str(event.get("message", ""))
        self.said[name if name != "blind" else f"blind {text.split()[1]}"] = self._now
        if self.world.trace.lines is not None:
            self.world.trace.lines.append(f"{self._now:.3f} log {name}: {text}")
        raise structlog.DropEvent

    def disturbed(self, planned: Planned) -> None:
        """A fault strikes."""
        lasting = planned.seconds if planned.cell.fault != "late" else 0.0
        self.calm_since = max(self.calm_since, self._now + lasting + 0.001)
        self._struck = True
        if planned.cell.step not in TRANSACTIONS:
            self.answers_since = max(self.answers_since, self._now + lasting + 0.001)
            self._struck_broker = True
        if planned.cell.step == "order" and planned.cell.fault in _DOUBTFUL:
            self.doubts += 1

    def started(self) -> None:
        """A trader starts."""
        self.runs_since, self.passes = self._now, 0
        self.blind_since = {}

    def ended(self, how: str) -> None:
        """The trader has ended."""
        if how == "second" and not self.world.acts.lock_is_elsewhere and not self.disturbed_now:
            raise Violated("L7", "the trader ended as if another one ran, and none did")

    def signal(self, signal: Signal) -> None:
        """A signal was stored."""
        epoch = self.world.schedule.begin.timestamp()
        end = signal.candle_time.timestamp() + 60 - epoch
        self.signals[str(signal.id)] = _Known(
            signal.pair,
            self._now,
            signal.expires_at.timestamp() - epoch,
            end + signal.horizon.total_seconds(),
            client_id_of(signal.id),
        )

    def recorded(self, batch: Batch) -> None:
        """The exchange recorded something."""
        self._look_for_bare()

    def audited(self, audit: Audit) -> None:
        """The books were read."""
        self.halting = self.halting and audit.state is not TradingState.HALTED
        halted = audit.state is TradingState.HALTED or self.halting
        self.down_since = (
            None if audit.state is TradingState.ACTIVE else self._now if self.down_since is None else self.down_since
        )
        self.allowed_since = None if halted else self._now if self.allowed_since is None else self.allowed_since
        if audit.changed_by in _PROTECTIONS and audit.state is not TradingState.ACTIVE:
            if not self.trips or self.trips[-1] != audit.changed_by:
                self.trips.append(audit.changed_by)
                self.world.acts.tripped(audit.changed_by)
        elif audit.state is TradingState.ACTIVE and self.trips and self.trips[-1] != "":
            self.trips.append("")

    def sent(self, step: str, path: str) -> None:
        """A change is sent to the broker."""
        if step == "order":
            self._ordered = True
            return
        if self._ordered and step in ("close", "protect"):
            raise Violated("L9", f"a {step} waited for an order of the same pass")
        if step == "close":
            self._close(int(path.split("/")[-2]))
            self.closes[int(path.split("/")[-2])] = self._now

    def _close(self, trade_id: int) -> None:
        """S18: a close has a cause."""
        world, audit = self.world, self.world.audit
        client = world.judge.clients.get(trade_id)
        known = next((s for s in self.signals.values() if s.client == client), None)
        execution = None if client is None else audit.executions.get(client)
        lost = world.schedule.flattening and self._lost_now() > Decimal("0.025")
        asked = (
            lost
            or audit.requests
            or audit.state is not TradingState.ACTIVE
            or (execution is not None and execution.late)
        )
        if known is None or asked or trade_id in self.bare or self._now >= known.horizon - 0.5:
            return
        raise Violated(
            "S18", f"trade {trade_id} was closed {known.horizon - self._now:.0f} s before its horizon, uncalled for"
        )

    def took(self, step: str, seconds: float) -> None:
        """A request has ended."""
        if step == "order" and seconds > _ORDER_S:
            raise Violated("L9", f"an order was waited for {seconds:.1f} s, and exits with it")

    # -- passes

    def begin_pass(self) -> None:
        """A pass begins."""
        self._ordered = self._struck = self._struck_broker = False
        self._states = {c: e.status for c, e in self.world.audit.executions.items()}
        self._look_for_bare()

    def after_pass(self, observation: Observation) -> None:
        """A pass has ended: what should have been done by now?"""
        self.passes += 1
        now = self._now
        if self._struck:
            self.calm_since = max(self.calm_since, now)
        if self._struck_broker:
            self.answers_since = max(self.answers_since, now)
        self._markets(now)
        self._unseen(observation, now)
        self._inferred(observation)
        self._trips(observation, now)
        for trade in self._open_ours():
            self._horizon(trade, now)
            self._stop(trade, now)
        self._signals(now)
        self._booking(now)

    def look_at(self) -> list[float]:
        """When something must have been done."""
        return [one.expires + 0.001 for one in self.signals.values() if one.expires > self._now]

    def _since(self, moment: float) -> float:
        """From when something counts that began at a moment."""
        return max(moment, self.calm_since, self.runs_since)

    def _exits_since(self, moment: float) -> float:
        """As `_since`, for what waits for no database."""
        return max(moment, self.answers_since, self.runs_since)

    def _open_ours(self) -> list[Trade]:
        account, opened = self.world.account, self.world.judge.opened
        return [account.open_trades[number] for number in opened if number in account.open_trades]

    def _markets(self, now: float) -> None:
        for pair, book in self.world.floor.books.items():
            if not book.tradeable:
                self.opened_since.pop(pair, None)
            else:
                self.opened_since.setdefault(pair, now)
        self.lost_most = max(self.lost_most, self._lost_now())

    def _lost_now(self) -> Decimal:
        """The share of what was paid in that is lost."""
        return 1 - self.world.judge.nav / (_OPENING + self.world.judge.paid)

    def _horizon(self, trade: Trade, now: float) -> None:
        known = next((s for s in self.signals.values() if s.client == self.world.judge.clients[trade.id]), None)
        opened = self.opened_since.get(trade.instrument)
        if known is None or opened is None or self.allowed_since is None or now < known.horizon:
            return
        since = max(self._exits_since(known.horizon), opened, self.allowed_since, trade.opened / 1e9 - self._epoch)
        if now > since + _SENT_S and self.closes.get(trade.id, -1.0) < known.horizon - 0.01:
            raise Violated(
                "L1", f"trade {trade.id} is {now - known.horizon:.1f} s past its horizon, and no close was sent"
            )
        if now > since + _CLOSED_S:
            raise Violated("L1", f"trade {trade.id} is {now - known.horizon:.1f} s past its horizon, and open")

    @property
    def _epoch(self) -> float:
        return self.world.schedule.begin.timestamp()

    def _look_for_bare(self) -> None:
        ours = self._open_ours()
        looser = self.world.judge.looser
        stops = {"STOP_LOSS", "TRAILING_STOP_LOSS"}
        without = {t.id for t in ours if not (t.exits.keys() & stops) or looser(t) is not None}
        self.bare = {number: self.bare.get(number, self._now) for number in without}

    def _stop(self, trade: Trade, now: float) -> None:
        opened = self.opened_since.get(trade.instrument)
        if trade.id not in self.bare or opened is None or self.allowed_since is None:
            return
        self._look_for_bare()
        if trade.id not in self.bare:
            return
        since = max(self._exits_since(self.bare[trade.id]), opened, self.allowed_since)
        if now > since + _CURED_S:
            raise Violated("L2", f"trade {trade.id} has had no stop for {now - self.bare[trade.id]:.1f} s")

    def _signals(self, now: float) -> None:
        audit = self.world.audit
        for name, known in self.signals.items():
            status, code, _ = audit.signals.get(name, (SignalStatus.NEW, None, ""))
            if code == Reason.EXPIRED and self._ended.setdefault(name, now) < known.expires - 3.0:
                raise Violated("S18", f"signal {name} ended as expired {known.expires - now:.0f} s before its time")
            order = audit.executions.get(known.client)
            open_end = status is SignalStatus.NEW or (order is not None and order.status in _UNSETTLED)
            if not open_end:
                continue
            if now > self._since(known.expires) + _SIGNAL_S:
                raise Violated(
                    "L3", f"signal {name} of {known.pair} has not ended {now - known.expires:.1f} s after its time"
                )
            if order is None and now > self._since(known.stored) + _DECIDED_S:
                raise Violated("L8", f"signal {name} of {known.pair} waits for {now - known.stored:.1f} s")

    def _booking(self, now: float) -> None:
        record, booked = self.world.account.record, self.world.audit.booked
        if booked is None or record.last <= booked:
            return
        happened = record.time_of(booked + 1) / 1e9 - self._epoch
        if now > self._since(happened) + _BOOKED_S:
            raise Violated("L4", f"transaction {booked + 1} is not booked after {now - happened:.1f} s")

    def _unseen(self, observation: Observation, now: float) -> None:
        unseen = observation.unseen
        self.blind_since = {part: self.blind_since.get(part, now) for part in unseen}
        for part, since in self.blind_since.items():
            if now - since > _SAID_S and self.said.get(f"blind {part}", -1e9) < since - 60.0:
                raise Violated("L6", f"the {part} has not been seen for {now - since:.1f} s, and nobody was told")
        calm = self._now > self.calm_since and self.calm_since <= self.runs_since
        if self.passes == 2 and calm and (unseen or self.world.audit.booked is None):
            raise Violated("L7", f"the second pass after a start does not see {', '.join(unseen) or 'books'}")

    def _inferred(self, observation: Observation) -> None:
        """S14: what was not seen is not concluded from."""
        if not isinstance(observation.account, Unseen) and not isinstance(observation.record, Unseen):
            return
        for client, execution in self.world.audit.executions.items():
            before = self._states.get(client)
            if execution.status != before and execution.status in _CONCLUDED:
                raise Violated("S14", f"order {client} became {execution.status} in a pass that did not see the broker")

    def _trips(self, observation: Observation, now: float) -> None:
        """L5: a loss limit that is reached turns the switch in the same pass, and flattens where it should."""
        books, account = observation.books, observation.account
        if not isinstance(books, Seen) or not isinstance(account, Seen) or self._struck or observation.unseen:
            return
        if books.value.seen is None or books.value.ledger is None:
            return
        if account.value.summary.last_transaction_id != books.value.ledger.last_transaction_id:
            return
        reached = losses(account.value.summary.nav, books.value.seen.marks, self.world.judge.limits)
        if reached is not None and self.world.audit_now().state is TradingState.ACTIVE:
            raise Violated("L5", f"{reached.text}, and the switch is ACTIVE after the pass")
        flat = reached is not None and self.world.schedule.flattening and self.allowed_since is not None
        self.flat_since = (self.flat_since or now) if flat and self._open_ours() else None
        if self.flat_since is not None and now > self._since(self.flat_since) + _FLATTENED_S:
            raise Violated("L5", f"trades are open {now - self.flat_since:.1f} s after a limit that closes them")

    # -- the end

    def at_the_end(self) -> None:
        """Everything is settled: books and broker must be the same."""
        world = self.world
        audit = world.audit_now()
        unsettled = [e.client for e in audit.executions.values() if e.status in _UNSETTLED]
        if unsettled:
            raise Violated("Q1", f"nobody knows the end of {', '.join(unsettled)}")
        booked = {e.trade: e.open_units for e in audit.executions.values() if e.status is ExecutionStatus.OPEN}
        ours = {t.id: Decimal(t.units) for t in self._open_ours()}
        if booked != ours:
            raise Violated("Q2", f"open in the books: {booked}; open at the broker: {ours}")
        if audit.booked != world.account.record.last or audit.balance != world.account.balance:
            at = f"the books are at {audit.booked} with {audit.balance}"
            raise Violated("Q3", f"{at}, the broker at {world.account.record.last} with {world.account.balance}")
        if audit.cash != world.account.balance - _OPENING or audit.unexplained:
            raise Violated("Q3", f"the ledger has {audit.cash} cash and {audit.unexplained} unexplained")
        for execution in audit.executions.values():
            trade = world.account.trades.get(execution.trade or 0)
            if trade is not None and execution.net != trade.realized + trade.financing:
                earned = trade.realized + trade.financing
                raise Violated("Q3", f"trade {trade.id} earned {earned}, the books say {execution.net}")
        self._active(audit)

    def _active(self, audit: Audit) -> None:
        """Every trip has a cause, and nothing but a loss limit keeps the switch down at the end."""
        acted = {p.cell.fault for p in self.world.schedule.acts}
        for name in filter(None, self.trips):
            if not self._justified(Protection(name), acted):
                raise Violated("Q4", f"{name} turned the switch, and nothing called for it")
        lasting = {str(Protection.DAILY_LOSS), str(Protection.WEEKLY_LOSS), str(Protection.DRAWDOWN)}
        early = self.down_since is not None and self.down_since < DAY_S - _RESUMED_S
        if audit.state is not TradingState.ACTIVE and audit.changed_by not in lasting and early:
            raise Violated(
                "Q4", f"the switch is {audit.state} by {audit.changed_by} at the end, and nothing forbids trading"
            )

    def _justified(self, protection: Protection, acted: set[str]) -> bool:
        match protection:
            case Protection.UNREADABLE:
                return "unreadable_entry" in acted
            case Protection.UNKNOWN_ORDERS:
                return self.doubts >= 3
            case Protection.DAILY_LOSS | Protection.WEEKLY_LOSS | Protection.DRAWDOWN:
                return self.lost_most > Decimal("0.025")
            case _:
                return False
