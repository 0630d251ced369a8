"""May this signal be traded now? A list of checks, each with its reason code; the first that fails refuses. Pure.

Shares are of the account's NAV. Amounts are in the account's currency, distances in price units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sep_trader.market.instrument import Instrument

_ZERO = Decimal(0)


class Reason(StrEnum):
    """Why a signal ended as it did: the codes in trading_signals.reason_code. They are ours, never the broker's."""

    FILLED = "FILLED"
    LATE = "LATE"
    BAD_SIGNAL = "BAD_SIGNAL"
    EXPIRED = "EXPIRED"
    PAIR_DISABLED = "PAIR_DISABLED"
    MODEL_REPLACED = "MODEL_REPLACED"
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCING = "TRADING_REDUCING"
    LIVE_NOT_ALLOWED = "LIVE_NOT_ALLOWED"
    NOT_READY_ON_LIVE = "NOT_READY_ON_LIVE"
    NO_SPREAD = "NO_SPREAD"
    NOT_PROVEN_LIVE = "NOT_PROVEN_LIVE"
    EVIDENCE_OLD = "EVIDENCE_OLD"
    PROBE_ON_LIVE = "PROBE_ON_LIVE"
    NO_PRICE = "NO_PRICE"
    MARKET_CLOSED = "MARKET_CLOSED"
    STALE_PRICE = "STALE_PRICE"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    STOP_INSIDE_SPREAD = "STOP_INSIDE_SPREAD"
    STOP_TOO_CLOSE = "STOP_TOO_CLOSE"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    SIDE_DISABLED = "SIDE_DISABLED"
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    NEWS_WINDOW = "NEWS_WINDOW"
    PAIR_BUSY = "PAIR_BUSY"
    MAX_OPEN_TRADES = "MAX_OPEN_TRADES"
    ORDER_RATE = "ORDER_RATE"
    COOLDOWN = "COOLDOWN"
    DAILY_LOSS_LIMIT = "DAILY_LOSS_LIMIT"
    WEEKLY_LOSS_LIMIT = "WEEKLY_LOSS_LIMIT"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    LEVERAGE_LIMIT = "LEVERAGE_LIMIT"
    CURRENCY_LIMIT = "CURRENCY_LIMIT"
    MARGIN_HEADROOM = "MARGIN_HEADROOM"
    NO_CONVERSION_RATE = "NO_CONVERSION_RATE"
    SIZE_BELOW_MINIMUM = "SIZE_BELOW_MINIMUM"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    PRICE_MOVED = "PRICE_MOVED"
    NO_LIQUIDITY = "NO_LIQUIDITY"
    NOTHING_OPENED = "NOTHING_OPENED"
    NOT_SENT = "NOT_SENT"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDERED_BEFORE = "ORDERED_BEFORE"
    CLOSED = "CLOSED"
    NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"
    BROKER_REFUSED = "BROKER_REFUSED"


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the week in UTC, to the minute: from `start` to `end` on each of `days` (0 is Monday)."""

    days: frozenset[int]
    start: int
    """Minutes after midnight UTC."""
    end: int
    """Minutes after midnight UTC, above `start`."""

    def hold(self, moment: datetime) -> bool:
        """Whether an aware UTC time lies within."""
        return moment.weekday() in self.days and self.start <= moment.hour * 60 + moment.minute < self.end


@dataclass(frozen=True, slots=True)
class PairLimits:
    """What one pair's owner decides for it. None leaves the general limit."""

    max_spread_pips: Decimal | None = None
    min_stop_pips: Decimal | None = None
    min_confidence: Decimal = _ZERO
    sides: frozenset[int] = frozenset({-1, 1})
    hours: tuple[Hours, ...] = ()
    """Signals are traded within these; empty for always."""


