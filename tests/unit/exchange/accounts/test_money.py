"""Conversion, margin, closeout and financing."""

from decimal import Decimal
from typing import Any

from sep_trader.exchange.http.wire import account_body, conversions_body

EUR, YEN = "EUR_USD", "USD_JPY"


def test_conversions_take_the_half_even_mid_and_the_markup(desk: Any) -> None:
    d = desk({EUR: [(0, "1.13841", "1.13860")], YEN: [(0, "150.000", "150.020")]})
    euro, yen, dollar = conversions_body(d.floor, d.account, [EUR, YEN])
    assert euro == {
        "currency": "EUR",
        "accountGain": str(Decimal("1.1385") * Decimal("0.99")),
        "accountLoss": str(Decimal("1.1385") * Decimal("1.01")),
        "positionValue": "1.1385",
        "unrealizedAccountGain": "1.13841",
        "unrealizedAccountLoss": "1.1386",
    }
    assert yen["currency"] == "JPY"
    assert yen["positionValue"] == "0.0066662223"  # 1 / 150.010
    assert (dollar["accountGain"], dollar["accountLoss"]) == ("1", "1")


def test_a_gain_in_yen_comes_home_with_the_markup(desk: Any) -> None:
    d = desk({YEN: [(0, "150.000", "150.020"), (5, "151.000", "151.020")]})
    d.order(instrument=YEN)
    d.to(5)
    fill = d.order(instrument=YEN, units="-1000")["orderFillTransaction"]
    assert fill["quotePL"] == "980"  # 1000 * (151.000 - 150.020)
    rate = (1 / Decimal("151.010")).quantize(Decimal("1e-10")) * Decimal("0.99")
    assert Decimal(fill["pl"]) == (980 * rate).quantize(Decimal("0.0001"))


def test_margin_is_half_used_up_before_everything_is_closed(desk: Any) -> None:
    # 100,000 units at 1.1 bind 2,200; with 3,000 in the account the closeout comes at a NAV of about 1,100.
    script = [
        (0, "1.10000", "1.10010"),
        (1, "1.09000", "1.09010"),
        (2, "1.08200", "1.08210"),
        (3, "1.07900", "1.07910"),
    ]
    d = desk({EUR: script}, balance="3000")
    d.order(units="100000")
    d.to(1)
    assert d.kinds(4) == ["MARGIN_CALL_ENTER"]
    body = account_body(d.floor, d.account)
    assert (body["NAV"], body["marginUsed"]) == ("1990.0000", "2180.1000")
    assert body["marginCloseoutPercent"] == "0.54776"  # 2180.1 / 2 / 1990
    d.to(2)
    assert len(d.account.open_trades) == 1  # NAV 1,190, half the margin 1,082
    d.to(3)
    assert d.kinds(5) == ["MARKET_ORDER:MARGIN_CLOSEOUT", "ORDER_FILL:MARKET_ORDER_MARGIN_CLOSEOUT"]
    assert not d.account.open_trades
    assert str(d.account.balance) == "890.0000"


def test_a_margin_call_ends_when_the_market_comes_back(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (1, "1.09000", "1.09010"), (2, "1.10000", "1.10010")]}, balance="3000")
    d.order(units="100000")
    d.to(2)
    assert d.kinds(4) == ["MARGIN_CALL_ENTER", "MARGIN_CALL_EXIT"]


def test_financing_is_charged_at_five_in_new_york_and_threefold_on_wednesday(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (40 * 3600, "1.10000", "1.10010")]})  # a Wednesday
    d.order(units="100000")
    d.order(units="1000", positionFill="OPEN_ONLY")
    d.to(10 * 3600 - 1)
    assert d.account.record.last == 6
    d.to(10 * 3600)
    entry = d.transactions(6)[0]
    instrument = d.floor.instruments[EUR]
    rate, mid = instrument.financing_long_rate, Decimal("1.10005").quantize(Decimal("0.00001"))
    amounts = [(units * rate * 3 / Decimal(365) * mid).quantize(Decimal("0.0001")) for units in (100000, 1000)]
    assert entry["type"] == "DAILY_FINANCING"
    assert Decimal(entry["financing"]) == sum(amounts)
    assert Decimal(entry["accountBalance"]) == 100000 + sum(amounts)
    assert [Decimal(t["financing"]) for t in entry["positionFinancings"][0]["openTradeFinancings"]] == amounts
    assert d.account.trades[4].financing == amounts[0]
    d.to(34 * 3600)
    assert Decimal(d.transactions(7)[0]["financing"]) < 0
    assert abs(Decimal(d.transactions(7)[0]["financing"]) * 3 - sum(amounts)) < Decimal("0.001")


def test_a_short_position_is_valued_at_the_ask(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (1, "1.09000", "1.09030")]})
    d.order(units="-1000")
    d.to(1)
    assert account_body(d.floor, d.account)["unrealizedPL"] == "9.7000"  # 1000 * (1.10000 - 1.09030)
