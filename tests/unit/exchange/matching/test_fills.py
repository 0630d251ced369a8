"""What orders do to an account: fills, exits, refusals, and the order of transactions."""

from typing import Any

import pytest

from sep_trader.exchange.http.wire import units_available
from sep_trader.exchange.matching import closing, exits, placing
from sep_trader.exchange.matching.refusals import BadParameter, MissingData, Refusal

EUR = "EUR_USD"


def test_a_market_order_with_exits_fills_in_one_batch(desk: Any) -> None:
    d = desk()
    body = d.order(
        takeProfitOnFill={"price": "1.11000"},
        stopLossOnFill={"distance": "0.00300"},
        trailingStopLossOnFill={"distance": "0.00500"},
        clientExtensions={"id": "a"},
    )
    assert body["status"] == 201
    assert body["relatedTransactionIDs"] == ["3", "4", "5", "6", "7"]
    fill = body["orderFillTransaction"]
    assert (fill["price"], fill["clientOrderID"], fill["tradeOpened"]["tradeID"]) == ("1.10010", "a", "4")
    assert fill["halfSpreadCost"] == "0.0500"  # 1000 * 0.0001 / 2
    assert fill["tradeOpened"]["initialMarginRequired"] == "22.0010"  # 1000 * 1.10005 * 0.02, mid half-even
    assert d.kinds() == [
        "MARKET_ORDER:CLIENT_ORDER",
        "ORDER_FILL:MARKET_ORDER",
        "TAKE_PROFIT_ORDER:ON_FILL",
        "STOP_LOSS_ORDER:ON_FILL",
        "TRAILING_STOP_LOSS_ORDER:ON_FILL",
    ]
    assert {entry["batchID"] for entry in d.transactions()} == {"3"}
    assert d.transactions()[3]["price"] == "1.09710"


def test_a_stop_fills_through_a_gap_at_the_market_and_cancels_its_sibling(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (5, "1.09000", "1.09020")]})
    d.order(takeProfitOnFill={"price": "1.11"}, stopLossOnFill={"price": "1.09500"})
    d.to(10)
    assert d.kinds(6) == ["ORDER_FILL:STOP_LOSS_ORDER", "ORDER_CANCEL:LINKED_TRADE_CLOSED"]
    fill, cancel = d.transactions(6)
    assert fill["price"] == "1.09000"
    assert fill["pl"] == "-10.1000"  # 1000 * (1.09000 - 1.10010)
    assert fill["userID"] == 0
    assert "requestID" not in fill
    assert cancel["closedTradeID"] == "4"
    assert cancel["tradeCloseTransactionID"] == "7"
    assert str(d.account.balance) == "99989.9000"


def test_a_take_profit_fills_at_the_better_price_of_a_gap(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (5, "1.12000", "1.12020")]})
    d.order(takeProfitOnFill={"price": "1.11"})
    d.to(10)
    assert d.transactions(5)[0]["price"] == "1.12000"


@pytest.mark.parametrize(
    ("kind", "units", "price", "quotes", "fills_at"),
    [
        ("LIMIT", "1000", "1.09950", [("1.09960", "1.09970"), ("1.09930", "1.09940")], "1.09940"),
        ("LIMIT", "-1000", "1.10100", [("1.10090", "1.10100"), ("1.10110", "1.10120")], "1.10110"),
        ("STOP", "1000", "1.10100", [("1.10080", "1.10090"), ("1.10200", "1.10210")], "1.10210"),
        ("STOP", "-1000", "1.09900", [("1.09910", "1.09920"), ("1.09850", "1.09860")], "1.09850"),
        ("MARKET_IF_TOUCHED", "1000", "1.09950", [("1.09960", "1.09970"), ("1.09930", "1.09940")], "1.09940"),
        ("MARKET_IF_TOUCHED", "1000", "1.10100", [("1.10080", "1.10090"), ("1.10110", "1.10120")], "1.10120"),
    ],
)
def test_resting_orders_fill_when_their_price_is_reached(
    desk: Any, kind: str, units: str, price: str, quotes: list[tuple[str, str]], fills_at: str
) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (1, *quotes[0]), (2, *quotes[1])]})
    body = d.order(kind, units, price=price)
    assert list(body) == ["status", "orderCreateTransaction", "relatedTransactionIDs", "lastTransactionID"]
    d.to(1)
    assert d.account.record.last == 3
    d.to(2)
    fill = d.transactions(3)[0]
    assert (fill["type"], fill["reason"], fill["price"]) == ("ORDER_FILL", f"{kind}_ORDER", fills_at)


