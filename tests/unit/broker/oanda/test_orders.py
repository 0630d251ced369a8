from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sep_trader.broker.oanda.orders import close_request, exits_request, order_request, quantised
from sep_trader.broker.oanda.values import LimitOrder, StopOrder
from sep_trader.broker.port import MarketOrder
from sep_trader.market.instrument import Instrument

EUR_USD = Instrument("EUR_USD")
USD_JPY = Instrument("USD_JPY", pip_location=-2, display_precision=3)


def test_a_market_order_carries_its_id_twice_and_only_strings() -> None:
    order = MarketOrder(
        "EUR_USD",
        Decimal("-1E+3"),
        "sep-7",
        stop_loss=Decimal("1.14"),
        take_profit=Decimal("1.13"),
        price_bound=Decimal("1.137"),
        trailing_stop=Decimal("0.005"),
        comment="why",
    )
    assert order_request(order) == {
        "order": {
            "type": "MARKET",
            "instrument": "EUR_USD",
            "units": "-1000",
            "timeInForce": "FOK",
            "positionFill": "DEFAULT",
            "priceBound": "1.137",
            "stopLossOnFill": {"price": "1.14", "timeInForce": "GTC"},
            "takeProfitOnFill": {"price": "1.13", "timeInForce": "GTC"},
            "trailingStopLossOnFill": {"distance": "0.005", "timeInForce": "GTC"},
            "clientExtensions": {"id": "sep-7", "comment": "why"},
            "tradeClientExtensions": {"id": "sep-7", "comment": "why"},
        }
    }


def test_a_bare_market_order_says_no_more_than_it_must() -> None:
    body = order_request(MarketOrder("EUR_USD", Decimal(1), "a"))["order"]
    assert set(body) == {
        "type", "instrument", "units", "timeInForce", "positionFill", "clientExtensions", "tradeClientExtensions"
    }  # fmt: skip


def test_entries_have_a_price_and_an_end() -> None:
    until = datetime(2026, 9, 24, tzinfo=UTC)
    limit = LimitOrder("EUR_USD", Decimal(1), Decimal("1.1"), "a", time_in_force="GTD", gtd_time=until)
    body = order_request(limit)["order"]
    assert (body["type"], body["price"], body["gtdTime"]) == ("LIMIT", "1.1", "2026-09-24T00:00:00.000000000Z")
    assert order_request(limit, "UNIX")["order"]["gtdTime"] == "1790208000.000000000"
    stop = order_request(StopOrder("EUR_USD", Decimal(1), Decimal("1.2"), "a", price_bound=Decimal("1.21")))["order"]
    assert (stop["type"], stop["price"], stop["priceBound"]) == ("STOP", "1.2", "1.21")
    assert stop["timeInForce"] == "GTC"


@pytest.mark.parametrize(
    ("units", "stop", "target", "bound"),
    [("1", "1.10000", "1.20001", "1.15000"), ("-1", "1.10001", "1.20000", "1.15001")],
    ids=["buy", "sell"],
)
def test_prices_round_away_from_the_entry_and_bounds_to_the_better_side(
    units: str, stop: str, target: str, bound: str
) -> None:
    order = MarketOrder(
        "EUR_USD",
        Decimal(units),
        "a",
        stop_loss=Decimal("1.100005"),
        take_profit=Decimal("1.200005"),
        price_bound=Decimal("1.150005"),
        trailing_stop=Decimal("0.005001"),
    )
    found = quantised(order, EUR_USD)
    assert isinstance(found, MarketOrder)
    assert [str(p) for p in (found.stop_loss, found.take_profit, found.price_bound)] == [stop, target, bound]
    assert str(found.trailing_stop) == "0.00501"


def test_entries_round_to_the_side_that_asks_for_no_worse() -> None:
    limit = LimitOrder("USD_JPY", Decimal(1), Decimal("149.8405"), "a")
    stop = StopOrder("USD_JPY", Decimal(1), Decimal("149.8405"), "a", price_bound=Decimal("149.9"))
    assert str(quantised(limit, USD_JPY).price) == "149.840"  # type: ignore[union-attr]
    assert str(quantised(replace(limit, units=Decimal(-1)), USD_JPY).price) == "149.841"  # type: ignore[union-attr]
    assert str(quantised(stop, USD_JPY).price) == "149.841"  # type: ignore[union-attr]
    assert str(quantised(replace(stop, units=Decimal(-1)), USD_JPY).price) == "149.840"  # type: ignore[union-attr]


def test_a_price_on_a_tick_stays_and_units_are_cut_towards_zero() -> None:
    order = MarketOrder("EUR_USD", Decimal("-12.9"), "a", stop_loss=Decimal("1.10001"))
    found = quantised(order, EUR_USD)
    assert (str(found.units), str(found.stop_loss)) == ("-12", "1.10001")


def test_closing_whole_or_by_positive_units() -> None:
    assert close_request(None) == {"units": "ALL"}
    assert close_request(Decimal("-5")) == {"units": "5"}
    assert close_request(Decimal("400.00")) == {"units": "400"}


def test_exits_are_set_left_or_taken_off() -> None:
    body = exits_request(EUR_USD, Decimal(10), Decimal("1.100009"), Decimal(0), None)
    assert body == {"stopLoss": {"price": "1.10000", "timeInForce": "GTC"}, "takeProfit": None}
    trailing = exits_request(EUR_USD, Decimal(10), None, None, Decimal("0.0050"))
    assert trailing == {"trailingStopLoss": {"distance": "0.00500", "timeInForce": "GTC"}}
