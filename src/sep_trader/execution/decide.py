"""From a signal to an order or a refusal: one pure function, the same for every caller."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from sep_trader.broker.port import AccountSummary, Price
from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import (
    Approved,
    Exposure,
    Reason,
    Refused,
    RiskLimits,
    Wanted,
    check_exposure,
    check_pair,
    check_quote,
    check_size,
    price_age_s,
)
from sep_trader.risk.sizing import size_by_risk
from sep_trader.states import TradingState

_BOUND_TICKS = 2
_BOUND_SHARE = Decimal("0.1")
"""The entry may be worse than the quote by this share of the stop distance, or by so many ticks."""


@dataclass(frozen=True, slots=True)
class SignalToTrade:
    """What the decision reads of a signal. Distances in price units; times of the broker's clock.

    candle_end: when its candle was complete. horizon_end: when its trade would be closed at the latest. probe: a person
    tries the path; max_units: no more than so many.
    """

    pair: str
    model_id: str | None
    side: int
    stop_distance: Decimal
    target_distance: Decimal | None
    expires_at: datetime
    candle_end: datetime
    horizon_end: datetime
    confidence: Decimal = Decimal(1)
    probe: bool = False
    max_units: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may trade: the switch, the pair, and whether live trading was turned on."""

    trading_state: TradingState
    state_reason: str
    pair_enabled: bool
    pair_ready: bool
    enabled_model_id: str | None
    environment: str
    live_allowed: bool
    spread_known: bool
    """Whether the model was trained on spreads that were recorded or declared."""
    proven_live: bool
    """Whether the pair's account of candles after the design's release is worth enough for a live account."""
    evidence_until: datetime | None = None
    """The end of the newest candle that the verdict knows; None where nobody wrote it down."""


@dataclass(frozen=True, slots=True)
class MarketView:
    """The broker's clock and quote, and home currency per unit of quote currency (for a loss) and of base currency;
    0 where the broker states no rate."""

    now: datetime
    price: Price | None
    loss_factor: Decimal
    base_factor: Decimal


def decide(
    signal: SignalToTrade,
    permission: Permission,
    market: MarketView,
    account: AccountSummary,
    exposure: Exposure,
    instrument: Instrument,
    limits: RiskLimits,
) -> Approved | Refused:
    """The order for a signal, or the reason why there is none. The broker's clock is the only clock."""
    wanted = Wanted(signal.pair, signal.side, signal.confidence, signal.candle_end)
    refusal = unusable(signal) or expired(signal, market.now) or permitted(signal, permission)
    refusal = refusal or outdated(signal, permission, market.now, limits) or check_pair(wanted, market.now, limits)
    refusal = refusal or _tradeable(signal.pair, market, limits)
    if refusal is not None:
        return refusal
    price = market.price
    assert price is not None  # noqa: S101 - _tradeable refused a missing price
    stop = up_to_tick(signal.stop_distance, instrument)
    target = None if signal.target_distance is None else up_to_tick(signal.target_distance, instrument)
    refusal = check_quote(instrument, price.ask - price.bid, stop, limits)
    refusal = refusal or check_exposure(wanted, market.now, exposure, limits)
    if refusal is not None:
        return refusal
    entry = price.ask if signal.side > 0 else price.bid
    units = size_by_risk(
        nav=account.nav,
        risk_per_trade=limits.risk_per_trade,
        stop_distance=stop,
        loss_factor=market.loss_factor,
        price=entry,
        base_factor=market.base_factor,
        margin_available=exposure.margin_available,
        instrument=instrument,
        at_most=signal.max_units,
    )
    if isinstance(units, Refused):
        return units
    refusal = check_size(signal.side * units, instrument, market.base_factor, account.currency, exposure, limits)
    if refusal is not None:
        return refusal
    slack = max(_BOUND_TICKS * instrument.tick, instrument.quantise_price(_BOUND_SHARE * stop))
    return Approved(units * signal.side, entry, entry + signal.side * slack, stop, target)


