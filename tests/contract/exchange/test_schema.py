"""Every route, walked: each answer, good or bad, validates against the official schema and nothing but it.

The specification of 2018 names no field as needed and forbids none; here unknown fields are errors, except those that
the wire is known to have gained since, and the fields every client leans on are needed.
"""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sep_trader.exchange.http.app import ACCOUNT_ROUTES, OTHER_ROUTES, STREAMS

DECIMAL, STAMP = r"^-?\d+(\.\d+)?$", r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z|0)$"
TEXT = {"type": "string"}
NUMBER = {"type": "string", "pattern": DECIMAL}
FACTOR = {"type": "object", "properties": {"factor": NUMBER}, "required": ["factor"], "additionalProperties": False}
FILL_EXTRA = {"baseFinancing": NUMBER, "quoteGuaranteedExecutionFee": NUMBER}
# What the wire has and the specification of 2018 has not.
LATER: dict[str, dict[str, Any]] = {
    "Account": {"dividendAdjustment": NUMBER, "trueUnrealizedPL": NUMBER, "trueNAV": NUMBER},
    "Instrument": {
        "guaranteedStopLossOrderMode": TEXT,
        "tags": {"type": "array", "items": {"type": "object", "required": ["type", "name"]}},
        "financing": {"type": "object", "required": ["longRate", "shortRate", "financingDaysOfWeek"]},
    },
    "ClientPrice": {"time": {"type": "string", "pattern": STAMP}},
    "HomeConversions": {"unrealizedAccountGain": NUMBER, "unrealizedAccountLoss": NUMBER},
    "OrderFillTransaction": {
        **FILL_EXTRA,
        "requestedUnits": NUMBER,
        "quotePL": NUMBER,
        "homeConversionFactors": {
            "type": "object",
            "properties": dict.fromkeys(("gainQuoteHome", "lossQuoteHome", "gainBaseHome", "lossBaseHome"), FACTOR),
            "additionalProperties": False,
        },
    },
    "TradeOpen": {"quoteGuaranteedExecutionFee": NUMBER},
    "TradeReduce": FILL_EXTRA,
    "OrderCancelTransaction": {"closedTradeID": TEXT, "tradeCloseTransactionID": TEXT},
    "TakeProfitDetails": {"distance": NUMBER, "triggerCondition": TEXT},
    "StopLossDetails": {"triggerCondition": TEXT},
    "TrailingStopLossDetails": {"triggerCondition": TEXT},
    "OpenTradeFinancing": {"baseFinancing": NUMBER, "financingRate": NUMBER},
    **{name: {"dividendAdjustment": NUMBER} for name in ("Trade", "TradeSummary", "Position", "PositionSide")},
    **{name: {"partialFill": TEXT} for name in ("LimitOrder", "StopOrder", "MarketIfTouchedOrder")},
    **{
        f"{kind}Order{end}Transaction": {"partialFill": TEXT}
        for kind in ("Limit", "Stop", "MarketIfTouched")
        for end in ("", "Reject")
    },
}
NEWER_WORDS = {
    "AccountFinancingMode": ["DAILY_INSTRUMENT"],
    "OrderCancelReason": [
        "FIFO_VIOLATION_SAFEGUARD_VIOLATION",
        "FIFO_VIOLATION_SAFEGUARD_PARTIAL_CLOSE_VIOLATION",
    ],
    "TransactionRejectReason": ["UNITS_MINIMUM_NOT_MET"],
}
NEEDED = {
    "Transaction": ["id", "time", "userID", "accountID", "batchID", "type"],
    "Order": ["id", "createTime", "state", "type"],
    "OrderFillTransaction": ["orderID", "instrument", "units", "pl", "financing", "accountBalance", "reason"],
    "OrderCancelTransaction": ["orderID", "reason"],
    "TradeOpen": ["tradeID", "units", "price"],
    "TradeReduce": ["tradeID", "units", "price", "realizedPL"],
    "Account": ["id", "currency", "balance", "NAV", "marginUsed", "lastTransactionID", "hedgingEnabled"],
    "Trade": ["id", "instrument", "price", "openTime", "state", "initialUnits", "currentUnits", "realizedPL"],
    "Position": ["instrument", "long", "short", "pl", "unrealizedPL"],
    "Instrument": ["name", "type", "pipLocation", "displayPrecision", "tradeUnitsPrecision", "marginRate"],
    "Candlestick": ["time", "volume", "complete"],
    "ClientPrice": ["bids", "asks", "closeoutBid", "closeoutAsk"],
}  # fmt: skip
REFERS = re.compile(r"#/definitions/")
POLYMORPHIC = ("Transaction", "Order")


def camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))


def tighten(node: Any) -> Any:
    """Swagger to JSON Schema: patterns for the formats told in prose, and no unknown fields."""
    if isinstance(node, list):
        return [tighten(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: tighten(value) for key, value in node.items() if key not in ("description", "format", "default")}
    if isinstance(node.get("properties"), dict):
        out["properties"] = {name: tighten(field) for name, field in node["properties"].items()}
    told = str(node.get("format", ""))
    if told.startswith("A decimal number"):
        out["pattern"] = DECIMAL
    elif told.startswith("The RFC 3339"):
        out["pattern"] = STAMP
    if "properties" in node and isinstance(node["properties"], dict):
        out["additionalProperties"] = False
    return out


@pytest.fixture(scope="module")
def schemas(spec: Any) -> dict[str, Any]:
    """Definitions by name; Transaction and Order stand for the definition that their type names."""
    definitions: dict[str, Any] = tighten(spec["definitions"])
    newer = {tuple(spec["definitions"][name]["enum"]): words for name, words in NEWER_WORDS.items()}

    def widen(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("enum"), list) and (more := newer.get(tuple(node["enum"]))):
                node["enum"] = node["enum"] + more
            for value in node.values():
                widen(value)
        elif isinstance(node, list):
            for value in node:
                widen(value)

    widen(definitions)
    for name, fields in LATER.items():
        definitions[name]["properties"].update(fields)
    # An account's trailing fields are its summary's, and a price within a fill has its liquidity as text.
    definitions["AccountSummary"]["properties"].update(LATER["Account"])
    bucket = definitions["PriceBucket"]["properties"]
    bucket["liquidity"] = {"type": ["integer", "string"]}
    for name, needed in NEEDED.items():
        definitions[name]["required"] = needed
    for name, alike in (("AccountSummary", "Account"), ("TradeSummary", "Trade")):
        definitions[name]["required"] = NEEDED[alike]
    for base in POLYMORPHIC:
        words = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*")
        by_type = {
            "_".join(words.findall(name if base == "Order" else name.removesuffix(base))).upper(): name
            for name, item in definitions.items()
            if name.endswith(base) and name != base and "type" in item.get("properties", {})
        }
        if base == "Order":
            by_type = {kind.removesuffix("_ORDER"): name for kind, name in by_type.items()}
        definitions[base] = {
            "type": "object",
            "required": NEEDED[base],
            "properties": {"type": {"enum": sorted(by_type)}},
            "allOf": [
                {
                    "if": {"properties": {"type": {"const": kind}}},
                    "then": {"$ref": f"#/definitions/{name}"},
                }
                for kind, name in sorted(by_type.items())
            ],
        }
    return definitions


class Walk:
    """Asks, and validates what it gets; remembers which routes and statuses it has seen."""

    def __init__(self, client: Any, spec: Any, schemas: dict[str, Any]) -> None:
        self.client, self.schemas = client, schemas
        self.responses = spec["responses"]
        self.paths = {tuple(re.sub(r"\{.*?\}", "*", path).split("/")[1:]): item for path, item in spec["paths"].items()}
        self.seen: set[tuple[str, tuple[str, ...], int]] = set()

    def __call__(self, verb: str, path: str, status: int, body: Any = None, **more: Any) -> Any:
        answer = self.client.ask(verb, path, body, **more)
        assert answer.status_code == status, answer.text
        route = self.route(answer.request.url.path)
        found = answer.json()
        self.validate(found, self.schema(verb, route, status))
        if status >= 400:
            assert found["errorMessage"]
        assert answer.headers["requestid"]
        self.seen.add((verb, route, status))
        return found

    def route(self, path: str) -> tuple[str, ...]:
        parts = tuple(part for part in path.split("/")[2:] if part)
        if len(parts) == 1:
            return parts
        rest = parts[2:]
        if parts[0] == "accounts" and rest not in ACCOUNT_ROUTES and rest not in STREAMS:
            rest = (*rest[:1], "*", *rest[2:])
        return (parts[0], "*", *rest)

    def schema(self, verb: str, route: tuple[str, ...], status: int) -> Any:
        operation = self.paths.get(route, {}).get(verb.lower(), {})
        response = operation.get("responses", {}).get(str(status), {"$ref": "#/responses/400"})
        if "$ref" in response:
            response = self.responses[response["$ref"].split("/")[-1]]
        if route[2:] == ("candles", "latest") and status == 200:
            candles = self.paths["instruments", "*", "candles"]["get"]["responses"]["200"]["schema"]
            return {"type": "object", "properties": {"latestCandles": {"type": "array", "items": tighten(candles)}}}
        schema = tighten(response["schema"])
        if status >= 400:
            schema["properties"].setdefault("lastTransactionID", TEXT)
        return schema

    def validate(self, body: Any, schema: Any) -> None:
        simple = not REFERS.search(json.dumps(schema))
        Draft202012Validator(schema if simple else {**schema, "definitions": self.schemas}).validate(body)


@pytest.fixture
def walk(client: Any, spec: Any, schemas: dict[str, Any]) -> Walk:
    return Walk(client, spec, schemas)


def test_the_walk_sees_what_is_wrong(walk: Walk) -> None:
    from jsonschema import ValidationError

    body = walk("GET", "summary", 200)
    schema = walk.schema("GET", ("accounts", "*", "summary"), 200)
    for spoil in ({"surprise": 1}, {"balance": 5}, {"balance": "much"}, {"createdTime": "today"}):
        with pytest.raises(ValidationError):
            walk.validate({**body, "account": {**body["account"], **spoil}}, schema)
    del body["account"]["NAV"]
    with pytest.raises(ValidationError):
        walk.validate(body, schema)
    fill = walk.client.order(units="1")["orderFillTransaction"]
    with pytest.raises(ValidationError):
        walk.validate(
            {"orderFillTransaction": {**fill, "reason": "WHIM"}}, walk.schema("POST", ("accounts", "*", "orders"), 201)
        )


def order(kind: str = "MARKET", **more: Any) -> dict[str, Any]:
    return {"order": {"type": kind, "instrument": "EUR_USD", "units": "100", **more}}


def trade_everything(walk: Walk) -> None:
    """Orders of every type, with every outcome."""
    exits: dict[str, Any] = {
        "takeProfitOnFill": {"price": "2", "clientExtensions": {"id": "tp", "tag": "t", "comment": "c"}},
        "stopLossOnFill": {"distance": "0.5", "timeInForce": "GTD", "gtdTime": "2027-01-01T00:00:00Z"},
        "trailingStopLossOnFill": {"distance": "0.6"},
    }
    extensions: dict[str, Any] = {
        "clientExtensions": {"id": "first"},
        "tradeClientExtensions": {"id": "first", "tag": "x"},
    }
    walk("POST", "orders", 201, order(**exits, **extensions, priceBound="2"))
    walk("POST", "orders", 201, order(units="50000000"))  # cancelled: no liquidity
    walk("POST", "orders", 400, order(units="0"))
    walk("POST", "orders", 400, order(units="what"))
    walk("POST", "orders", 400, {})
    walk("POST", "orders", 404, order("STOP_LOSS", tradeID="999", price="1"))
    for kind in ("LIMIT", "STOP", "MARKET_IF_TOUCHED"):
        price = {"LIMIT": "0.5", "STOP": "2", "MARKET_IF_TOUCHED": "0.5"}[kind]
        bound = {} if kind == "LIMIT" else {"priceBound": "2"}
        wait = {"timeInForce": "GTD", "gtdTime": "2027-01-01T00:00:00Z", "triggerCondition": "MID"}
        created = walk("POST", "orders", 201, order(kind, price=price, **bound, **wait, clientExtensions={"id": kind}))
        walk("GET", f"orders/{created['lastTransactionID']}", 200)
        walk("POST", "orders", 400, order(kind, price="0.123456789"))
        walk("PUT", f"orders/@{kind}", 201, order(kind, price=price, clientExtensions={"id": kind}))
        walk("PUT", f"orders/@{kind}", 400, order(kind, units="0", price=price))
    walk("PUT", "orders/@LIMIT", 201, order("LIMIT", price="1.9"))  # fills at once
    walk("PUT", "orders/999", 404, order("LIMIT", price="1"))
    walk("PUT", "orders/@STOP/clientExtensions", 200, {"clientExtensions": {"comment": "no"}})
    walk("PUT", "orders/@STOP/clientExtensions", 400, {})
    walk("PUT", "orders/999/clientExtensions", 404, {"clientExtensions": {"comment": "no"}})
    walk("PUT", "orders/%40STOP/cancel", 200)
    walk("PUT", "orders/@STOP/cancel", 404)


def look_at_everything(walk: Walk) -> None:
    """Every query there is."""
    for path in ("", "summary", "instruments", "instruments?instruments=EUR_USD%2CUSD_JPY", "openTrades", "trades",
                 "trades?state=ALL&count=2&instrument=EUR_USD", "trades/@first", "positions", "openPositions",
                 "positions/EUR_USD", "orders", "orders?state=ALL", "pendingOrders", "orders/@MARKET_IF_TOUCHED",
                 "transactions", "transactions?type=ORDER,FUNDING&pageSize=5", "transactions/1",
                 "transactions/idrange?from=1&to=3", "transactions/sinceid?id=0", "changes?sinceTransactionID=1",
                 "pricing?instruments=EUR_USD,USD_JPY&includeHomeConversions=True&includeUnitsAvailable=true",
                 "candles/latest?candleSpecifications=EUR_USD:M1:BMA,USD_JPY:H1:M",
                 "instruments/EUR_USD/candles?granularity=M5&price=BMA&count=10"):  # fmt: skip
        walk("GET", path, 200)
    walk("GET", "/v3/accounts", 200)
    walk("GET", "/v3/instruments/EUR_USD/candles?granularity=H4&count=3&smooth=true", 200)
    for path, status in (
        ("trades/999", 404), ("trades/@nobody", 404), ("orders/999", 404), ("positions/EUR_GBP", 404),
        ("transactions/99999", 404), ("transactions/sinceid?id=99999", 416), ("transactions/sinceid", 400),
        ("transactions/idrange?from=3&to=99999", 416), ("changes?sinceTransactionID=99999", 416),
        ("transactions?pageSize=1001", 400), ("transactions?from=2026-01-07T00:00:00Z&to=2026-01-06T00:00:00Z", 416),
        ("pricing", 400), ("pricing?instruments=XXX_YYY", 400), ("pricing/stream?instruments=XXX_YYY", 400),
        ("instruments?instruments=XXX_YYY", 400), ("candles/latest", 400), ("orders?count=501", 400),
        ("instruments/EUR_USD/candles?count=5001", 400), ("instruments/EUR_USD/candles?granularity=M3", 400),
        ("instruments/EUR_USD/candles?to=2030-01-01T00:00:00Z", 400), ("instruments/EUR_USD/candles?price=X", 400),
        ("/v3/instruments/XXX_YYY/candles", 400), ("trades?state=LOST", 400),
    ):  # fmt: skip
        walk("GET", path, status)


def close_everything(walk: Walk) -> None:
    """Exits, extensions, closing, configuration."""
    walk("PUT", "trades/@first/orders", 200, {"takeProfit": {"price": "1.9"}, "stopLoss": None})
    walk("PUT", "trades/@first/orders", 400, {"takeProfit": {"price": "1.99999999"}})
    walk("PUT", "trades/999/orders", 404, {"takeProfit": {"price": "1.9"}})
    for kind, fields in (("STOP_LOSS", {"price": "0.5"}), ("TAKE_PROFIT", {"price": "2"})):
        walk(
            "POST",
            "orders",
            400 if kind == "TAKE_PROFIT" else 201,
            {"order": {"type": kind, "clientTradeID": "first", **fields}},
        )
    walk("PUT", "trades/@first/clientExtensions", 200, {"clientExtensions": {"id": "renamed"}})
    walk("PUT", "trades/@renamed/clientExtensions", 400, {})
    walk("PUT", "trades/999/clientExtensions", 404, {"clientExtensions": {"id": "y"}})
    walk("PUT", "trades/@renamed/close", 200, {"units": "40"})
    walk("GET", "trades/@renamed", 200)
    walk("PUT", "trades/@renamed/close", 400, {"units": "4000"})
    walk("PUT", "trades/@renamed/close", 200, {"units": "ALL"})
    walk("PUT", "trades/@renamed/close", 404, {"units": "ALL"})
    walk("GET", "trades?state=CLOSED", 200)
    walk("PUT", "positions/EUR_USD/close", 400, {"longUnits": "ALL", "shortUnits": "ALL"})
    walk("PUT", "positions/EUR_USD/close", 200, {"longUnits": "ALL", "shortUnits": "NONE"})
    walk("PUT", "positions/EUR_USD/close", 404, {"longUnits": "ALL"})
    walk("GET", "positions/EUR_USD", 200)
    walk("PATCH", "configuration", 200, {"alias": "Mine", "marginRate": "0.03"})
    walk("PATCH", "configuration", 400, {"marginRate": "5"})
    walk("PATCH", "configuration", 400, {})


def test_every_route_answers_as_the_specification_says(walk: Walk) -> None:
    trade_everything(walk)
    look_at_everything(walk)
    walk.client.step(to="2026-01-07T21:59:00Z")  # the daily break
    assert "orderCancelTransaction" in walk("POST", "orders", 201, order())
    walk.client.step(to="2026-01-07T22:10:00Z")  # after financing
    assert "DAILY_FINANCING" in {
        entry["type"] for entry in walk("GET", "transactions/sinceid?id=0", 200)["transactions"]
    }
    close_everything(walk)
    look_at_again = walk("GET", "changes?sinceTransactionID=2", 200)["changes"]
    assert all(look_at_again[key] for key in look_at_again if key != "ordersTriggered")
    walk.validate(
        {"transactions": walk("GET", "transactions/sinceid?id=0", 200)["transactions"]},
        {"properties": {"transactions": {"items": {"$ref": "#/definitions/Transaction"}}}},
    )
    walked = {(verb, route) for verb, route, _ in walk.seen}
    ours = {(verb, ("accounts", "*", *route)) for route, verbs in ACCOUNT_ROUTES.items() for verb in verbs}
    ours |= {(verb, route) for route, verbs in OTHER_ROUTES.items() for verb in verbs}
    assert ours <= walked, ours - walked


def test_every_route_refuses_strangers_and_wrong_verbs(walk: Walk) -> None:
    paths = ["/".join(part if part != "*" else "EUR_USD" for part in route) for route in ACCOUNT_ROUTES]
    for path in paths:
        found = walk("DELETE", path, 405)
        assert found["errorMessage"]
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"Authorization": "Basic x"}):
            walk("GET", path, 401, headers=headers)
        walk("GET", f"/v3/accounts/101-001-0000001-999/{path}".rstrip("/"), 403)
    walk("GET", "nothing/here", 404)


def test_ids_are_consecutive_through_all_of_it(walk: Walk) -> None:
    found = walk("GET", "transactions/sinceid?id=0", 200)
    assert [entry["id"] for entry in found["transactions"]] == [
        str(i + 1) for i in range(int(found["lastTransactionID"]))
    ]