@pytest.mark.parametrize(
    ("condition", "bid", "ask", "filled"),
    [
        ("DEFAULT", "1.09950", "1.09960", False),
        ("DEFAULT", "1.09940", "1.09950", True),
        ("INVERSE", "1.09950", "1.09960", True),
        ("BID", "1.09950", "1.09960", True),
        ("MID", "1.09950", "1.09952", False),
        ("MID", "1.09948", "1.09952", True),
    ],
)
def test_the_trigger_condition_says_which_price_counts(
    desk: Any, condition: str, bid: str, ask: str, filled: bool
) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (1, bid, ask)]})
    d.order("MARKET_IF_TOUCHED", price="1.09950", triggerCondition=condition)
    d.to(1)
    assert (d.account.record.last == 4) is filled


def test_a_trailing_stop_follows_and_then_fires(desk: Any) -> None:
    script = [
        (0, "1.10000", "1.10010"),
        (1, "1.10300", "1.10310"),
        (2, "1.10200", "1.10210"),
        (3, "1.10190", "1.10200"),
    ]
    d = desk({EUR: script})
    d.order(trailingStopLossOnFill={"distance": "0.00100"})
    assert d.account.pending[5].trailing == 109900
    d.to(1)
    assert d.account.pending[5].trailing == 110200
    d.to(2)
    assert d.kinds(5) == ["ORDER_FILL:TRAILING_STOP_LOSS_ORDER"]
    assert d.transactions(5)[0]["price"] == "1.10200"


def test_time_in_force(desk: Any) -> None:
    d = desk({EUR: [(0, "1.10000", "1.10010"), (40_000, "1.10000", "1.10010")]})
    for tif in ("FOK", "IOC"):
        body = d.order("LIMIT", price="1.09", timeInForce=tif)
        assert body["orderCancelTransaction"]["reason"] == "TIME_IN_FORCE_EXPIRED"
    d.order("LIMIT", price="1.09", timeInForce="GTD", gtdTime="2026-01-07T13:00:00Z")
    d.order("LIMIT", price="1.09", timeInForce="GFD")
    d.order("LIMIT", price="1.09")
    d.to(3599)
    assert len(d.account.pending) == 3
    d.to(3600)
    assert d.kinds(9) == ["ORDER_CANCEL:TIME_IN_FORCE_EXPIRED"]
    assert d.transactions(9)[0]["time"] == "2026-01-07T13:00:00.000000000Z"
    d.to(10 * 3600)  # 17:00 in New York
    assert [entry["time"][:19] for entry in d.transactions(10)] == ["2026-01-07T22:00:00"]
    assert len(d.account.pending) == 1


def test_size_beyond_the_ladder(desk: Any) -> None:
    d = desk(balance="100000000")
    assert d.order(units="12000000")["orderCancelTransaction"]["reason"] == "INSUFFICIENT_LIQUIDITY"
    part = d.order(units="12000000", timeInForce="IOC")["orderFillTransaction"]
    assert (part["units"], part["requestedUnits"]) == ("11000000", "12000000")
    assert part["price"] == "1.10015"  # (1 * 1.10010 + 10 * 1.10015) / 11 = 1.100145..., to the tick
    bound = d.order(units="2000000", priceBound="1.10010")
    assert bound["orderCancelTransaction"]["reason"] == "BOUNDS_VIOLATION"
    assert d.order(priceBound="1.10010")["orderFillTransaction"]["price"] == "1.10010"


def test_netting_reduces_oldest_first_and_flips(desk: Any) -> None:
    d = desk()
    d.order(units="1000")
    d.order(units="500")
    fill = d.order(units="-1200")["orderFillTransaction"]
    assert [(t["tradeID"], t["units"]) for t in fill["tradesClosed"]] == [("4", "-1000")]
    assert (fill["tradeReduced"]["tradeID"], fill["tradeReduced"]["units"]) == ("6", "-200")
    flip = d.order(units="-1000")["orderFillTransaction"]
    assert flip["tradesClosed"][0]["units"] == "-300"
    assert flip["tradeOpened"]["units"] == "-700"
    position = d.account.position(EUR)
    assert (position.long.units, position.short.units) == (0, 700)


