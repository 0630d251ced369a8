"""Take over a trade that a person opened: it gets a row in the books and our marks; the next pass protects it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from sep_trader.broker.port import AccountSnapshot, Broker, BrokerTrade, Resting
from sep_trader.errors import BrokerError, InputError
from sep_trader.execution.decide import up_to_tick
from sep_trader.execution.marks import Owner, Terms, client_id_of, comment_of, owner_of, tag_of
from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import Reason
from sep_trader.states import Origin, SignalStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Adopted:
    """A trade that is ours now."""

    signal_id: UUID
    horizon_at: datetime


def adopt_trade(
    database: Database, broker: Broker, trade_id: int, *, stop_pips: Decimal, horizon: timedelta, by: str, why: str
) -> Adopted:
    """Write the books' row of a person's trade, then mark the trade at the broker.

    Raises InputError for a trade that is not open, or is ours already; BrokerError when it cannot be marked: the books
    have it then all the same, and it is protected.
    """
    snapshot = broker.snapshot()
    trade = next((t for t in snapshot.trades if t.trade_id == trade_id), None)
    if trade is None:
        raise InputError(f"trade {trade_id} is not open", "sep trade trades shows the open ones")
    instrument = broker.instruments([trade.instrument])[0]
    now = broker.pricing([trade.instrument]).time
    candle = now.replace(second=0, microsecond=0) - _MINUTE
    distance = up_to_tick(stop_pips * instrument.pip, instrument)
    terms = Terms(candle + _MINUTE + horizon, distance)
    signal_id = uuid4()
    with database.transaction() as connection:
        database_id = queries.value(connection, "database_id", str)
        if owner_of(trade, database_id) is not Owner.PERSON:
            raise InputError(f"trade {trade_id} is no person's: it carries the marks of this system")
        _write(connection, signal_id, snapshot, trade, terms, candle, now, instrument)
        text = f"trade {trade_id} ({trade.units} {trade.instrument}) is ours now, by {by}: {why}"
        Log("trader").write(connection, "trade_adopted", text, broker_time=now, trade_id=trade_id, by=by)
    outcome = broker.mark_trade(
        trade_id, client_id=client_id_of(signal_id), tag=tag_of(database_id), comment=comment_of(terms)
    )
    if not isinstance(outcome, Resting):
        raise BrokerError(f"trade {trade_id} is in the books, and could not be marked at the broker: {outcome}")
    return Adopted(signal_id, terms.horizon_at)


def _write(
    connection: Connection,
    signal_id: UUID,
    snapshot: AccountSnapshot,
    trade: BrokerTrade,
    terms: Terms,
    candle: datetime,
    now: datetime,
    instrument: Instrument,
) -> None:
    side = 1 if trade.units > 0 else -1
    queries.execute(
        connection,
        "insert_hand_signal",
        id=signal_id,
        pair=trade.instrument,
        granularity="M1",
        candle_time=candle,
        side=side,
        metrics=Jsonb({}),
        stop_distance=terms.stop_distance,
        horizon=terms.horizon_at - candle - _MINUTE,
        expires_at=now,
        origin=Origin.ADOPTED,
        max_units=None,
        status=SignalStatus.EXECUTED,
        reason_code=Reason.FILLED,
        reason=f"trade {trade.trade_id} was taken over",
        decided_at=now,
    )
    queries.execute(
        connection,
        "insert_adopted",
        signal_id=signal_id,
        account_id=snapshot.summary.account_id,
        pair=trade.instrument,
        client_id=client_id_of(signal_id),
        units=trade.units,
        now=now,
        transaction_id=snapshot.summary.last_transaction_id,
        price=trade.price,
        stop_price=instrument.quantise_price(trade.price - side * terms.stop_distance),
        stop_distance=terms.stop_distance,
        trade_id=trade.trade_id,
        entry_time=trade.open_time,
        horizon_at=terms.horizon_at,
    )
