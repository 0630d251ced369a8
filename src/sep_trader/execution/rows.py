"""The rows that the trader reads: what the queries of trading.sql, signals.sql and control.sql give."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sep_trader.market.granularity import Granularity
from sep_trader.states import ExecutionStatus, SpreadSource, Verdict


def candle_end(time: datetime, granularity: str) -> datetime:
    """The end of a candle that starts at a time, by its nominal length."""
    return time + timedelta(seconds=Granularity.parse(granularity).seconds)


@dataclass(frozen=True, slots=True)
class NewSignal:
    """A signal that nobody has decided yet. Distances in price units; side 1 buys, -1 sells."""

    id: UUID
    pair: str
    model_id: str
    granularity: str
    candle_time: datetime
    side: int
    stop_distance: Decimal
    target_distance: Decimal | None
    horizon: timedelta
    expires_at: datetime

    @property
    def candle_end(self) -> datetime:
        """When the candle was complete."""
        return candle_end(self.candle_time, self.granularity)


@dataclass(frozen=True, slots=True)
class Execution:
    """An order of ours and the trade that it opened. Units are signed; times are the broker's."""

    id: int
    signal_id: UUID
    account_id: str
    pair: str
    client_id: str
    status: ExecutionStatus
    units: Decimal
    open_units: Decimal
    intent_time: datetime
    expected_price: Decimal
    trade_id: int | None
    horizon_at: datetime | None
    horizon: timedelta
    candle_time: datetime
    granularity: str

    @property
    def horizon_end(self) -> datetime:
        """When its trade is closed at the latest: the horizon is counted from the end of the signal's candle."""
        return candle_end(self.candle_time, self.granularity) + self.horizon


@dataclass(frozen=True, slots=True)
class LedgerPosition:
    """How far the books of an account have read the broker's record, and the balance there."""

    last_transaction_id: int
    balance: Decimal


@dataclass(frozen=True, slots=True)
class PairRight:
    """Whether a pair may trade, with which model, and by which right."""

    enabled: bool
    model_id: str | None
    verdict: Verdict | None
    override_reason: str | None
    spread: SpreadSource
    """Where the spreads come from that its model was trained on."""