def test_a_hedging_account_holds_both_sides(desk: Any) -> None:
    d = desk(hedging=True)
    d.order(units="1000")
    d.order(units="-400")
    position = d.account.position(EUR)
    assert (position.long.units, position.short.units) == (1000, 400)
    assert str(d.floor.valuer.account(d.account).margin_used) == "22.0010"
    reduced = d.order(units="-300", positionFill="REDUCE_FIRST")["orderFillTransaction"]
    assert reduced["tradeReduced"]["units"] == "-300"
    over = d.order(units="5000", positionFill="REDUCE_ONLY")["orderFillTransaction"]
    assert (over["units"], over["requestedUnits"]) == ("400", "5000")


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"stopLossOnFill": {"price": "1.10000"}}, "STOP_LOSS_ON_FILL_LOSS"),
        ({"takeProfitOnFill": {"price": "1.10000"}}, "TAKE_PROFIT_ON_FILL_LOSS"),
        ({"units": "-1000", "stopLossOnFill": {"price": "1.10010"}}, "STOP_LOSS_ON_FILL_LOSS"),
        ({"units": "5000000"}, "INSUFFICIENT_MARGIN"),
        ({"units": "1000", "tradeClientExtensions": {"id": "t"}}, "CLIENT_TRADE_ID_ALREADY_EXISTS"),
        ({"units": "-10", "positionFill": "OPEN_ONLY"}, "FIFO_VIOLATION"),
        ({"units": "10", "positionFill": "REDUCE_ONLY"}, "POSITION_CLOSEOUT_FAILED"),
    ],
)
def test_created_and_then_cancelled(desk: Any, order: dict[str, Any], reason: str) -> None:
    d = desk()
    d.order(units="10", tradeClientExtensions={"id": "t"})
    body = d.order(**order)
    assert body["status"] == 201
    assert body["orderCancelTransaction"]["reason"] == reason
    assert len(d.account.open_trades) == 1


def test_an_order_that_never_filled_leaves_no_position(desk: Any) -> None:
    d = desk()
    d.order(units="9000000")
    units_available(d.floor, d.account, d.floor.books[EUR])
    assert d.account.positions == {}


