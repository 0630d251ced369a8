import json
from typing import Any

import pytest

from sep_trader.broker.oanda.outcomes import (
    close_from_transactions,
    from_answer,
    from_cancel,
    from_exits,
    from_transactions,
)
from sep_trader.broker.oanda.record import transaction
from sep_trader.broker.port import Cancelled, Filled, Rejected, Resting, Unknown
from sep_trader.ledger.transactions import Transaction

TIME = "2026-09-23T21:14:07.570329138Z"
Json = dict[str, Any]


def market(number: int, client_id: str = "X", **rest: Any) -> Json:
    body = {"id": str(number), "type": "MARKET_ORDER", "time": TIME, "instrument": "EUR_USD", "units": "1"}
    return body | {"clientExtensions": {"id": client_id}} | rest


def fill(number: int, order: int, client_id: str | None = "X", **rest: Any) -> Json:
    body = {
        "id": str(number),
        "type": "ORDER_FILL",
        "time": TIME,
        "orderID": str(order),
        "instrument": "EUR_USD",
        "units": "1",
        "price": "1.13835",
        "pl": "0.0000",
        "financing": "0.0000",
        "halfSpreadCost": "0.0003",
        "accountBalance": "100000.0000",
        "tradeOpened": {"tradeID": str(number), "units": "1", "price": "1.13836"},
    }
    return body | ({"clientOrderID": client_id} if client_id else {}) | rest


def cancel(number: int, order: int, reason: str = "MARKET_HALTED", **rest: Any) -> Json:
    body = {"id": str(number), "type": "ORDER_CANCEL", "time": TIME, "orderID": str(order), "reason": reason}
    return body | rest


def record(*items: Json) -> list[Transaction]:
    return [transaction(item) for item in items]


def read(status: int, body: Any) -> Any:
    return from_answer(status, json.dumps(body).encode())


def test_a_fill_tells_the_price_of_the_trade_it_opened() -> None:
    found = read(201, {"orderCreateTransaction": market(30), "orderFillTransaction": fill(31, 30)})
    assert isinstance(found, Filled)
    assert (found.order_id, found.fill_id, found.trade_id, str(found.price)) == (30, 31, 31, "1.13836")
    assert str(found.half_spread_cost) == "0.0003"


def test_a_fill_that_only_closed_has_no_trade_and_the_price_of_what_it_closed() -> None:
    closed = fill(31, 30, tradesClosed=[{"tradeID": "20", "units": "-1", "price": "1.13", "realizedPL": "0.01"}])
    del closed["tradeOpened"]
    found = read(200, {"orderFillTransaction": closed})
    assert (found.trade_id, str(found.price)) == (None, "1.13835")
    del closed["price"]
    assert str(read(200, {"orderFillTransaction": closed}).price) == "1.13"


def test_created_and_cancelled_is_cancelled_though_it_says_201() -> None:
    body = {"orderCreateTransaction": market(30), "orderCancelTransaction": cancel(31, 30)}
    found = read(201, body)
    assert isinstance(found, Cancelled)
    assert (found.order_id, found.reason) == (30, "MARKET_HALTED")


def test_the_part_that_was_filled_counts_when_the_rest_is_cancelled() -> None:
    body = {"orderFillTransaction": fill(31, 30), "orderCancelTransaction": cancel(32, 30)}
    assert isinstance(read(201, body), Filled)


def test_an_accepted_entry_rests() -> None:
    found = read(201, {"orderCreateTransaction": market(30, type="LIMIT_ORDER")})
    assert isinstance(found, Resting)
    assert found.order_id == 30


def test_a_market_order_without_its_end_is_unknown() -> None:
    assert isinstance(read(201, {"orderCreateTransaction": market(30)}), Unknown)


def test_a_replacement_is_the_new_order() -> None:
    old = cancel(40, 34, "CLIENT_REQUEST_REPLACED", replacedByOrderID="41")
    created = {"orderCancelTransaction": old, "orderCreateTransaction": market(41, type="LIMIT_ORDER")}
    found = read(201, created)
    assert isinstance(found, Resting) and found.order_id == 41
    refused = created | {"replacingOrderCancelTransaction": cancel(42, 41, "INSUFFICIENT_MARGIN")}
    found = read(201, refused)
    assert isinstance(found, Cancelled) and (found.order_id, found.reason) == (41, "INSUFFICIENT_MARGIN")


def test_a_refusal_with_a_transaction_tells_its_reason() -> None:
    body = {
        "orderRejectTransaction": {"type": "MARKET_ORDER_REJECT", "rejectReason": "UNITS_LIMIT_EXCEEDED"},
        "errorCode": "UNITS_LIMIT_EXCEEDED",
        "errorMessage": "The units specified exceeds the maximum number of units allowed",
    }
    found = read(400, body)
    assert (type(found), found.reason) == (Rejected, "UNITS_LIMIT_EXCEEDED")
    assert found.message.startswith("The units")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"errorMessage": "Invalid value", "errorCode": "oanda::rest::core::InvalidParameterException"},
         "oanda::rest::core::InvalidParameterException"),
        (400, {"errorMessage": "Invalid value"}, "HTTP_400"),
        (401, {"errorMessage": "Insufficient authorization to perform request."}, "UNAUTHORIZED"),
        (403, {"errorMessage": "The provided request was forbidden."}, "FORBIDDEN"),
        (404, {"orderRejectTransaction": {"rejectReason": "TRADE_DOESNT_EXIST"}}, "TRADE_DOESNT_EXIST"),
        (404, {"errorCode": "NO_SUCH_TRADE"}, "NO_SUCH_TRADE"),
        (405, "<html>", "HTTP_405"),
        (429, [], "RATE_LIMITED"),
    ],
)  # fmt: skip
def test_refusals(status: int, body: Any, reason: str) -> None:
    found = read(status, body)
    assert (type(found), found.reason) == (Rejected, reason)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (503, b'{"errorMessage": "down"}'),
        (500, b""),
        (408, b"{}"),
        (302, b""),
        (201, b"<html>welcome</html>"),
        (201, b""),
        (201, b"[]"),
        (201, b'{"orderFillTransaction": {"id": "31"}}'),
        (201, b'{"orderFillTransaction": 7}'),
        (200, b'{"lastTransactionID": "9"}'),
    ],
)
def test_whatever_leaves_a_doubt_is_unknown(status: int, content: bytes) -> None:
    assert isinstance(from_answer(status, content), Unknown)
    assert isinstance(from_cancel(status, content), Unknown)
    assert isinstance(from_exits(status, content), Unknown)


