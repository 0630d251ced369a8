"""The real trader on recorded quotes: signal job, trader, database and exchange, as fast as the machine can.

Nothing goes wrong here. The exchange plays the recorded quotes; the signal job takes each candle from it as it is
complete, a moment after its end; the trader does what it does on any other day.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from sep_trader.broker.deadline import measured_by
from sep_trader.broker.oanda.client import OandaClient
from sep_trader.errors import InputError
from sep_trader.exchange.accounts.account import Account, Batch, open_account
from sep_trader.exchange.accounts.floor import STANDARD_POLICY, Floor
from sep_trader.exchange.http.app import ExchangeApp
from sep_trader.exchange.http.clock import SteppedClock
from sep_trader.exchange.http.faults import Faults
from sep_trader.exchange.http.pacer import Pacer
from sep_trader.exchange.market.recorded import RecordedQuotes
from sep_trader.exchange.market.sessions import STANDARD_HOURS
from sep_trader.exchange.market.tape import Tape
from sep_trader.exchange.market.terms import offered
from sep_trader.exchange.matching.exchange import Exchange
from sep_trader.execution.observation import Observation, Seen
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.research.artifact import Model
from sep_trader.risk.limits import Reason, RiskLimits
from sep_trader.signals.job import Follower
from sep_trader.simulation.audit import day_queries
from sep_trader.simulation.calls import OneAfterTheOther
from sep_trader.simulation.clock import VirtualClock
from sep_trader.simulation.money import LiveTrade
from sep_trader.simulation.reference import ARRIVES_NS, Decision
from sep_trader.simulation.stack import RUN
from sep_trader.simulation.wire import Wire, client_on
from sep_trader.states import ExitReason
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate

_NS = 1_000_000_000
_MINUTE = 60.0
_ACCOUNT, _TOKEN = "101-001-0000001-001", "replay"
_AT_ONCE = (0.0, 0.0)
_LOOK_AFTER_S = 0.05


@dataclass(frozen=True, slots=True)
class Span:
    """What is replayed: a pair's recorded quotes from one moment to another, with a model."""

    folder: Path
    model: Model
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Lived:
    """What the trader did: its decisions, its ended trades, and the NAV that it saw at each signal's candle."""

    decisions: list[Decision]
    trades: list[LiveTrade]
    opening: Decimal
    navs: dict[datetime, Decimal]


def replay_limits() -> RiskLimits:
    """The usual limits without those that stop trading for a while, which a backtest does not know."""
    never = Decimal(10)
    return replace(RiskLimits(), max_daily_loss=never, max_weekly_loss=never, max_drawdown=never, losing_streak=0)


class _NoFaults:
    """A wire on which nothing goes wrong."""

    def request(self, step: str, method: str, path: str, body: Any) -> tuple[str, float]:
        """Let it pass."""
        return "", 0.0

    def answered(self, step: str) -> None:
        """Nothing to do."""

    def over(self, step: str, seconds: float) -> None:
        """Nothing to do."""


class _Replaying(Trader):
    """The trader, which tells what it looks forward to."""

    ends: tuple[float, ...] = ()
    quiet = False
    epoch = 0.0

    def once(self, *, signal: bool = False) -> Observation:
        """One pass."""
        observation = super().once(signal=signal)
        self.quiet = not self._touched and not observation.unseen
        if isinstance(observation.books, Seen):
            value = observation.books.value
            self.quiet = self.quiet and not value.signals and not any(e.trade_id is None for e in value.executions)
            self.ends = tuple(e.horizon_at.timestamp() - self.epoch for e in value.executions if e.horizon_at)
        return observation