def test_the_fifo_rule_and_its_safeguard(desk: Any) -> None:
    d = desk(fifo=True)
    d.order(units="1000", stopLossOnFill={"distance": "0.01"})
    same = d.order(units="1000")
    assert same["orderCancelTransaction"]["reason"] == "FIFO_VIOLATION_SAFEGUARD_VIOLATION"
    d.order(units="1001")
    status, body = closing.close_trade(d.floor, d.account, "9", {"units": "1"}, "1")
    assert status == 200
    assert body["orderCancelTransaction"]["reason"] == "FIFO_VIOLATION_SAFEGUARD_PARTIAL_CLOSE_VIOLATION"
    status, body = closing.close_trade(d.floor, d.account, "9", {"units": "ALL"}, "1")
    assert body["orderFillTransaction"]["tradesClosed"][0]["tradeID"] == "9"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"units": "0"}, "UNITS_INVALID"),
        ({"units": "1.5"}, "UNITS_PRECISION_EXCEEDED"),
        ({"units": "1000000000"}, "UNITS_LIMIT_EXCEEDED"),
        ({"units": None}, "UNITS_MISSING"),
        ({"instrument": None}, "INSTRUMENT_MISSING"),
        ({"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
        ({"clientExtensions": {"id": "x" * 129}}, "CLIENT_ORDER_ID_INVALID"),
        ({"clientExtensions": {"tag": "x" * 129}}, "CLIENT_ORDER_TAG_INVALID"),
        ({"tradeClientExtensions": {"comment": "x" * 129}}, "CLIENT_TRADE_COMMENT_INVALID"),
        ({"priceBound": "1.123456"}, "PRICE_BOUND_PRECISION_EXCEEDED"),
        ({"kind": "LIMIT"}, "PRICE_MISSING"),
        ({"kind": "LIMIT", "price": "-1"}, "PRICE_INVALID"),
        ({"kind": "LIMIT", "price": "1.000001"}, "PRICE_PRECISION_EXCEEDED"),
        ({"kind": "LIMIT", "price": "1", "timeInForce": "GTD"}, "TIME_IN_FORCE_GTD_TIMESTAMP_MISSING"),
        (
            {"kind": "LIMIT", "price": "1", "timeInForce": "GTD", "gtdTime": "2020-01-01T00:00:00Z"},
            "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST",
        ),
        ({"kind": "MARKET_IF_TOUCHED", "price": "1", "timeInForce": "FOK"}, "TIME_IN_FORCE_INVALID"),
        ({"takeProfitOnFill": {}}, "TAKE_PROFIT_ON_FILL_PRICE_MISSING"),
        ({"takeProfitOnFill": {"price": "1.2000001"}}, "TAKE_PROFIT_ON_FILL_PRICE_PRECISION_EXCEEDED"),
        ({"stopLossOnFill": {"price": "1.0000001"}}, "STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED"),
        (
            {"stopLossOnFill": {"price": "1", "distance": "0.1"}},
            "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_SPECIFIED",
        ),
        ({"stopLossOnFill": {}}, "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_MISSING"),
        ({"stopLossOnFill": {"price": "1", "guaranteed": True}}, "STOP_LOSS_ON_FILL_GUARANTEED_NOT_ALLOWED"),
        (
            {"stopLossOnFill": {"price": "1", "timeInForce": "FOK"}},
            "STOP_LOSS_ON_FILL_TIME_IN_FORCE_INVALID",
        ),
        (
            {"trailingStopLossOnFill": {"distance": "0.00001"}},
            "TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MINIMUM_NOT_MET",
        ),
        (
            {"trailingStopLossOnFill": {"distance": "1.5"}},
            "TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MAXIMUM_EXCEEDED",
        ),
        ({"kind": "STOP_LOSS", "price": "1"}, "TRADE_ID_UNSPECIFIED"),
        ({"kind": "STOP_LOSS", "price": "1", "tradeID": "99"}, "TRADE_DOESNT_EXIST"),
    ],
)
def test_rejects_take_an_id_and_name_their_reason(desk: Any, order: dict[str, Any], reason: str) -> None:
    d = desk()
    body = d.order(**order)
    assert body["status"] == (404 if reason.endswith("DOESNT_EXIST") else 400)
    assert body["errorCode"] == body["orderRejectTransaction"]["rejectReason"] == reason
    assert body["orderRejectTransaction"]["type"] == order.get("kind", "MARKET") + "_ORDER_REJECT"
    assert body["relatedTransactionIDs"] == [body["lastTransactionID"]] == ["3"]


@pytest.mark.parametrize(
    ("order", "name"),
    [
        ({"instrument": "XXX_YYY"}, "order.instrument"),
        ({"units": "many"}, "order.units"),
        ({"kind": "ICEBERG"}, "order.type"),
        ({"timeInForce": "LATER"}, "order.timeInForce"),
        ({"positionFill": "MAYBE"}, "order.positionFill"),
        ({"kind": "LIMIT", "price": "cheap"}, "order.price"),
        ({"clientExtensions": "x"}, "order.clientExtensions"),
        ({"stopLossOnFill": "1.0"}, "order.stopLossOnFill"),
    ],
)
def test_malformed_parameters_take_no_id(desk: Any, order: dict[str, Any], name: str) -> None:
    d = desk()
    with pytest.raises(BadParameter) as refusal:
        d.order(**order)
    assert refusal.value.body == {
        "errorCode": "oanda::rest::core::InvalidParameterException",
        "errorMessage": f"Invalid value specified for '{name}'",
    }
    assert d.account.record.last == 2
    with pytest.raises(MissingData):
        placing.place_order(d.floor, d.account, {"order": 5}, "1")


def test_a_market_client_id_may_come_twice_and_a_pending_one_may_not(desk: Any) -> None:
    d = desk()
    assert "orderFillTransaction" in d.order(clientExtensions={"id": "x"})
    assert "orderFillTransaction" in d.order(clientExtensions={"id": "x"})
    d.order("LIMIT", price="1.0", clientExtensions={"id": "x"})
    assert d.order("LIMIT", price="1.0", clientExtensions={"id": "x"})["errorCode"] == "CLIENT_ORDER_ID_ALREADY_EXISTS"


