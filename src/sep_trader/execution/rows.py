"""The rows that the trader reads: what the queries of books.sql, trading.sql and control.sql give. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sep_trader.market.granularity import Granularity
from sep_trader.risk.limits import Marks
from sep_trader.states import (
    ExecutionStatus,
    Origin,
    RequestKind,
    RequestStatus,
    SignalKind,
    SignalStatus,
    SpreadSource,
    TradingState,
    Verdict,
)


def candle_end(time: datetime, granularity: str) -> datetime:
    """The end of a candle that starts at a time, by its nominal length."""
    return time + timedelta(seconds=Granularity.parse(granularity).seconds)


@dataclass(frozen=True, slots=True)
class Switch:
    """The state, who set it, when and why."""

    state: TradingState
    reason: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class NewSignal:
    """A signal that nobody has decided yet. Distances in price units; side 1 buys, -1 sells.

    ordered: the broker's record, as far as it was copied, holds an order of its name.
    """

    id: UUID
    pair: str
    model_id: str | None
    granularity: str
    candle_time: datetime
    side: int
    confidence: Decimal
    stop_distance: Decimal
    target_distance: Decimal | None
    horizon: timedelta
    expires_at: datetime
    origin: Origin
    max_units: Decimal | None
    ordered: bool
    kind: SignalKind = SignalKind.ENTRY

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
    intent_transaction_id: int
    expected_price: Decimal
    stop_distance: Decimal | None
    target_distance: Decimal | None
    deadline: datetime | None
    trade_id: int | None
    entry_price: Decimal | None
    horizon_at: datetime | None
    late: bool
    closing_order_id: int | None
    closing_cause: str | None
    horizon: timedelta
    candle_time: datetime
    granularity: str
    model_id: str | None = None
    """The model whose signal it executes; None for a person's."""

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
class SeenAccount:
    """What was last kept of the account: when it began, and what its losses are measured from."""

    created_time: datetime | None
    nav_high: Decimal
    day: date
    day_nav: Decimal
    week: date
    week_nav: Decimal

    @property
    def marks(self) -> Marks:
        """What losses are measured from."""
        return Marks(self.nav_high, self.day_nav, self.week_nav)


@dataclass(frozen=True, slots=True)
class PairRight:
    """Whether a pair may trade, with which model, and by which right."""

    enabled: bool
    model_id: str | None
    verdict: Verdict | None
    override_reason: str | None
    spread: SpreadSource
    """Where the spreads come from that its model was trained on."""
    proven_live: bool
    """Whether its account of candles after the design's release is worth enough for a live account."""
    evidence_until: datetime | None = None
    """The end of the newest candle that its verdict knows."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks: close a trade (`trade_id`), or all of ours (everything: a person's own, too); turn the
    switch; give or take a pair's right; tighten a limit (`setting`, `value`)."""

    id: int
    kind: RequestKind
    pair: str | None
    trade_id: int | None
    everything: bool
    requested_by: str
    reason: str
    setting: str | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a request."""

    status: RequestStatus
    answer: str | None


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """How far a probe has come. None for what has not happened; seen: the broker showed its trade in the last pass."""

    status: SignalStatus
    reason_code: str | None
    reason: str | None
    order_status: ExecutionStatus | None
    trade_id: int | None
    units: Decimal | None
    expected_price: Decimal | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    exit_reason: str | None
    net_pl: Decimal | None
    seen: bool | None
    standing_stop: Decimal | None


@dataclass(frozen=True, slots=True)
class Books:
    """What the database knows, read in one statement: the switch, orders, signals, requests and marks.

    ledger and seen are None for an account that was never traded here. elsewhere: other accounts with orders of ours
    that have not ended. unknown_lately: orders given up within the last hour.
    """

    database_id: str
    switch: Switch
    ledger: LedgerPosition | None
    seen: SeenAccount | None
    executions: tuple[Execution, ...]
    signals: tuple[NewSignal, ...]
    unreadable_signals: tuple[tuple[UUID, str], ...]
    rights: Mapping[str, PairRight]
    last_exits: Mapping[str, datetime]
    requests: tuple[Request, ...]
    elsewhere: tuple[str, ...]
    orders_last_minute: int
    unknown_lately: int
    losses_in_a_row: int
    last_loss: datetime | None
    overrides: Mapping[str, Decimal] = field(default_factory=dict)
    """Limits that a person tightened from afar."""
