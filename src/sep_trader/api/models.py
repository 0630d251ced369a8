"""Response models of the API. Money and prices are decimal strings, times RFC 3339 in UTC."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class DatabaseStatus(BaseModel):
    """The database behind the API."""

    server: str
    timescaledb: str | None
    schema_version: int
    size_bytes: int


class BrokerStatus(BaseModel):
    """What the trader last said of the broker; null fields when no trader has run."""

    connected: bool
    account: str | None = None
    environment: str | None = None
    broker_time: datetime | None = None
    last_transaction_id: int | None = None


class TradingStatus(BaseModel):
    """The switch."""

    state: str
    reason: str
    changed_by: str
    changed_at: datetime


class ComponentStatus(BaseModel):
    """Last sign of life of a running component."""

    component: str
    state: str
    age_s: float
    broker_time: datetime | None


class Newest(BaseModel):
    """Start of the newest candle and of the newest signal's candle, and entry of the newest trade."""

    candle: datetime | None
    signal: datetime | None
    trade: datetime | None


class StorageArea(BaseModel):
    """One area of the volume. level: ok, warning (80 %) or critical (95 %)."""

    area: str
    used_bytes: int
    budget_bytes: int
    share: float
    growth_bytes_a_day: int | None
    days_to_full: float | None
    level: str


class Storage(BaseModel):
    """The volume's areas against their budgets."""

    areas: list[StorageArea]
    total: StorageArea
    bytes_per_candle: float | None


class LiveStatement(BaseModel):
    """A live day held against the backtest of the same day."""

    day: date
    pair: str
    model_id: str
    decisions: int
    decisions_identical: int
    trades: int
    identical: int
    live: Decimal
    backtest: Decimal
    parts: dict[str, Decimal]
    """The difference by its causes, account currency."""
    residual: Decimal
    differing: list[str]
    """What is not identical, in words."""


class Status(BaseModel):
    """GET /api/status."""

    version: str
    notice: str | None
    """What every screen must say, such as that prices are simulated."""
    database: DatabaseStatus
    broker: BrokerStatus
    trading_state: TradingStatus
    enabled_pairs: list[str]
    last: Newest
    open_trades: int
    stream_age_s: float | None
    """Seconds since the trader last heard anything on its streams; null when it never has."""
    components: list[ComponentStatus]
    storage: Storage
    statements: list[LiveStatement]
    """Of the newest day that has any."""


class DailyPerformance(BaseModel):
    """One broker day (from 17:00 New York) of one pair."""

    day: date
    pair: str
    signals: int
    trades: int
    wins: int
    win_rate: Decimal | None
    gross_pl: Decimal
    net_pl: Decimal
    max_drawdown: Decimal


class OpenTrade(BaseModel):
    """An order that has, or may have, a trade open at the broker.

    Units and exits are those that the broker showed `age_s` ago, where the trade was `seen`, else those of the books.
    """

    id: int
    pair: str
    side: str
    units: Decimal
    status: str
    entry_time: datetime | None
    entry_price: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    horizon_at: datetime | None
    trade_id: int | None
    account_id: str
    signal_id: UUID
    confidence: Decimal
    seen: bool
    age_s: float | None


class ClosedTrade(BaseModel):
    """A closed trade and what it brought, account currency."""

    id: int
    pair: str
    side: str
    units: Decimal
    entry_time: datetime
    entry_price: Decimal
    exit_time: datetime
    exit_price: Decimal | None
    exit_reason: str | None
    gross_pl: Decimal
    financing: Decimal
    commission: Decimal
    net_pl: Decimal


class RecentSignal(BaseModel):
    """A signal and what became of it."""

    id: UUID
    candle_time: datetime
    pair: str
    side: str
    confidence: Decimal
    status: str
    reason_code: str | None
    reason: str | None
    stop_distance: Decimal
    target_distance: Decimal | None
    expires_at: datetime
    granularity: str
    model_id: str | None
    kind: str
    """ENTRY opens a trade, EXIT closes the one of the same model that goes the other way."""


class Pair(BaseModel):
    """A pair, its verdict, and its right to trade."""

    pair: str
    enabled: bool
    verdict: str | None
    verdict_reason: str | None
    judged_at: datetime | None
    model_id: str | None
    granularity: str | None
    override_by: str | None
    override_reason: str | None
    enabled_at: datetime | None
    disabled_reason: str | None


class Problem(BaseModel):
    """An error: what happened and what to do."""

    detail: str

    model_config = {"json_schema_extra": {"example": {"detail": "the database does not answer"}}}


def rows(model: type[BaseModel], found: Any) -> list[Any]:
    """Query rows as response models; columns that a model does not name are left out."""
    return [model.model_validate(row) for row in found]