def test_replacing_and_cancelling(desk: Any) -> None:
    d = desk()
    d.order("LIMIT", price="1.0", clientExtensions={"id": "x"})
    order = {"type": "LIMIT", "instrument": EUR, "units": "5", "price": "1.05", "clientExtensions": {"id": "x"}}
    status, body = placing.replace(d.floor, d.account, "@x", {"order": order}, "1")
    assert status == 201
    assert (
        body["orderCancelTransaction"] | {"reason": "CLIENT_REQUEST_REPLACED", "replacedByOrderID": "5"}
        == (body["orderCancelTransaction"])
    )
    assert body["orderCreateTransaction"]["replacesOrderID"] == "3"
    status, body = placing.cancel(d.floor, d.account, "@x", "1")
    assert (status, body["orderCancelTransaction"]["reason"]) == (200, "CLIENT_REQUEST")
    status, body = placing.cancel(d.floor, d.account, "@x", "1")
    assert (status, body["errorCode"]) == (404, "ORDER_DOESNT_EXIST")
    assert body["orderCancelRejectTransaction"]["type"] == "ORDER_CANCEL_REJECT"


def test_closing_trades_and_positions(desk: Any) -> None:
    d = desk()
    d.order()
    status, body = closing.close_trade(d.floor, d.account, "4", {"units": "400"}, "1")
    assert (status, body["orderFillTransaction"]["tradeReduced"]["units"]) == (200, "-400")
    assert body["orderCreateTransaction"]["tradeClose"] == {"tradeID": "4", "units": "400"}
    status, body = closing.close_trade(d.floor, d.account, "4", {"units": "601"}, "1")
    assert (status, body["errorCode"]) == (400, "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE")
    status, body = closing.close_position(d.floor, d.account, EUR, {"longUnits": "ALL", "shortUnits": "ALL"}, "1")
    assert (status, body["errorCode"]) == (400, "CLOSEOUT_POSITION_DOESNT_EXIST")
    status, body = closing.close_position(d.floor, d.account, EUR, {"longUnits": "ALL"}, "1")
    assert status == 200
    assert body["longOrderFillTransaction"]["tradesClosed"][0]["units"] == "-600"
    status, body = closing.close_position(d.floor, d.account, EUR, {"longUnits": "ALL"}, "1")
    assert (status, body["errorCode"]) == (404, "CLOSEOUT_POSITION_DOESNT_EXIST")
    status, body = closing.close_trade(d.floor, d.account, "4", {"units": "ALL"}, "1")
    assert (status, body["errorCode"]) == (404, "TRADE_DOESNT_EXIST")


def test_exits_can_be_set_moved_and_taken_away(desk: Any) -> None:
    d = desk()
    d.order()
    wanted = {"takeProfit": {"price": "1.2"}, "stopLoss": {"price": "1.0"}}
    status, body = exits.set_exits(d.floor, d.account, "4", wanted, "1")
    assert (status, sorted(body)[-2:]) == (200, ["stopLossOrderTransaction", "takeProfitOrderTransaction"])
    status, body = exits.set_exits(d.floor, d.account, "4", {"stopLoss": {"price": "1.05"}, "takeProfit": None}, "1")
    assert body["stopLossOrderCancelTransaction"]["reason"] == "CLIENT_REQUEST_REPLACED"
    assert body["takeProfitOrderCancelTransaction"]["reason"] == "CLIENT_REQUEST"
    assert "takeProfitOrderTransaction" not in body
    assert [order.price for order in d.account.pending.values()] == [105000]
    with pytest.raises(Refusal):
        exits.set_exits(d.floor, d.account, "99", wanted, "1")


def test_the_daily_break_halts_market_orders_and_lets_others_rest(desk: Any) -> None:
    late = 9 * 3600 + 58 * 60  # 16:58 in New York
    d = desk({EUR: [(0, "1.10000", "1.10010"), (late + 60, "1.09000", "1.09010")]}, always=False)
    d.order(stopLossOnFill={"price": "1.09500"})
    d.to(late)
    assert d.order()["orderCancelTransaction"]["reason"] == "MARKET_HALTED"
    assert "orderCancelTransaction" not in d.order("LIMIT", price="1.0")
    d.to(late + 120)
    assert len(d.account.open_trades) == 1
    d.to(late + 300)
    assert "ORDER_FILL:STOP_LOSS_ORDER" in d.kinds(8)
