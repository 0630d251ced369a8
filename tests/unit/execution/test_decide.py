"""One signal, one decision: every refusal has its code, and an approval its exact order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.port import AccountSummary, Price
from sep_trader.execution.decide import MarketView, Permission, SignalToTrade, decide, up_to_tick
from sep_trader.market.instrument import standard_instrument
from sep_trader.risk.limits import Approved, Exposure, Marks, Refused, RiskLimits
from sep_trader.states import TradingState

NOW = datetime(2014, 5, 15, 8, 0, tzinfo=UTC)
EUR_USD = standard_instrument("EUR_USD")
SIGNAL = SignalToTrade(
    "EUR_USD", "m1", 1, Decimal("0.00100"), Decimal("0.00150"), NOW + timedelta(minutes=2),
    candle_end=NOW - timedelta(seconds=5), horizon_end=NOW + timedelta(minutes=30),
)  # fmt: skip
PERMISSION = Permission(TradingState.ACTIVE, "on", True, False, "m1", "practice", False, True, True)
PRICE = Price("EUR_USD", NOW - timedelta(seconds=2), Decimal("1.37000"), Decimal("1.37015"), True)
MARKET = MarketView(NOW, PRICE, loss_factor=Decimal(1), base_factor=Decimal("1.37"))
NAV = Decimal(10_000)
ACCOUNT = AccountSummary(
    account_id="a", currency="USD", balance=NAV, nav=NAV, unrealized_pl=Decimal(0), margin_used=Decimal(0),
    margin_available=NAV, open_trade_count=0, hedging_enabled=False, last_transaction_id=1,
)  # fmt: skip
EXPOSURE = Exposure(NAV, NAV, 0, frozenset(), Marks(NAV, NAV, NAV), Decimal(0), {})
LIMITS = RiskLimits(max_currency_exposure=Decimal(10))


def decided(
    signal: SignalToTrade = SIGNAL, permission: Permission = PERMISSION, market: MarketView = MARKET,
    exposure: Exposure = EXPOSURE, limits: RiskLimits = LIMITS,
) -> Approved | Refused:  # fmt: skip
    return decide(signal, permission, market, ACCOUNT, exposure, EUR_USD, limits)


def test_a_buy_enters_at_the_ask_with_its_exits_by_distance_and_a_bound() -> None:
    # 0.5 % of 10,000 is 50; 50 / 0.00100 = 50,000 units. The bound is 10 % of the stop above the ask.
    bound, stop, target = Decimal("1.37025"), Decimal("0.00100"), Decimal("0.00150")
    assert decided() == Approved(Decimal(50_000), Decimal("1.37015"), bound, stop, target)


def test_a_sell_enters_at_the_bid() -> None:
    sell = decided(replace(SIGNAL, side=-1, target_distance=None))
    bound, stop = Decimal("1.36990"), Decimal("0.00100")
    assert sell == Approved(Decimal(-50_000), Decimal("1.37000"), bound, stop, None)


def test_the_bound_is_two_ticks_at_least() -> None:
    limits = replace(LIMITS, min_stop_pips=Decimal(0), min_stop_spreads=Decimal(0), max_leverage=Decimal(99),
                     max_currency_exposure=Decimal(99), margin_headroom=Decimal(0))  # fmt: skip
    close = decided(replace(SIGNAL, stop_distance=Decimal("0.00016")), limits=limits)
    assert isinstance(close, Approved)
    assert close.price_bound == Decimal("1.37017")


def test_a_distance_off_the_ticks_is_sent_and_sized_on_the_next_one() -> None:
    """Finding D7: the size was computed from another distance than was sent, and lost more than was asked for."""
    off = decided(replace(SIGNAL, stop_distance=Decimal("0.0010001"), target_distance=Decimal("0.0015001")))
    assert isinstance(off, Approved)
    assert (off.stop_distance, off.target_distance) == (Decimal("0.00101"), Decimal("0.00151"))
    assert off.units * off.stop_distance <= 50
    assert up_to_tick(Decimal("0.00101"), EUR_USD) == Decimal("0.00101")


def test_no_more_units_than_the_signal_says() -> None:
    small = decided(replace(SIGNAL, max_units=Decimal(7)))
    assert isinstance(small, Approved)
    assert small.units == 7


@pytest.mark.parametrize(
    ("code", "signal", "permission", "market"),
    [
        ("EXPIRED", {"expires_at": NOW - timedelta(seconds=1)}, {}, {}),
        ("EXPIRED", {"horizon_end": NOW - timedelta(seconds=1)}, {}, {}),
        ("BAD_SIGNAL", {"stop_distance": Decimal("NaN")}, {}, {}),
        ("BAD_SIGNAL", {"target_distance": Decimal("Infinity")}, {}, {}),
        ("BAD_SIGNAL", {"stop_distance": Decimal(0)}, {}, {}),
        ("BAD_SIGNAL", {"side": 2}, {}, {}),
        ("LIVE_NOT_ALLOWED", {}, {"environment": "live"}, {}),
        ("PROBE_ON_LIVE", {"probe": True}, {"environment": "live", "live_allowed": True}, {}),
        ("NOT_READY_ON_LIVE", {}, {"environment": "live", "live_allowed": True}, {}),
        (
            "NO_SPREAD",
            {},
            {"environment": "live", "live_allowed": True, "pair_ready": True, "spread_known": False},
            {},
        ),
        (
            "NOT_PROVEN_LIVE",
            {},
            {"environment": "live", "live_allowed": True, "pair_ready": True, "proven_live": False},
            {},
        ),
        ("TRADING_HALTED", {}, {"trading_state": TradingState.HALTED}, {}),
        ("TRADING_HALTED", {"probe": True}, {"trading_state": TradingState.HALTED}, {}),
        ("TRADING_REDUCING", {}, {"trading_state": TradingState.REDUCING}, {}),
        ("PAIR_DISABLED", {}, {"pair_enabled": False}, {}),
        ("EVIDENCE_OLD", {}, {"pair_ready": True, "evidence_until": NOW - timedelta(days=181)}, {}),
        ("MODEL_REPLACED", {}, {"enabled_model_id": "m2"}, {}),
        ("NO_PRICE", {}, {}, {"price": None}),
        ("MARKET_CLOSED", {}, {}, {"price": replace(PRICE, tradeable=False)}),
        ("STALE_PRICE", {}, {}, {"price": replace(PRICE, time=NOW - timedelta(seconds=61))}),
        ("SPREAD_TOO_WIDE", {}, {}, {"price": replace(PRICE, ask=Decimal("1.37051"))}),
        ("STOP_INSIDE_SPREAD", {"stop_distance": Decimal("0.00015")}, {}, {}),
        ("STOP_TOO_CLOSE", {"stop_distance": Decimal("0.00029")}, {}, {}),
        ("NO_CONVERSION_RATE", {}, {}, {"loss_factor": Decimal(0)}),
        ("LEVERAGE_LIMIT", {"stop_distance": Decimal("0.00065")}, {}, {}),
    ],
)
def test_each_refusal_has_its_code(
    code: str, signal: dict[str, Any], permission: dict[str, Any], market: dict[str, Any]
) -> None:
    refused = decided(
        replace(SIGNAL, **signal),
        replace(PERMISSION, **permission),
        replace(MARKET, **market),
    )
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.text


def test_the_edges_of_time_are_still_in_time() -> None:
    aged = replace(PERMISSION, pair_ready=True, evidence_until=NOW - timedelta(days=180))
    assert isinstance(decided(SIGNAL, aged), Approved)
    assert isinstance(decided(replace(SIGNAL, expires_at=NOW, horizon_end=NOW)), Approved)
    old = replace(PRICE, time=NOW - timedelta(seconds=60))
    assert isinstance(decided(market=replace(MARKET, price=old)), Approved)
    refused = decided(replace(SIGNAL, expires_at=NOW - timedelta(seconds=7)))
    assert refused == Refused(refused.code, "expired 7 s ago by the broker's clock")  # type: ignore[union-attr]


def test_a_quote_from_the_future_is_stale_too() -> None:
    edge = replace(PRICE, time=NOW + timedelta(seconds=60))
    assert isinstance(decided(market=replace(MARKET, price=edge)), Approved)
    found = decided(market=replace(MARKET, price=replace(PRICE, time=NOW + timedelta(seconds=61))))
    assert isinstance(found, Refused)
    assert (found.code, found.text) == ("STALE_PRICE", "the price is 61 s ahead of the broker's clock")


def test_exposure_and_the_pairs_own_limits_are_asked() -> None:
    busy = decided(exposure=replace(EXPOSURE, unsettled_pairs=frozenset({"EUR_USD"})))
    assert isinstance(busy, Refused)
    assert busy.code == "PAIR_BUSY"
    margin = decided(exposure=replace(EXPOSURE, margin_available=Decimal(1)))
    assert isinstance(margin, Refused)
    assert margin.code == "INSUFFICIENT_MARGIN"


def test_a_probe_needs_no_enabled_pair() -> None:
    probe = replace(SIGNAL, probe=True, model_id=None)
    assert isinstance(decided(probe, replace(PERMISSION, pair_enabled=False, enabled_model_id=None)), Approved)


def test_live_trading_needs_the_owner_to_have_turned_it_on() -> None:
    assert isinstance(
        decided(permission=replace(PERMISSION, environment="live", live_allowed=True, pair_ready=True)), Approved
    )


def test_refusals_word_for_word() -> None:
    live = replace(PERMISSION, environment="live")
    words = {
        "a probe is for practice and simulated accounts": decided(replace(SIGNAL, probe=True), live),
        "SEP_LIVE_TRADING is not set": decided(permission=live),
        "EUR_USD is not READY; an override does not hold on a live account": decided(
            permission=replace(live, live_allowed=True)
        ),
        "the broker quotes no price of EUR_USD": decided(market=replace(MARKET, price=None)),
        "EUR_USD is not tradeable, last price 2014-05-15 07:59:58 UTC": decided(
            market=replace(MARKET, price=replace(PRICE, tradeable=False))
        ),
        "side 2, distances 0.00100, 0.00150: expected -1 or 1, and above 0": decided(replace(SIGNAL, side=2)),
        "risking 0.5% of 10000 over 9999999.00000 buys 0 units at 1.37015, the smallest trade is 1": decided(
            replace(SIGNAL, stop_distance=Decimal(9_999_999))
        ),
    }
    assert {text: found.text if isinstance(found, Refused) else "" for text, found in words.items()} == {
        text: text for text in words
    }


def test_news_are_told_by_the_time_of_the_market() -> None:
    from sep_trader.risk.limits import NewsWindow

    window = NewsWindow(NOW, NOW + timedelta(minutes=1), frozenset(), "news")
    found = decided(limits=replace(LIMITS, news=(window,)))
    assert isinstance(found, Refused)
    assert found.code == "NEWS_WINDOW"
    assert isinstance(decided(limits=replace(LIMITS, news=(replace(window, start=window.end),))), Approved)
