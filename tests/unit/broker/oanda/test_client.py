"""What the client asks for, route by route, and the values that it makes of the answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.values import LimitOrder
from sep_trader.broker.port import BrokerTrade, MarketOrder, Rejected, Resting, Unknown
from sep_trader.errors import BrokerError
from sep_trader.market.granularity import Granularity

ACCOUNT = "/v3/accounts/101-001-0000001-001"
TIME = "2026-09-23T21:14:07.570329138Z"
LIMIT = LimitOrder("EUR_USD", Decimal(1), Decimal("1.1"), "sep-2")


def entry(number: int) -> dict[str, Any]:
    return {"id": str(number), "type": "DAILY_FINANCING", "time": TIME}


def page(*numbers: int, last: int) -> dict[str, Any]:
    return {"transactions": [entry(n) for n in numbers], "lastTransactionID": str(last)}


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 9, 23, hour, minute, second, tzinfo=UTC)


def candle(hour: int, minute: int) -> dict[str, Any]:
    side = {"o": "1.1", "h": "1.1", "l": "1.1", "c": "1.1"}
    time = f"2026-09-23T{hour:02d}:{minute:02d}:00.000000000Z"
    return {"complete": True, "volume": 1, "time": time, "bid": side, "ask": side}


def test_instruments_by_name_and_all_currency_pairs(client: OandaClient, script: Any, terms: dict[str, Any]) -> None:
    metal = terms["instruments"][0] | {"name": "XAU_USD", "type": "METAL"}
    script.on("/instruments", script.answer(200, {"instruments": [*terms["instruments"], metal]}))
    assert [item.name for item in client.instruments()] == ["EUR_USD", "USD_JPY"]
    assert script.last("/instruments").path == f"{ACCOUNT}/instruments"
    client.instruments(["EUR_USD", "USD_JPY"])
    assert script.last("/instruments").query == {"instruments": "EUR_USD,USD_JPY"}


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({}, {"count": "5000"}),
        ({"count": 10}, {"count": "10"}),
        ({"count": 9999}, {"count": "5000"}),
        ({"start": at(9)}, {"from": "2026-09-23T09:00:00.000000000Z", "count": "5000"}),
        (
            {"start": at(9), "include_first": False},
            {"from": "2026-09-23T09:00:00.000000000Z", "count": "5000", "includeFirst": "False"},
        ),
        (
            {"start": at(9), "end": at(10)},
            {"from": "2026-09-23T09:00:00.000000000Z", "to": "2026-09-23T10:00:00.000000000Z"},
        ),
        ({"start": at(9), "end": at(10), "count": 5}, {"from": "2026-09-23T09:00:00.000000000Z", "count": "5"}),
        (
            {"start": datetime(2026, 9, 1, tzinfo=UTC), "end": at(9)},
            {"from": "2026-09-01T00:00:00.000000000Z", "count": "5000"},
        ),
        ({"end": at(10), "count": 5}, {"to": "2026-09-23T10:00:00.000000000Z", "count": "5"}),
    ],
)
def test_a_page_of_candles_never_asks_for_more_than_may_be(
    client: OandaClient, script: Any, asked: dict[str, Any], query: dict[str, str]
) -> None:
    script.on("/candles", script.answer(200, {"candles": []}))
    client.candles("EUR_USD", Granularity.M1, **asked)
    request = script.last("/candles")
    assert request.path == f"{ACCOUNT}/instruments/EUR_USD/candles"
    assert request.query == {"price": "BA", "granularity": "M1"} | query


def test_an_end_in_the_brokers_future_is_no_error(client: OandaClient, script: Any) -> None:
    future = {"errorMessage": "Invalid value specified for 'to'. Time is in the future"}
    found = {"candles": [candle(9, 0), candle(9, 59), candle(10, 0)]}
    script.on("/candles", script.answer(400, future), script.answer(200, found))
    candles = client.candles("EUR_USD", Granularity.M1, start=at(9), end=at(10))
    assert script.last("/candles").query["count"] == "61"
    assert "to" not in script.last("/candles").query
    assert len(candles) == 2


def test_candles_lie_between_start_and_end(client: OandaClient, script: Any) -> None:
    script.on("/candles", script.answer(200, {"candles": [candle(9, minute) for minute in range(5)]}))
    first = int(at(9).timestamp())
    within = client.candles("EUR_USD", Granularity.M1, start=at(9, 0, 30), end=at(9, 3))
    assert within.time.tolist() == [first + 60, first + 120]
    later = client.candles("EUR_USD", Granularity.M1, start=at(9, 1), include_first=False)
    assert later.time.tolist() == [first + 120, first + 180, first + 240]


def test_another_refusal_of_candles_is_told(client: OandaClient, script: Any) -> None:
    script.on("/candles", script.answer(400, {"errorMessage": "Invalid value specified for 'instrument'"}))
    with pytest.raises(BrokerError, match="Invalid value specified for 'instrument'"):
        client.candles("EUR_USD", Granularity.M1, start=at(9), end=at(10))


def test_an_answer_that_lacks_what_it_must_have_is_one_error(client: OandaClient, script: Any) -> None:
    script.on("/summary", script.answer(200, {"account": {"id": "A"}}))
    with pytest.raises(BrokerError, match=r"cannot be read.*currency"):
        client.summary()


def test_times_are_asked_for_in_the_format_of_the_client(connect: Callable[..., OandaClient], script: Any) -> None:
    client = connect(datetime_format="UNIX")
    script.on("/candles", script.answer(200, {"candles": []}))
    client.candles("EUR_USD", Granularity.M1, start=at(9))
    assert script.last("/candles").query["from"] == "1790154000.000000000"
    assert script.last("/candles").headers["Accept-Datetime-Format"] == "UNIX"


def test_an_order_is_posted_on_the_instruments_precision(
    client: OandaClient, script: Any, terms: dict[str, Any]
) -> None:
    script.on("/instruments", script.answer(200, terms))
    script.on("/orders", script.answer(400, {"errorCode": "UNITS_INVALID"}))
    order = MarketOrder("USD_JPY", Decimal("10.7"), "sep-1", stop_loss=Decimal("149.12399"))
    client.place(order)
    request = script.last("/orders")
    assert (request.method, request.path) == ("POST", f"{ACCOUNT}/orders")
    assert request.body["order"]["units"] == "10"
    assert request.body["order"]["stopLossOnFill"]["price"] == "149.123"
    client.place(order)
    assert script.count("/instruments") == 1


def test_a_size_below_the_precision_is_refused_unsent(client: OandaClient, script: Any, terms: dict[str, Any]) -> None:
    script.on("/instruments", script.answer(200, terms))
    outcome = client.place(MarketOrder("EUR_USD", Decimal("-0.9"), "sep-1"))
    assert isinstance(outcome, Rejected) and outcome.reason == "UNITS_INVALID"
    assert script.count("/orders") == 0


def test_an_entry_is_replaced_and_cancelled_by_its_id(client: OandaClient, script: Any, terms: dict[str, Any]) -> None:
    created = {"orderCreateTransaction": entry(41) | {"type": "LIMIT_ORDER"}}
    script.on("/instruments", script.answer(200, terms))
    script.on("/orders/34", script.answer(201, created))
    script.on("/orders/41/cancel", script.silence(0))
    outcome = client.replace(34, LIMIT)
    assert isinstance(outcome, Resting) and outcome.order_id == 41
    request = script.last("/orders/34")
    assert (request.method, request.body["order"]["type"]) == ("PUT", "LIMIT")
    assert isinstance(client.cancel(41), Unknown)
    assert script.last("/cancel").method == "PUT"


def test_exits_of_a_trade_are_changed(client: OandaClient, script: Any, terms: dict[str, Any]) -> None:
    script.on("/instruments", script.answer(200, terms))
    script.on("/trades/31/orders", script.answer(200, {"stopLossOrderTransaction": entry(50)}))
    trade = BrokerTrade(
        31, "EUR_USD", Decimal(-5), Decimal(-5), Decimal("1.1"), at(9), "OPEN", Decimal(0), Decimal(0), "X", None, None
    )
    outcome = client.change_exits(trade, stop_loss=Decimal("1.200001"), take_profit=Decimal(0))
    assert isinstance(outcome, Resting) and outcome.order_id == 50
    assert script.last("/trades/31/orders").body == {
        "stopLoss": {"price": "1.20001", "timeInForce": "GTC"},
        "takeProfit": None,
    }


def test_a_trade_is_closed_by_positive_units(client: OandaClient, script: Any) -> None:
    script.on("/close", script.answer(404, {"orderRejectTransaction": {"rejectReason": "TRADE_DOESNT_EXIST"}}))
    outcome = client.close_trade(31, Decimal(-4))
    assert isinstance(outcome, Rejected) and outcome.reason == "TRADE_DOESNT_EXIST"
    assert script.last("/close").path == f"{ACCOUNT}/trades/31/close"
    assert script.last("/close").body == {"units": "4"}


def test_lists_of_trades_orders_and_positions(client: OandaClient, script: Any) -> None:
    trade = {
        "id": "31",
        "instrument": "EUR_USD",
        "price": "1.1",
        "openTime": TIME,
        "initialUnits": "1",
        "currentUnits": "1",
        "state": "OPEN",
    }
    flat = {"instrument": "EUR_USD", "long": {"units": "0"}, "short": {"units": "0"}}
    script.on("/openTrades", script.answer(200, {"trades": [trade]}))
    script.on("/trades", script.answer(200, {"trades": [trade, trade]}))
    script.on("/trades/31", script.answer(200, {"trade": trade}))
    script.on("/trades/@sep 1", script.answer(200, {"trade": trade}))
    script.on("/trades/%40sep%201", script.answer(200, {"trade": trade}))
    script.on("/trades/@sep%201", script.answer(200, {"trade": trade}))
    script.on("/pendingOrders", script.answer(200, {"orders": []}))
    script.on("/openPositions", script.answer(200, {"positions": []}))
    script.on("/positions", script.answer(200, {"positions": [flat]}))
    script.on("/positions/EUR_USD", script.answer(200, {"position": flat}))
    assert [item.trade_id for item in client.open_trades()] == [31]
    assert len(client.trades(state="ALL", instrument="EUR_USD", count=500, before_id=40)) == 2
    wanted = {"state": "ALL", "instrument": "EUR_USD", "count": "500", "beforeID": "40"}
    assert script.last("/trades").query == wanted
    assert client.trade(31).trade_id == 31
    assert client.trade_of("sep 1").trade_id == 31
    assert client.pending_orders() == []
    assert client.positions() == []
    assert len(client.positions(open_only=False)) == 1
    assert client.position("EUR_USD").units == 0


def test_transactions_are_read_page_after_page(client: OandaClient, script: Any) -> None:
    script.on("/sinceid", script.answer(200, page(6, 7, last=9)), script.answer(200, page(8, 9, last=9)))
    found = client.transactions_since(5)
    assert [item.id for item in found.items] == [6, 7, 8, 9]
    assert (found.last_id, found.complete_since(5)) == (9, True)
    assert [request.query["id"] for request in script.requests] == ["5", "7"]


def test_a_record_that_lags_ends_the_reading_and_is_not_complete(client: OandaClient, script: Any) -> None:
    script.on("/sinceid", script.answer(200, page(6, last=9)), script.answer(200, page(last=9)))
    found = client.transactions_since(5)
    assert [item.id for item in found.items] == [6]
    assert (found.last_id, found.complete_since(5)) == (9, False)


def test_nothing_new_is_complete(client: OandaClient, script: Any) -> None:
    script.on("/sinceid", script.answer(200, page(last=5)))
    assert client.transactions_since(5).complete_since(5)


def test_an_id_range_is_read_in_pages_of_a_thousand(client: OandaClient, script: Any) -> None:
    script.on("/idrange", script.answer(200, page(1, last=2000)), script.answer(200, page(1001, last=2001)))
    found = client.transactions_between(1, 1500)
    assert [request.query for request in script.requests] == [
        {"from": "1", "to": "1000"},
        {"from": "1001", "to": "1500"},
    ]
    assert ([item.id for item in found.items], found.last_id) == ([1, 1001], 2001)


def test_a_history_follows_the_pages_on_our_own_host(client: OandaClient, script: Any) -> None:
    far = "https://api-fxpractice.oanda.com/v3/accounts/101-001-0000001-001/transactions/idrange?from=5&to=6&type=ORDER_FILL"
    script.on("/transactions", script.answer(200, {"pages": [far], "count": 2, "lastTransactionID": "9"}))
    script.on("/idrange", script.answer(200, page(5, 6, last=9)))
    found = list(client.transaction_history(at(9), at(10), types=["ORDER_FILL"]))
    assert [item.id for item in found] == [5, 6]
    assert script.last("/transactions").query == {
        "from": "2026-09-23T09:00:00.000000000Z",
        "to": "2026-09-23T10:00:00.000000000Z",
        "pageSize": "1000",
        "type": "ORDER_FILL",
    }
    assert script.last("/idrange").query == {"from": "5", "to": "6", "type": "ORDER_FILL"}


def test_a_record_that_cannot_be_read_is_an_error(client: OandaClient, script: Any) -> None:
    broken = {"transactions": [entry(6) | {"type": "ORDER_FILL"}], "lastTransactionID": "6"}
    script.on("/sinceid", script.answer(200, broken))
    with pytest.raises(BrokerError, match="cannot be read"):
        client.resolve("X", 5)


def test_an_order_not_in_the_record_is_not_found_and_in_one_with_holes_undecided(
    client: OandaClient, script: Any
) -> None:
    script.on("/sinceid", script.answer(200, page(6, 7, last=7)))
    assert client.resolve("X", 5) == Unknown("NOT_FOUND")
    assert client.resolve_close(31, 5) == Unknown("NOT_FOUND")
    script.on("/sinceid", script.answer(200, page(7, last=7)))
    assert client.resolve("X", 5) == Unknown("INCOMPLETE")
    assert client.resolve_close(31, 5) == Unknown("INCOMPLETE")
