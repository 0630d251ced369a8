"""Response models of the API. Money and prices are decimal strings, times RFC 3339 in UTC."""

import logging
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError


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
    unrealized_pl: Decimal | None
    current_price: Decimal | None
    """At which it would be closed."""
    pips: Decimal | None
    r: Decimal | None
    """In units of the distance of its first stop."""


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
    e_value: float | None
    e_forward: float | None
    threshold: float | None
    trades: int | None
    expectancy_pips: float | None
    candles_until: datetime | None


class Account(BaseModel):
    """An account as the trader last saw it, in its currency; null currency: its books were never opened."""

    account_id: str
    currency: str | None
    environment: str | None
    balance: Decimal
    nav: Decimal
    open_pl: Decimal
    margin_used: Decimal
    margin_available: Decimal
    nav_high: Decimal
    day_pl: Decimal
    week_pl: Decimal
    open_trades: int
    seen_at: datetime
    age_s: float


class EquityPoint(BaseModel):
    """An account at a moment. drawdown: how far its NAV is below the highest before, a share of that."""

    account_id: str
    time: datetime
    balance: Decimal
    nav: Decimal
    margin_used: Decimal
    open_trades: int
    drawdown: float


class CandleColumns(BaseModel):
    """Candles as columns of one length. time: seconds since the epoch, of each candle's beginning; prices are mid."""

    pair: str
    granularity: str
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    spread: list[float | None]
    """null where it was not recorded."""
    volume: list[int]
    cut: bool
    """Whether there are more, earlier ones than one answer may hold."""


class QfhColumns(BaseModel):
    """QFH metrics of windows that end at each candle; null where no full window does."""

    pair: str
    granularity: str
    window: int
    time: list[int]
    coherence: list[float | None]
    entropy: list[float | None]
    stability: list[float | None]
    rupture: list[float | None]
    collapse: list[bool | None]


class PagedTrade(ClosedTrade):
    """A closed trade, with its result in pips and in units of the distance of its first stop."""

    trade_id: int | None
    model_id: str | None
    stop_price: Decimal | None
    target_price: Decimal | None
    pips: Decimal | None
    r: Decimal | None


class Execution(BaseModel):
    """An order and how far it came."""

    id: int
    signal_id: UUID
    account_id: str
    pair: str
    client_id: str
    status: str
    side: str
    units: Decimal
    intent_time: datetime
    order_id: int | None
    trade_id: int | None
    expected_price: Decimal
    entry_time: datetime | None
    entry_price: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    horizon_at: datetime | None
    exit_time: datetime | None
    exit_price: Decimal | None
    exit_reason: str | None
    net_pl: Decimal
    reason: str | None


class ListedModel(BaseModel):
    """A trained model. current: a pair's newest; enabled: that pair may trade."""

    id: str
    pair: str
    granularity: str
    run_id: UUID
    created_at: datetime
    kind: str | None
    current: bool
    enabled: bool


class Performance(BaseModel):
    """Closed trades of a group: account currency."""

    trades: int
    wins: int
    gross_pl: Decimal
    net_pl: Decimal
    expectancy: Decimal


class PairPerformance(Performance):
    """Of a pair."""

    pair: str


class HourPerformance(Performance):
    """Of the UTC hour of the entry."""

    hour: int


class LogLine(BaseModel):
    """A line of the log."""

    id: int
    time: datetime
    level: str
    component: str
    event: str
    message: str | None
    context: dict[str, Any] | None
    broker_time: datetime | None


class ControlChange(BaseModel):
    """A change of the switch, or of a pair's right."""

    id: int
    changed_at: datetime
    change: str
    pair: str | None
    before: str
    after: str
    changed_by: str
    reason: str


class Asked(BaseModel):
    """What somebody asked of the trader, and what came of it."""

    id: int
    requested_at: datetime
    kind: str
    pair: str | None
    trade_id: int | None
    everything: bool
    requested_by: str
    reason: str
    status: str
    answered_at: datetime | None
    answer: str | None


class Checked(BaseModel):
    """The answer to one question of the health check."""

    alert: str
    ok: bool
    detail: str


class Health(BaseModel):
    """Everything that the health check finds. Its machine's own questions are answered by `sep health` there."""

    ok: bool
    findings: list[Checked]


class BackupFile(BaseModel):
    """A backup, and whether its restore was proven."""

    name: str
    created_at: datetime
    bytes: int
    verified_at: datetime | None
    fault: str | None


class Backups(BaseModel):
    """What this process sees of the backups. known: whether it may look; where not, nothing is said about them."""

    known: bool
    backups: list[BackupFile]


class Setting(BaseModel):
    """A setting and where it comes from; secrets are not shown."""

    name: str
    value: str
    source: str


class Reason(BaseModel):
    """Why somebody asks for something; it is recorded."""

    reason: str = Field(min_length=1, max_length=500)
    everything: bool = False
    """With flatten and close: a person's own trades, too."""
    pair: str | None = None
    """With flatten: only the trades of this pair."""


class LimitWanted(Reason):
    """A limit to tighten, and why."""

    value: Decimal = Field(gt=0, lt=1_000_000, max_digits=15)


class LimitSet(BaseModel):
    """A limit that was tightened from afar; of this and the trader's own settings the stricter counts."""

    name: str
    value: Decimal
    set_by: str
    reason: str
    set_at: datetime


class Answer(BaseModel):
    """What came of a request. status NEW: no trader has acted yet, and it stays asked."""

    request_id: int
    status: str
    answer: str


class Alive(BaseModel):
    """Whether this process runs; and, for /readyz, whether it can answer."""

    ok: bool
    time: datetime


def rows(model: type[BaseModel], found: Any) -> list[Any]:
    """Query rows as response models; columns that a model does not name are left out.

    A row that cannot be (NaN where a price is, as somebody's hand may have written it) is left out and told in the log:
    it keeps no other from being shown.
    """
    read = []
    for row in found:
        try:
            read.append(model.model_validate(row))
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]
            name = next((row[key] for key in ("id", "trade_id", "pair", "day") if key in row), "?")
            logging.getLogger("sep_trader.api").error(
                "a row of %s cannot be shown (%s): %s %s", model.__name__, name, what["loc"], what["msg"]
            )
    return read