class Replay:
    """One replay on an empty database."""

    def __init__(self, url: str, span: Span, source: RecordedQuotes, told: Callable[[datetime], None]) -> None:
        self._span, self._told = span, told
        self._database = Database(url, max_size=2)
        instrument = offered(span.model.pair)
        self._epoch = span.start.timestamp()
        start = int(self._epoch) * _NS
        self._floor = Floor({span.model.pair: instrument}, STANDARD_POLICY)
        self._exchange = Exchange(self._floor, Tape(source), start)
        self._account = Account(_ACCOUNT, instrument.quote)
        self.opening = Decimal(100_000) * (100 if instrument.pip_location == -2 else 1)
        self._floor.commit(open_account(self._account, self.opening, start))
        self._exchange.add_account(self._account)
        self._app = ExchangeApp(Pacer(self._exchange, SteppedClock(start), Faults()), {_TOKEN: (self._account,)})
        self._clock = VirtualClock(self._exchange)
        self._floor.listeners.append(self._recorded)
        self._chance = random.Random(0)  # noqa: S311
        self._trader: _Replaying | None = None

    def run(self) -> Lived:
        """Let the trader trade through the span. Raises InputError for a span without quotes."""
        migrate(self._database)
        self._prepare()
        structlog.configure(processors=[_silent], cache_logger_on_first_use=False)
        try:
            with measured_by(self._clock.monotonic):
                self._trade()
        finally:
            structlog.reset_defaults()
            self._database.close()
        return self._lived

    def _prepare(self) -> None:
        model = self._span.model
        with self._database.transaction() as connection:
            day_queries.execute(connection, "insert_run", id=RUN)
            artifact = Jsonb(model.to_json())
            day_queries.execute(connection, "insert_model", id=model.id, pair=model.pair, run_id=RUN, artifact=artifact)
            day_queries.execute(connection, "let_trade", pair=model.pair, model_id=model.id)
            day_queries.execute(connection, "begin_day")

    def _client(self) -> OandaClient:
        wire = Wire(self._app, self._clock, _TOKEN, _NoFaults(), self._chance, latency_s=_AT_ONCE)
        return client_on(wire, self._clock, self._chance, _ACCOUNT, _TOKEN, requests_per_s=100)

    def _trade(self) -> None:
        span, clock = self._span, self._clock
        settings = TraderSettings("custom", limits=replay_limits())
        trader = self._trader = _Replaying(
            self._database, self._client(), settings, clock=clock, calls=OneAfterTheOther(clock)
        )
        trader.epoch = self._epoch
        follower = Follower(self._database, self._client(), lambda _: [span.model])
        clock.watched = lambda: bool(self._account.open_trades)
        clock.skips = lambda: trader.quiet
        clock.look_at = self._look_at
        length = (span.end - span.start).total_seconds()
        follower.step()

        def candle() -> None:
            if follower.step().signals:
                trader.wake.call(signal=True)
            self._told(span.start + timedelta(seconds=clock.monotonic()))
            clock.in_(_MINUTE, candle)

        clock.at(_MINUTE + ARRIVES_NS / _NS, candle)
        trader.run(lambda: clock.monotonic() >= length)
        trader.settle()
        trader.close()
        self._lived = self._read()

    def _look_at(self) -> list[float]:
        """When the trader must look: at horizons, and when the market has opened or closed."""
        trader = self._trader
        change = STANDARD_HOURS.next_change(self._floor.now)
        changes = [] if change is None else [change / _NS - self._epoch + _LOOK_AFTER_S]
        length = (self._span.end - self._span.start).total_seconds()
        return [*(() if trader is None else trader.ends), *changes, length]

    def _recorded(self, account: Account, batch: Batch, encoded: list[bytes]) -> None:
        self._clock.heard()

    def _read(self) -> Lived:
        with self._database.transaction() as connection:
            rows = day_queries.many(connection, "replayed", _Row)
        decisions = [
            Decision(
                r.candle_time, r.side, r.stop_distance, r.target_distance, r.horizon, r.reason_code,
                r.units if r.reason_code is Reason.FILLED else None,
            )
            for r in rows
        ]  # fmt: skip
        trades = [r.trade() for r in rows if r.exit_time is not None]
        navs: dict[datetime, Decimal] = {}
        for r in rows:
            decided = r.candle_time + timedelta(seconds=_MINUTE + ARRIVES_NS / _NS)
            navs[r.candle_time] = self.opening + sum((t.net for t in trades if t.exit_time <= decided), Decimal(0))
        return Lived(decisions, trades, self.opening, navs)


@dataclass(frozen=True, slots=True)
class _Row:
    """A signal and what became of it."""

    candle_time: datetime
    side: int
    stop_distance: Decimal
    target_distance: Decimal | None
    horizon: timedelta
    reason_code: Reason | None
    units: Decimal | None
    entry_price: Decimal | None
    entry_time: datetime | None
    exit_price: Decimal | None
    exit_time: datetime | None
    exit_reason: ExitReason | None
    order_stop: Decimal | None
    order_target: Decimal | None
    gross_pl: Decimal | None
    financing: Decimal | None
    net_pl: Decimal | None

    def trade(self) -> LiveTrade:
        """The trade that has ended."""
        money = (self.gross_pl, self.financing, self.net_pl)
        fills = (self.units, self.entry_price, self.exit_price, self.order_stop)
        assert self.entry_time and self.exit_time and self.exit_reason  # noqa: S101 - the table says so
        gross, financing, net = (one or Decimal(0) for one in money)
        units, entry, leave, stop = (one or Decimal(0) for one in fills)
        return LiveTrade(
            self.candle_time, self.side, units, entry, self.entry_time, leave, self.exit_time, self.exit_reason, stop,
            self.order_target, gross, financing, net,
        )  # fmt: skip


def recorded(folder: Path, pair: str) -> RecordedQuotes:
    """The recorded quotes of a pair. Raises InputError where there are none."""
    if not folder.exists():
        raise InputError(f"no such folder: {folder}", "name a folder in the Lean layout")
    return RecordedQuotes([folder], [pair])


def _silent(_: Any, __: str, event: Any) -> Any:
    raise structlog.DropEvent
