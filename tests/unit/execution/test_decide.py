"""One signal, one decision: every refusal has its code, and an approval its exact order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.port import AccountSummary, Price
from sep_trader.execution.decide import MarketView, Permission, SignalToTrade, decide
from sep_trader.market.instrument import standard_instrument
from sep_trader.risk.limits import Approved, Exposure, Refused, RiskLimits
from sep_trader.states import TradingState

NOW = datetime(2014, 5, 15, 8, 0, tzinfo=UTC)
EUR_USD = standard_instrument("EUR_USD")
SIGNAL = SignalToTrade(
    "EUR_USD", "m1", 1, Decimal("0.00100"), Decimal("0.00150"), NOW + timedelta(minutes=2),
    candle_end=NOW - timedelta(seconds=5), horizon_end=NOW + timedelta(minutes=30),
)  # fmt: skip
PERMISSION = Permission(TradingState.ACTIVE, "on", True, False, "m1", "practice", False, True)
PRICE = Price("EUR_USD", NOW - timedelta(seconds=2), Decimal("1.37000"), Decimal("1.37015"), True)
MARKET = MarketView(NOW, PRICE, loss_factor=Decimal(1), base_factor=Decimal("1.37"))
ACCOUNT = AccountSummary(
    account_id="a", currency="USD", balance=Decimal(10_000), nav=Decimal(10_000), unrealized_pl=Decimal(0),
    margin_used=Decimal(0), margin_available=Decimal(10_000), open_trade_count=0, hedging_enabled=False,
    last_transaction_id=1,
)  # fmt: skip
EXPOSURE = Exposure(Decimal(10_000), Decimal(10_000), Decimal(10_000), 0, frozenset(), Decimal(0))


def decided(
    signal: SignalToTrade = SIGNAL, permission: Permission = PERMISSION, market: MarketView = MARKET
) -> Approved | Refused:
    return decide(signal, permission, market, ACCOUNT, EXPOSURE, EUR_USD, RiskLimits())


def test_a_buy_enters_at_the_ask_with_its_exits_around_it() -> None:
    # 0.5 % of 10,000 is 50; 50 / 0.00100 = 50,000 units.
    assert decided() == Approved(Decimal(50_000), Decimal("1.37015"), Decimal("1.36915"), Decimal("1.37165"))


def test_a_sell_enters_at_the_bid() -> None:
    sell = decided(replace(SIGNAL, side=-1))
    assert sell == Approved(Decimal(-50_000), Decimal("1.37000"), Decimal("1.37100"), Decimal("1.36850"))


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
        ("NOT_READY_ON_LIVE", {}, {"environment": "live", "live_allowed": True}, {}),
        (
            "NO_SPREAD",
            {},
            {"environment": "live", "live_allowed": True, "pair_ready": True, "spread_known": False},
            {},
        ),
        ("TRADING_HALTED", {}, {"trading_state": TradingState.HALTED}, {}),
        ("TRADING_REDUCING", {}, {"trading_state": TradingState.REDUCING}, {}),
        ("PAIR_DISABLED", {}, {"pair_enabled": False}, {}),
        ("MODEL_REPLACED", {}, {"enabled_model_id": "m2"}, {}),
        ("NO_PRICE", {}, {}, {"price": None}),
        ("MARKET_CLOSED", {}, {}, {"price": replace(PRICE, tradeable=False)}),
        ("STALE_PRICE", {}, {}, {"price": replace(PRICE, time=NOW - timedelta(seconds=61))}),
        ("SPREAD_TOO_WIDE", {}, {}, {"price": replace(PRICE, ask=Decimal("1.37051"))}),
        ("STOP_INSIDE_SPREAD", {"stop_distance": Decimal("0.00015")}, {}, {}),
        ("NO_CONVERSION_RATE", {}, {}, {"loss_factor": Decimal(0)}),
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


def test_live_trading_needs_the_owner_to_have_turned_it_on() -> None:
    assert isinstance(
        decided(permission=replace(PERMISSION, environment="live", live_allowed=True, pair_ready=True)), Approved
    )
