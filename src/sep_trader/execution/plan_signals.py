"""What becomes of the new signals: an order, a refusal, or a wait for what cannot be seen. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sep_trader.broker.port import AccountSummary, Price, Pricing
from sep_trader.errors import InputError
from sep_trader.execution.actions import Action, Order, Refuse
from sep_trader.execution.decide import (
    MarketView,
    Permission,
    SignalToTrade,
    decide,
    expired,
    outdated,
    permitted,
    unusable,
)
from sep_trader.execution.exposure import exposure_of, factors, mid_factor, with_order
from sep_trader.execution.marks import client_id_of
from sep_trader.execution.observation import Observation, Unseen
from sep_trader.execution.plan_books import see
from sep_trader.execution.rows import Books, Execution, NewSignal
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trips import at_one_id
from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import Approved, Exposure, Marks, Reason, Refused
from sep_trader.states import Origin, SignalKind, SpreadSource, TradingState, Verdict


@dataclass(slots=True)
class _Market:
    """What deciding an order needs beside the signal."""

    account: AccountSummary
    pricing: Pricing
    exposure: Exposure


def decide_signals(
    observation: Observation, settings: TraderSettings, state: TradingState | None, why: str
) -> Iterator[Action]:
    """Decide every new signal, oldest first. One that needs what cannot be seen stays NEW until it is over."""
    books, now = observation.books, observation.now
    if isinstance(books, Unseen) or now is None:
        return
    for signal_id, cause in books.value.unreadable_signals:
        yield Refuse(signal_id, "", Refused(Reason.BAD_SIGNAL, cause))
    market = _market(observation, books.value)
    switch = (state or books.value.switch.state, why)
    for signal in books.value.signals:
        try:
            action = _decide(signal, observation, settings, switch, market)
        except (ArithmeticError, InputError, OverflowError) as error:  # of figures that no price has the digits for
            action = Refuse(signal.id, signal.pair, Refused(Reason.BAD_SIGNAL, f"{type(error).__name__}: {error}"))
        if isinstance(action, Order) and market is not None:
            instrument = observation.terms[signal.pair]
            factor = mid_factor(market.pricing, instrument.base, market.account.currency)
            market.exposure = with_order(market.exposure, instrument, action.order, factor)
        if action is not None:
            yield action


def _market(observation: Observation, books: Books) -> _Market | None:
    """What orders are decided from; None while a part of it cannot be seen, or the record is not booked yet."""
    account, pricing = observation.account, observation.pricing
    if isinstance(account, Unseen) or isinstance(pricing, Unseen) or not at_one_id(observation):
        return None
    if not {trade.instrument for trade in account.value.trades} <= observation.asked:
        return None  # a trade has come since: the next look asks for its rates
    marks = see(account.value, books.seen, observation)
    measured = Marks(marks.nav_high, marks.day_nav, marks.week_nav)
    exposure = exposure_of(account.value, pricing.value, books, measured, observation.terms)
    return _Market(account.value.summary, pricing.value, exposure)


def _decide(
    signal: NewSignal,
    observation: Observation,
    settings: TraderSettings,
    switch: tuple[TradingState, str],
    market: _Market | None,
) -> Action | None:
    books, now = observation.books, observation.now
    assert not isinstance(books, Unseen) and now is not None  # noqa: S101 - asked for with both only
    wanted = to_trade(signal)
    if signal.kind is SignalKind.EXIT:
        return _decide_exit(signal, wanted, books.value, now)
    permission = _permission(signal.pair, books.value, settings, switch)
    refusal = unusable(wanted)
    if refusal is None and signal.ordered:
        refusal = Refused(Reason.ORDERED_BEFORE, f"the broker's record has an order {client_id_of(signal.id)} already")
    refusal = refusal or expired(wanted, now) or permitted(wanted, permission)
    refusal = refusal or outdated(wanted, permission, now, settings.limits)
    if refusal is None and signal.pair in observation.no_terms:
        refusal = Refused(Reason.BROKER_REFUSED, observation.no_terms[signal.pair])
    if refusal is not None:
        return Refuse(signal.id, signal.pair, refusal)
    instrument = observation.terms.get(signal.pair)
    if market is None or instrument is None or signal.pair not in observation.asked:
        return None
    view = _view(signal.pair, observation, market, instrument, now)
    decision = decide(wanted, permission, view, market.account, market.exposure, instrument, settings.limits)
    if isinstance(decision, Refused):
        return Refuse(signal.id, signal.pair, decision)
    assert view.price is not None  # noqa: S101 - decide refuses without one
    return _order(signal, wanted, decision, market.account.last_transaction_id, view.price)


def is_exit_of(signal: NewSignal, execution: Execution) -> bool:
    """Whether a signal asks to close what an execution opened, or may still open."""
    same = (signal.pair, signal.model_id) == (execution.pair, execution.model_id)
    return signal.kind is SignalKind.EXIT and same and signal.side * execution.units < 0


def _decide_exit(signal: NewSignal, wanted: SignalToTrade, books: Books, now: datetime) -> Action | None:
    """An exit stays NEW while its trade is open: it is closed among the exits, and the books end it with the trade."""
    refusal = unusable(wanted) or expired(wanted, now)
    if refusal is None and not any(is_exit_of(signal, one) for one in books.executions):
        refusal = Refused(Reason.NOTHING_TO_CLOSE, "no trade of its model goes the other way")
    return None if refusal is None else Refuse(signal.id, signal.pair, refusal)


def _order(signal: NewSignal, wanted: SignalToTrade, approved: Approved, transaction_id: int, price: Price) -> Order:
    return Order(
        signal,
        approved,
        client_id_of(signal.id),
        transaction_id,
        price,
        horizon_at=wanted.horizon_end,
        deadline=min(signal.expires_at, wanted.horizon_end),
    )


def _view(pair: str, observation: Observation, market: _Market, instrument: Instrument, now: datetime) -> MarketView:
    home = market.account.currency
    return MarketView(
        now,
        observation.price_of(pair),
        loss_factor=factors(market.pricing, instrument.quote, home)[1],
        base_factor=mid_factor(market.pricing, instrument.base, home),
    )


def _permission(pair: str, books: Books, settings: TraderSettings, switch: tuple[TradingState, str]) -> Permission:
    right = books.rights.get(pair)
    return Permission(
        trading_state=switch[0],
        state_reason=switch[1],
        pair_enabled=right is not None and right.enabled,
        pair_ready=right is not None and right.verdict is Verdict.READY and right.override_reason is None,
        enabled_model_id=right.model_id if right else None,
        environment=settings.environment,
        live_allowed=settings.live_allowed,
        spread_known=right is not None and right.spread is not SpreadSource.UNKNOWN,
        proven_live=right is not None and right.proven_live,
        evidence_until=right.evidence_until if right else None,
    )


def to_trade(signal: NewSignal) -> SignalToTrade:
    """What the decision reads of a signal. Raises InputError or OverflowError where its candle or its horizon cannot be
    told."""
    end = signal.candle_end
    return SignalToTrade(
        pair=signal.pair,
        model_id=signal.model_id,
        side=signal.side,
        stop_distance=signal.stop_distance,
        target_distance=signal.target_distance,
        expires_at=signal.expires_at,
        candle_end=end,
        horizon_end=end + signal.horizon,
        confidence=signal.confidence,
        probe=signal.origin is Origin.PROBE,
        max_units=signal.max_units,
    )