def test_a_cancellation_that_worked_and_one_too_late() -> None:
    done = from_cancel(200, json.dumps({"orderCancelTransaction": cancel(40, 34, "CLIENT_REQUEST")}).encode())
    assert done == Cancelled(34, "CLIENT_REQUEST")
    late = {"orderCancelRejectTransaction": {"rejectReason": "ORDER_DOESNT_EXIST"}, "errorCode": "ORDER_DOESNT_EXIST"}
    found = from_cancel(404, json.dumps(late).encode())
    assert isinstance(found, Rejected) and found.reason == "ORDER_DOESNT_EXIST"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"stopLossOrderTransaction": market(50, type="STOP_LOSS_ORDER")}, Resting),
        ({"takeProfitOrderCancelTransaction": cancel(50, 32, "CLIENT_REQUEST")}, Cancelled),
        ({"takeProfitOrderCancelTransaction": cancel(50, 32, "CLIENT_REQUEST_REPLACED", replacedByOrderID="51"),
          "takeProfitOrderTransaction": market(51, type="TAKE_PROFIT_ORDER")}, Resting),
        ({"stopLossOrderTransaction": market(50, type="STOP_LOSS_ORDER"),
          "stopLossOrderCreatedCancelTransaction": cancel(51, 50, "LOSING_TAKE_PROFIT")}, Cancelled),
        ({"stopLossOrderTransaction": market(50, type="STOP_LOSS_ORDER"),
          "stopLossOrderFillTransaction": fill(51, 50)}, Filled),
        ({"trailingStopLossOrderTransaction": market(50, type="TRAILING_STOP_LOSS_ORDER")}, Resting),
    ],
)  # fmt: skip
def test_changed_exits(body: Json, kind: type) -> None:
    assert isinstance(from_exits(200, json.dumps(body).encode()), kind)


def test_the_record_tells_a_fill_by_either_id() -> None:
    assert isinstance(from_transactions("X", record(market(30), fill(31, 30))), Filled)
    assert isinstance(from_transactions("X", record(market(30), fill(31, 30, client_id=None))), Filled)
    assert isinstance(from_transactions("X", record(fill(31, 30))), Filled)


def test_the_record_tells_cancelled_refused_and_resting() -> None:
    found = from_transactions("X", record(market(30), cancel(31, 30, "INSUFFICIENT_MARGIN")))
    assert isinstance(found, Cancelled) and found.reason == "INSUFFICIENT_MARGIN"
    refusal = market(30, type="MARKET_ORDER_REJECT", rejectReason="UNITS_INVALID")
    found = from_transactions("X", record(refusal))
    assert isinstance(found, Rejected) and found.reason == "UNITS_INVALID"
    assert from_transactions("X", record(market(30, type="STOP_ORDER"))) == Resting(30)


def test_another_orders_record_is_not_ours() -> None:
    others = record(market(30, "Y"), fill(31, 30, "Y"), market(32, "Z"), cancel(33, 32))
    assert from_transactions("X", others) == Unknown("NOT_FOUND")


def test_a_market_order_still_without_its_end_is_incomplete() -> None:
    assert from_transactions("X", record(market(30))) == Unknown("INCOMPLETE")


def test_a_fill_counts_before_the_cancelled_double() -> None:
    double = [market(32), cancel(33, 32, "CLIENT_TRADE_ID_ALREADY_EXISTS")]
    found = from_transactions("X", record(market(30), fill(31, 30), *double))
    assert isinstance(found, Filled) and found.order_id == 30


def test_of_a_partly_filled_order_the_fill_counts() -> None:
    found = from_transactions("X", record(market(30, timeInForce="IOC"), fill(31, 30), cancel(32, 30)))
    assert isinstance(found, Filled)


def test_how_a_trade_was_closed() -> None:
    asked = {"tradeClose": {"tradeID": "31", "units": "ALL"}}
    gone = {"tradesClosed": [{"tradeID": "31", "units": "-1", "price": "1.13", "realizedPL": "-0.0100"}]}
    closing = fill(41, 40, client_id=None, **gone)
    del closing["tradeOpened"]
    assert isinstance(close_from_transactions(31, record(market(40, "", **asked), closing)), Filled)
    assert isinstance(close_from_transactions(31, record(closing)), Filled)
    assert isinstance(close_from_transactions(31, record(market(40, "", **asked), cancel(41, 40))), Cancelled)
    assert close_from_transactions(31, record(market(40, "", **asked))) == Unknown("INCOMPLETE")
    assert close_from_transactions(30, record(market(40, "", **asked), closing)) == Unknown("NOT_FOUND")
    refused = market(40, "", type="MARKET_ORDER_REJECT", rejectReason="TRADE_DOESNT_EXIST", **asked)
    assert isinstance(close_from_transactions(31, record(refused)), Rejected)
