"""The signal job: newest candles in, rows of trading_signals out; once, or following the market."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from sep_trader.broker.port import Broker
from sep_trader.errors import InputError
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.artifact import Model
from sep_trader.signals.generate import SignalStream, generate
from sep_trader.signals.signal import Signal
from sep_trader.store import candles as candle_store
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

NEWEST = 1
"""Without following, signals are generated for this many newest candles of each pair."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What one round brought: new candles and new signals, by pair."""

    candles: dict[str, int]
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class _StoredModel:
    """A pair and its newest model."""

    pair: str
    artifact: dict[str, Any]


SetAside = Callable[[str, InputError], None]
"""Called with a pair whose model cannot be read or fails: the others go on, unless it raises."""


def raised(_pair: str, error: InputError) -> None:
    """Let the first such error end it all."""
    raise error


def load_models(
    connection: Connection,
    set_aside: SetAside = raised,
    pairs: Sequence[str] | None = None,
    *,
    enabled_only: bool = False,
) -> list[Model]:
    """The newest models of the trained pairs, or of those named."""
    rows = (
        queries.many(connection, "enabled_models", _StoredModel)
        if enabled_only
        else queries.many(connection, "trained_models", _StoredModel)
    )
    found = []
    for row in rows:
        if pairs is None or row.pair in pairs:
            try:
                found.append(Model.from_json(row.artifact))
            except InputError as error:
                set_aside(row.pair, error)
    return found


def generate_newest(
    database: Database, models: Sequence[Model], set_aside: SetAside = raised, *, candles: int = NEWEST
) -> Generated:
    """Generate signals for the newest complete candles in the store."""
    stored: list[Signal] = []
    for model in models:
        with database.transaction() as connection:
            known = candle_store.latest_or_make(connection, model.pair, model.granularity, _history(model) + candles)
            if len(known) == 0:
                continue
            first = max(0, len(known) - candles)
            after = int(known.time[first]) - 1
            try:
                made = generate(known, model, standard_instrument(model.pair), after=after)
            except InputError as error:
                set_aside(model.pair, error)
                continue
            stored += insert_signals(connection, made)
    return Generated({m.pair: 0 for m in models}, tuple(stored))


class Follower:
    """Keeps fetching complete candles from the broker, and generates signals as each arrives."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        choose: Callable[[Connection], Sequence[Model]],
        set_aside: SetAside = raised,
    ) -> None:
        """choose: the models to follow, asked for at every step: a retrained or newly enabled pair is taken up."""
        self._database, self._broker, self._choose, self._set_aside = database, broker, choose, set_aside
        self._followed: dict[str, _Followed] = {}

    def step(self) -> Generated:
        """Fetch what is new for each model's pair, store it, and generate signals for exactly these candles.

        The first step only takes up the broker's recent candles: nothing is generated for the past.
        """
        counts: dict[str, int] = {}
        stored: list[Signal] = []
        with self._database.transaction() as connection:
            models = self._choose(connection)
        for model in models:
            instrument = standard_instrument(model.pair)
            one = self._followed.setdefault(model.id, _Followed(SignalStream(model, instrument)))
            if one.stored is None:
                page = self._broker.candles(model.pair, model.granularity, count=min(5_000, _history(model)))
            else:
                page = self._broker.candles(model.pair, model.granularity, start=one.stored, include_first=False)
            counts[model.pair] = len(page)
            if len(page) == 0:
                continue
            fresh = page.to_mid(instrument.display_precision)
            try:
                found = one.stream.take(fresh)
            except InputError as error:
                self._set_aside(model.pair, error)
                found = []
            if one.stored is not None:
                one.waiting += found
            with self._database.transaction() as connection:
                candle_store.upsert_live(connection, fresh)
                stored += insert_signals(connection, one.waiting)
            one.stored, one.waiting = from_epoch(int(fresh.time[-1])), []
        return Generated(counts, tuple(stored))


@dataclass(slots=True)
class _Followed:
    """A model's stream, the newest candle stored for it, and signals that wait for a database that was away."""

    stream: SignalStream
    stored: datetime | None = None
    waiting: list[Signal] = field(default_factory=list)


def report_alive(database: Database, state: str, details: dict[str, Any]) -> None:
    """Leave the generator's sign of life."""
    with database.transaction() as connection:
        queries.execute(
            connection,
            "set_component_status",
            component="signals",
            broker_time=None,
            state=state,
            details=Jsonb(details),
        )


def insert_signals(connection: Connection, signals: Sequence[Signal]) -> list[Signal]:
    """Insert the signals and return those that were not there yet."""
    fresh = []
    for s in signals:
        inserted = queries.execute(
            connection,
            "insert_signal",
            id=s.id,
            pair=s.pair,
            model_id=s.model_id,
            granularity=s.granularity,
            candle_time=s.candle_time,
            side=s.side,
            confidence=s.confidence,
            metrics=Jsonb(s.metrics),
            stop_distance=s.stop_distance,
            target_distance=s.target_distance,
            horizon=s.horizon,
            expires_at=s.expires_at,
            kind=s.kind,
        )
        if inserted:
            fresh.append(s)
    return fresh


def _history(model: Model) -> int:
    """Candles that warm the metrics up.

    Metrics look back one window inside a session. The first bits of a session that begins with unchanged closes depend
    on its start, so a day of candles comes on top.
    """
    day = int(timedelta(days=1).total_seconds()) // model.granularity.seconds
    return model.parameters.warm_up(model.granularity) + day
