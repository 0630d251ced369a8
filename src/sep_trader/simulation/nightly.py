"""The job of the nightly statement: the broker's candles of a day and the tables in, a row of live_statements out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from sep_trader.broker.port import Broker
from sep_trader.errors import InputError
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.clock import NEW_YORK
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.risk.days import broker_day
from sep_trader.signals.job import SetAside, raised
from sep_trader.simulation.statement import LiveSignal, Statement, state
from sep_trader.store.database import Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_CUT_OFF = time(17)
_ONE_DAY = timedelta(days=1)
_PAGE = 4_000


@dataclass(frozen=True, slots=True)
class _Row:
    pair: str
    artifact: dict[str, Any]
    enabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stated:
    """A day's statement of one model."""

    day: date
    pair: str
    model_id: str
    statement: Statement


def day_before(now: datetime) -> date:
    """The newest broker day that is over."""
    return broker_day(now) - _ONE_DAY


def make_statements(
    database: Database,
    broker: Broker,
    day: date,
    *,
    risk_per_trade: Decimal,
    set_aside: SetAside = raised,
) -> list[Stated]:
    """State a broker day for every model that traded or was to trade on it, and keep the statements. set_aside: called
    with the pair of a model that cannot be read here, such as one of a strategy file of the training machine.

    Raises InputError for a day that is not over, BrokerError when its candles cannot be read.
    """
    begin, end = span_of(day)
    now = broker.pricing([broker.instruments()[0].name]).time
    if end > now:
        raise InputError(f"the broker's day {day} is not over: it ends at {end:%Y-%m-%d %H:%M} UTC", "state a past one")
    with database.transaction() as connection:
        rows = queries.many(connection, "stated_models", _Row, first=begin - _ONE_DAY, after=end)
    stated = []
    for row in rows:
        try:
            model = Model.from_json(row.artifact)
        except InputError as error:
            set_aside(row.pair, error)
            continue
        found = _stated(database, broker, model, day, row.enabled_at, risk_per_trade)
        if found is not None:
            stated.append(found)
    return stated


def span_of(day: date) -> tuple[datetime, datetime]:
    """When a broker's day begins and ends: 17:00 New York."""
    begin = datetime.combine(day - _ONE_DAY, _CUT_OFF, NEW_YORK)
    return begin.astimezone(UTC), datetime.combine(day, _CUT_OFF, NEW_YORK).astimezone(UTC)


def _stated(
    database: Database, broker: Broker, model: Model, day: date, enabled_at: datetime | None, risk_per_trade: Decimal
) -> Stated | None:
    """State a day of one model; None where it neither proposed nor was to propose."""
    begin, end = span_of(day)
    length = timedelta(seconds=model.granularity.seconds)
    # A candle belongs to the day in which it ends: its signal is decided then.
    first, after = begin - length, end - length
    instrument = broker.instruments([model.pair])[0]
    with database.transaction() as connection:
        live = queries.many(connection, "live_day", LiveSignal, model_id=model.id, first=first, after=after)
        known = queries.optional(connection, "balance_at", Decimal, account_id=broker.account_id, moment=begin)
    summary = broker.snapshot().summary
    balance = summary.balance if known is None else known
    if enabled_at is not None and not live:
        first = max(first, enabled_at)
    if not live and (enabled_at is None or first >= after):
        return None
    quotes = _candles(broker, model, first, end + _ONE_DAY)
    if len(quotes) == 0:
        return None
    rates = broker.pricing([model.pair]).home_conversions
    rate = Decimal(1) if instrument.quote == summary.currency else sum(rates[instrument.quote], Decimal(0)) / 2
    statement = state(
        quotes, model, instrument, live, first=first, after=after, balance=balance, risk_per_trade=risk_per_trade,
        rate=rate,
    )  # fmt: skip
    stated = Stated(day, model.pair, model.id, statement)
    _keep(database, stated)
    return stated


def _candles(broker: Broker, model: Model, first: datetime, end: datetime) -> QuoteCandles:
    """The broker's bid and ask candles from the model's warm-up on, page by page."""
    step = model.granularity.seconds
    warm_up = timedelta(seconds=model.parameters.warm_up(model.granularity) * step) + _ONE_DAY
    pages = list(_pages(broker, model.pair, model.granularity, first - 3 * warm_up, end))
    return QuoteCandles.join(pages)


def _pages(
    broker: Broker, pair: str, granularity: Granularity, start: datetime, end: datetime
) -> Iterator[QuoteCandles]:
    length = timedelta(seconds=granularity.seconds * _PAGE)
    while start < end:
        yield broker.candles(pair, granularity, start=start, end=min(start + length, end))
        start += length


def _keep(database: Database, stated: Stated) -> None:
    one = stated.statement
    with database.transaction() as connection:
        queries.execute(
            connection,
            "keep_statement",
            day=stated.day,
            pair=stated.pair,
            model_id=stated.model_id,
            decisions=one.decisions,
            decisions_identical=one.decisions_identical,
            trades=one.trades,
            identical=one.identical,
            live=one.money.live,
            backtest=one.money.tested,
            parts=Jsonb({name: f"{amount:.4f}" for name, amount in one.money.parts.items()}),
            residual=one.money.residual,
            differing=Jsonb(list(one.differing)),
        )
        if not one.decided_alike:
            text = (
                f"{stated.pair} on {stated.day}: {one.decisions - one.decisions_identical} of {one.decisions} decisions"
            )
            Log("statement").write(connection, "decisions_differ", f"{text} are not the backtest's", level="error")