def up_to_tick(distance: Decimal, instrument: Instrument) -> Decimal:
    """A distance on the instrument's ticks, never shorter: the size is computed from what is sent."""
    return distance.quantize(instrument.tick, rounding=ROUND_CEILING)


def permitted(signal: SignalToTrade, permission: Permission) -> Refused | None:
    """Refuse what nobody has allowed; needs nothing of the broker. None when it is allowed."""
    pair, live = signal.pair, permission.environment == "live"
    if live and signal.probe:
        return Refused(Reason.PROBE_ON_LIVE, "a probe is for practice and simulated accounts")
    if live and not permission.live_allowed:
        return Refused(Reason.LIVE_NOT_ALLOWED, "SEP_LIVE_TRADING is not set")
    if live and not permission.pair_ready:
        return Refused(Reason.NOT_READY_ON_LIVE, f"{pair} is not READY; an override does not hold on a live account")
    if live and not permission.spread_known:
        return Refused(Reason.NO_SPREAD, f"the model of {pair} was trained without a recorded spread")
    if live and not permission.proven_live:
        return Refused(Reason.NOT_PROVEN_LIVE, f"{pair} has not proven itself on candles after its design's release")
    if permission.trading_state is not TradingState.ACTIVE:
        reducing = permission.trading_state is TradingState.REDUCING
        return Refused(Reason.TRADING_REDUCING if reducing else Reason.TRADING_HALTED, permission.state_reason)
    if signal.probe:
        return None
    if not permission.pair_enabled:
        return Refused(Reason.PAIR_DISABLED, f"{pair} is not enabled")
    if permission.enabled_model_id != signal.model_id:
        return Refused(Reason.MODEL_REPLACED, f"the enabled model is {permission.enabled_model_id}")
    return None


def outdated(signal: SignalToTrade, permission: Permission, now: datetime, limits: RiskLimits) -> Refused | None:
    """Refuse a pair that trades by a verdict whose newest candle is too old; None otherwise. A person's override is not
    of that age."""
    until = permission.evidence_until
    if signal.probe or not permission.pair_ready or until is None:
        return None
    days = (now - until).total_seconds() / 86_400
    if days > limits.max_evidence_age_days:
        text = f"the verdict on {signal.pair} knows no candle of the last {days:.0f} days"
        return Refused(Reason.EVIDENCE_OLD, f"{text}, {limits.max_evidence_age_days} allowed: train again")
    return None


def unusable(signal: SignalToTrade) -> Refused | None:
    """Refuse a signal that no order can be made of, whoever wrote it; None when it is sound."""
    distances = [signal.stop_distance, *([] if signal.target_distance is None else [signal.target_distance])]
    if signal.side not in (-1, 1) or not all(one.is_finite() and one > 0 for one in distances):
        shown = ", ".join(map(str, distances))
        return Refused(Reason.BAD_SIGNAL, f"side {signal.side}, distances {shown}: expected -1 or 1, and above 0")
    return None


def expired(signal: SignalToTrade, now: datetime) -> Refused | None:
    """Refuse a signal whose time is over by the broker's clock; None while it lasts."""
    end = min(signal.expires_at, signal.horizon_end)
    if now > end:
        late = (now - end).total_seconds()
        return Refused(Reason.EXPIRED, f"expired {late:.0f} s ago by the broker's clock")
    return None


def _tradeable(pair: str, market: MarketView, limits: RiskLimits) -> Refused | None:
    price = market.price
    if price is None:
        return Refused(Reason.NO_PRICE, f"the broker quotes no price of {pair}")
    if not price.tradeable:
        text = f"{pair} is not tradeable, last price {price.time:%Y-%m-%d %H:%M:%S} UTC"
        return Refused(Reason.MARKET_CLOSED, text)
    age = price_age_s(price.time, market.now)
    if age > limits.price_max_age_s:
        return Refused(Reason.STALE_PRICE, f"the price is {age:.0f} s old, {limits.price_max_age_s} allowed")
    if age < -limits.price_max_age_s:
        return Refused(Reason.STALE_PRICE, f"the price is {-age:.0f} s ahead of the broker's clock")
    return None