@dataclass(frozen=True, slots=True)
class NewsWindow:
    """A span in which no trade of some currencies is opened (none given: of no pair at all)."""

    start: datetime
    end: datetime
    currencies: frozenset[str]
    title: str


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The owner's limits. Shares are of the account's NAV."""

    risk_per_trade: Decimal = Decimal("0.005")
    max_open_trades: int = 5
    max_daily_loss: Decimal = Decimal("0.03")
    max_weekly_loss: Decimal = Decimal("0.06")
    max_drawdown: Decimal = Decimal("0.2")
    """Fall of the NAV below its high."""
    max_spread_pips: Decimal = Decimal(5)
    price_max_age_s: int = 60
    max_leverage: Decimal = Decimal(10)
    """Gross exposure over NAV."""
    max_currency_exposure: Decimal = Decimal(6)
    """Net exposure in any currency but the account's own, over NAV."""
    min_stop_pips: Decimal = Decimal(3)
    min_stop_spreads: Decimal = Decimal(2)
    margin_headroom: Decimal = Decimal("0.3")
    """Share of the NAV that stays free of margin."""
    losing_streak: int = 8
    """Lost trades in a row that begin a cooldown; 0 for none."""
    cooldown_minutes: int = 60
    max_orders_a_minute: int = 10
    max_unknown_orders: int = 3
    max_evidence_age_days: int = 180
    """A pair trades by a verdict whose newest candle is at most so old."""
    pairs: Mapping[str, PairLimits] = field(default_factory=dict)
    news: tuple[NewsWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Approved:
    """The order to send: signed units, the worst price that it takes, and exits by their distance from the fill."""

    units: Decimal
    expected_price: Decimal
    price_bound: Decimal
    stop_distance: Decimal
    target_distance: Decimal | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: a code for programs and the figures for people."""

    code: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Marks:
    """What losses are measured from: the highest NAV, and the NAV when the broker's day and week began."""

    nav_high: Decimal
    day_nav: Decimal
    week_nav: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account already carries, orders whose end is not known included.

    unsettled_pairs have an open trade or an order nobody knows the end of. by_currency: net exposure in each currency,
    gross: the sum of all trades' sizes, both in the account's currency; None where a rate is missing. last_exits: when
    the newest trade of each pair ended, by the broker's clock.
    """

    nav: Decimal
    margin_available: Decimal
    open_trades: int
    unsettled_pairs: frozenset[str]
    marks: Marks
    gross: Decimal | None
    by_currency: Mapping[str, Decimal]
    last_exits: Mapping[str, datetime] = field(default_factory=dict)
    orders_last_minute: int = 0
    losses_in_a_row: int = 0
    last_loss: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order would add. side: 1 buys, -1 sells."""

    pair: str
    side: int
    confidence: Decimal
    candle_end: datetime


def check_pair(wanted: Wanted, now: datetime, limits: RiskLimits) -> Refused | None:
    """Refuse what the pair's own limits or the news forbid; None when nothing does."""
    own = limits.pairs.get(wanted.pair, PairLimits())
    if wanted.side not in own.sides:
        return Refused(Reason.SIDE_DISABLED, f"{wanted.pair} may not be {'bought' if wanted.side > 0 else 'sold'}")
    if wanted.confidence < own.min_confidence:
        text = f"the confidence is {wanted.confidence}, {own.min_confidence} is the least for {wanted.pair}"
        return Refused(Reason.LOW_CONFIDENCE, text)
    if own.hours and not any(hours.hold(now) for hours in own.hours):
        return Refused(Reason.OUTSIDE_HOURS, f"{wanted.pair} is not traded at {now:%A %H:%M} UTC")
    news = _news_of(wanted.pair, now, limits.news)
    if news is not None:
        return Refused(Reason.NEWS_WINDOW, f"{news.title} until {news.end:%Y-%m-%d %H:%M} UTC")
    return None


def _news_of(pair: str, now: datetime, windows: Iterable[NewsWindow]) -> NewsWindow | None:
    mine = frozenset(pair.split("_"))
    return next((w for w in windows if w.start <= now < w.end and (not w.currencies or w.currencies & mine)), None)


def check_quote(instrument: Instrument, spread: Decimal, stop_distance: Decimal, limits: RiskLimits) -> Refused | None:
    """Refuse a spread that is too wide, and a stop that is too close; None when both will do."""
    own = limits.pairs.get(instrument.name, PairLimits())
    widest = limits.max_spread_pips if own.max_spread_pips is None else own.max_spread_pips
    pips = spread / instrument.pip
    if pips > widest:
        return Refused(Reason.SPREAD_TOO_WIDE, f"the spread is {pips:.1f} pips, {widest} allowed")
    if stop_distance <= spread:
        return Refused(Reason.STOP_INSIDE_SPREAD, f"the stop distance {stop_distance} is not wider than the spread")
    closest = limits.min_stop_pips if own.min_stop_pips is None else own.min_stop_pips
    least = max(limits.min_stop_spreads * spread, closest * instrument.pip)
    if stop_distance < least:
        text = f"the stop distance is {stop_distance}, {least.normalize():f} is the least"
        return Refused(Reason.STOP_TOO_CLOSE, text)
    return None


def check_exposure(wanted: Wanted, now: datetime, exposure: Exposure, limits: RiskLimits) -> Refused | None:
    """Refuse what would add to an exposure that is at its limit; None when nothing forbids it.

    A pair is busy until its trade has ended: a signal whose candle ended before that comes too late, as it does in a
    backtest, where exits come first.
    """
    pair = wanted.pair
    if pair in exposure.unsettled_pairs:
        return Refused(Reason.PAIR_BUSY, f"{pair} has an open trade or an unsettled order")
    last_exit = exposure.last_exits.get(pair)
    if last_exit is not None and wanted.candle_end <= last_exit:
        text = f"the candle ended at {wanted.candle_end:%H:%M:%S}, the trade of {pair} at {last_exit:%H:%M:%S} UTC"
        return Refused(Reason.PAIR_BUSY, text)
    if exposure.open_trades >= limits.max_open_trades:
        text = f"{exposure.open_trades} trades are open, {limits.max_open_trades} allowed"
        return Refused(Reason.MAX_OPEN_TRADES, text)
    if exposure.orders_last_minute >= limits.max_orders_a_minute:
        text = f"{exposure.orders_last_minute} orders in a minute, {limits.max_orders_a_minute} allowed"
        return Refused(Reason.ORDER_RATE, text)
    return _cooling(now, exposure, limits) or losses(exposure.nav, exposure.marks, limits)


def _cooling(now: datetime, exposure: Exposure, limits: RiskLimits) -> Refused | None:
    if not limits.losing_streak or exposure.losses_in_a_row < limits.losing_streak or exposure.last_loss is None:
        return None
    until = exposure.last_loss + timedelta(minutes=limits.cooldown_minutes)
    if now >= until:
        return None
    text = f"{exposure.losses_in_a_row} trades in a row were lost; trading goes on at {until:%H:%M:%S} UTC"
    return Refused(Reason.COOLDOWN, text)


def losses(nav: Decimal, marks: Marks, limits: RiskLimits) -> Refused | None:
    """The first loss limit that is reached, with its figures; None while all hold. Open positions count."""
    measured = (
        (Reason.DAILY_LOSS_LIMIT, marks.day_nav, limits.max_daily_loss, "at the start of the day", "be lost"),
        (Reason.WEEKLY_LOSS_LIMIT, marks.week_nav, limits.max_weekly_loss, "at the start of the week", "be lost"),
        (Reason.MAX_DRAWDOWN, marks.nav_high, limits.max_drawdown, "at its highest", "be drawn down"),
    )
    for code, start, share, when, may in measured:
        if nav - start <= -share * start:
            return Refused(code, f"NAV is {nav} after {start} {when}, {share:.1%} may {may}")
    return None


def check_size(
    units: Decimal,
    instrument: Instrument,
    base_factor: Decimal,
    home: str,
    exposure: Exposure,
    limits: RiskLimits,
) -> Refused | None:
    """Refuse a size (signed units) that would bring the account beyond its leverage, its exposure in a currency, or its
    free margin. base_factor: home currency per unit of base currency."""
    if exposure.gross is None:
        return Refused(Reason.NO_CONVERSION_RATE, "the exposure of an open trade is not known: its rate is missing")
    size = abs(units) * base_factor
    gross = exposure.gross + size
    if gross > limits.max_leverage * exposure.nav:
        text = f"exposure would be {gross:.0f}, {gross / exposure.nav:.1f} times the NAV; {limits.max_leverage} allowed"
        return Refused(Reason.LEVERAGE_LIMIT, text)
    sign = 1 if units > 0 else -1
    for currency, change in ((instrument.base, sign * size), (instrument.quote, -sign * size)):
        before = exposure.by_currency.get(currency, _ZERO)
        after = before + change
        if currency != home and abs(after) > max(abs(before), limits.max_currency_exposure * exposure.nav):
            text = f"{currency} would be {abs(after) / exposure.nav:.1f} times the NAV"
            return Refused(Reason.CURRENCY_LIMIT, f"exposure in {text}; {limits.max_currency_exposure} allowed")
    margin = size * instrument.margin_rate
    if exposure.margin_available - margin < limits.margin_headroom * exposure.nav:
        text = f"{margin:.2f} margin of {exposure.margin_available:.2f} free leaves less than"
        return Refused(Reason.MARGIN_HEADROOM, f"{text} {limits.margin_headroom:.0%} of the NAV")
    return None


def price_age_s(price_time: datetime, now: datetime) -> float:
    """Age of a quote in seconds of the broker's clock."""
    return (now - price_time).total_seconds()
