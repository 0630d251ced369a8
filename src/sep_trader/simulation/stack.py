"""What the days of one worker share: a database with the schema, and the sessions on it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.artifact import Model
from sep_trader.research.parameters import RuleParameters
from sep_trader.signals.signal import Signal, signal_id
from sep_trader.simulation.audit import day_queries
from sep_trader.simulation.database import SimulatedDatabase, Watch
from sep_trader.simulation.market import PAIRS
from sep_trader.store.database import PINNED, Database
from sep_trader.store.migrations import migrate

DATABASE_NAME = "simulation"
ACCOUNT, TOKEN = "101-001-0000001-001", "simulation"
MODELS = {pair: Model(pair, Granularity.M1, RuleParameters(), "0" * 64) for pair in PAIRS}
_TRUNCATED_EVERY = 100
RUN = uuid.UUID(int=1)


class _Nobody:
    """A watch that lets everything pass."""

    def statement(self, transaction: str, number: int, name: str) -> None:
        """Nothing to do."""

    def commit(self, transaction: str, commit: Callable[[], None]) -> None:
        """Commit."""
        commit()

    def committed(self, transaction: str, statements: frozenset[str]) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class Stack:
    """The sessions: of the trader, of a second trader, of whoever audits, of people, and two that may hold the lock."""

    trader: SimulatedDatabase
    second: SimulatedDatabase
    auditor: psycopg.Connection[DictRow]
    person: psycopg.Connection[DictRow]
    holders: tuple[psycopg.Connection[DictRow], psycopg.Connection[DictRow]]
    emptied: int = 0

    def new_day(self, watch: Watch) -> None:
        """Forget the day before."""
        self.trader.watched_by(watch)
        self.second.watched_by(_Nobody())
        for holder in self.holders:
            holder.execute("SELECT pg_advisory_unlock_all()")
        self.auditor.execute("SET session_replication_role = replica")
        self.empty()
        self.auditor.execute("SET session_replication_role = origin")
        day_queries.execute(self.auditor, "restart_numbers")
        day_queries.execute(self.auditor, "begin_day")

    def empty(self) -> None:
        """Empty the tables; once in a while so that nothing of the deleted rows is left, which would slow all down."""
        self.emptied += 1
        day_queries.execute(self.auditor, "forget" if self.emptied % _TRUNCATED_EVERY else "truncate")


def prepare(url: str) -> None:
    """Give an empty database the schema, a name, and pairs that may trade."""
    with Database(url, max_size=1) as database:
        migrate(database)
        with database.transaction() as connection:
            day_queries.execute(connection, "name_database")
            day_queries.execute(connection, "insert_run", id=RUN)
            for pair, model in MODELS.items():
                artifact = Jsonb(model.to_json())
                day_queries.execute(connection, "insert_model", id=model.id, pair=pair, run_id=RUN, artifact=artifact)
                day_queries.execute(connection, "let_trade", pair=pair, model_id=model.id)
            day_queries.execute(connection, "begin_day")


def made_signal(
    pair: str,
    candle: datetime,
    *,
    side: int,
    stop_pips: int,
    target_pips: int | None,
    horizon: timedelta,
    expires: timedelta,
) -> Signal:
    """A signal of a pair's model, of the candle that began at a time. expires: counted from there."""
    model, pip = MODELS[pair], standard_instrument(pair).pip
    return Signal(
        id=signal_id(model.id, pair, candle), pair=pair, model_id=model.id, granularity=model.granularity.value,
        candle_time=candle, side=side, confidence=Decimal("0.5"), metrics={}, stop_distance=stop_pips * pip,
        target_distance=None if target_pips is None else target_pips * pip, horizon=horizon,
        expires_at=candle + expires,
    )  # fmt: skip


@contextmanager
def stack_on(url: str) -> Iterator[Stack]:
    """Everything on an empty database."""
    prepare(url)
    trader, second = SimulatedDatabase(url, _Nobody()), SimulatedDatabase(url, _Nobody())
    sessions = [psycopg.connect(url, autocommit=True, row_factory=dict_row, **PINNED) for _ in range(4)]
    auditor, person, first_holder, second_holder = sessions
    person.execute("SET lock_timeout = '20ms'")
    auditor.prepare_threshold = person.prepare_threshold = 1
    try:
        yield Stack(trader, second, auditor, person, (first_holder, second_holder))
    finally:
        for session in sessions:
            session.close()
        trader.close()
        second.close()
