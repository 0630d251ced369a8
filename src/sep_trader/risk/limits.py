"""May this signal be traded now? A list of checks, each with its reason code; the first that fails refuses."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Reason(StrEnum):
    """Why a signal ended as it did: the codes in trading_signals.reason_code."""

    FILLED = "FILLED"
    BAD_SIGNAL = "BAD_SIGNAL"
    EXPIRED = "EXPIRED"
    PAIR_DISABLED = "PAIR_DISABLED"
    MODEL_REPLACED = "MODEL_REPLACED"
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCING = "TRADING_REDUCING"
    LIVE_NOT_ALLOWED = "LIVE_NOT_ALLOWED"
    NOT_READY_ON_LIVE = "NOT_READY_ON_LIVE"
    NO_SPREAD = "NO_SPREAD"
    NO_PRICE = "NO_PRICE"
    MARKET_CLOSED = "MARKET_CLOSED"
    STALE_PRICE = "STALE_PRICE"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    STOP_INSIDE_SPREAD = "STOP_INSIDE_SPREAD"
    PAIR_BUSY = "PAIR_BUSY"
    MAX_OPEN_TRADES = "MAX_OPEN_TRADES"
    DAILY_LOSS_LIMIT = "DAILY_LOSS_LIMIT"
    NO_CONVERSION_RATE = "NO_CONVERSION_RATE"
    SIZE_BELOW_MINIMUM = "SIZE_BELOW_MINIMUM"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDERED_BEFORE = "ORDERED_BEFORE"
    BROKER_REFUSED = "BROKER_REFUSED"


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The owner's limits. Shares are of the account's NAV."""

    risk_per_trade: Decimal = Decimal("0.005")
    max_open_trades: int = 5
    max_daily_loss: Decimal = Decimal("0.03")
    max_spread_pips: Decimal = Decimal(5)
    price_max_age_s: int = 60


@dataclass(frozen=True, slots=True)
class Approved:
    """The order to send: signed units and exits on fill."""

    units: Decimal
    expected_price: Decimal
    stop_price: Decimal
    target_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: a code for programs and the figures for people."""

    code: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account already carries.

    unsettled_pairs have an open trade or an order nobody knows the end of. last_exit: when the pair's newest trade
    ended, by the broker's clock; None where none has.
    """

    nav: Decimal
    balance: Decimal
    margin_available: Decimal
    open_trades: int
    unsettled_pairs: frozenset[str]
    net_pl_today: Decimal
    last_exit: datetime | None = None


def check_exposure(pair: str, candle_end: datetime, exposure: Exposure, limits: RiskLimits) -> Refused | None:
    """Refuse what would add to an exposure that is at its limit; None when nothing forbids it.

    candle_end: when the signal's candle was complete. A pair is busy until its trade has ended: a signal from before
    comes too late, as it does in a backtest, where exits come first.
    """
    if pair in exposure.unsettled_pairs:
        return Refused(Reason.PAIR_BUSY, f"{pair} has an open trade or an unsettled order")
    if exposure.last_exit is not None and candle_end <= exposure.last_exit:
        return Refused(
            Reason.PAIR_BUSY,
            f"the candle ended at {candle_end:%H:%M:%S}, the trade of {pair} at {exposure.last_exit:%H:%M:%S} UTC",
        )
    if exposure.open_trades >= limits.max_open_trades:
        return Refused(
            Reason.MAX_OPEN_TRADES, f"{exposure.open_trades} trades are open, {limits.max_open_trades} allowed"
        )
    if daily_loss_reached(exposure, limits):
        return Refused(
            Reason.DAILY_LOSS_LIMIT,
            f"NAV is {exposure.nav} after {exposure.balance - exposure.net_pl_today} at the start of the day, "
            f"{limits.max_daily_loss:.1%} may be lost",
        )
    return None


def daily_loss_reached(exposure: Exposure, limits: RiskLimits) -> bool:
    """Has today's loss, open positions included, reached its limit? Measured against the balance at the day's start."""
    opening = exposure.balance - exposure.net_pl_today
    return exposure.nav - opening <= -limits.max_daily_loss * opening


def price_age_s(price_time: datetime, now: datetime) -> float:
    """Age of a quote in seconds of the broker's clock."""
    return (now - price_time).total_seconds()
