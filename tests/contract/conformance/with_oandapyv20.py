"""oandapyV20 goes through a trading day. Run as: with_oandapyv20.py URL TOKEN ACCOUNT"""

import sys

from oandapyV20 import API, oandapyV20
from oandapyV20.endpoints import accounts, instruments, orders, positions, pricing, trades, transactions
from oandapyV20.exceptions import V20Error

url, token, account = sys.argv[1:]
oandapyV20.TRADING_ENVIRONMENTS["practice"] = {"api": url, "stream": url}
api = API(access_token=token)


def refused(request, code, text):
    try:
        api.request(request)
    except V20Error as error:
        assert error.code == code and text in error.msg, (error.code, error.msg)
    else:
        raise AssertionError(f"{text} was not refused")


assert api.request(accounts.AccountList())["accounts"][0]["id"] == account
start = api.request(accounts.AccountDetails(account))["lastTransactionID"]
assert api.request(accounts.AccountSummary(account))["account"]["balance"] == "100000.0000"
listed = api.request(accounts.AccountInstruments(account, params={"instruments": "EUR_USD,EUR_JPY"}))["instruments"]
assert [i["name"] for i in listed] == ["EUR_USD", "EUR_JPY"]

candles = api.request(instruments.InstrumentsCandles("EUR_USD", params={"granularity": "M1", "count": 20}))["candles"]
assert len(candles) == 20
request = instruments.InstrumentsCandles(
    "EUR_USD", params={"granularity": "M1", "from": candles[3]["time"], "count": 2}
)
assert [c["time"] for c in api.request(request)["candles"]] == [c["time"] for c in candles[3:5]]
quote = api.request(pricing.PricingInfo(account, params={"instruments": "EUR_USD,EUR_JPY"}))["prices"][0]
seen = set()
for tick in api.request(pricing.PricingStream(account, params={"instruments": "EUR_USD,EUR_JPY"})):
    seen.add(tick["type"])
    if seen == {"PRICE", "HEARTBEAT"}:
        break

ask = float(quote["asks"][0]["price"])
market = {
    "type": "MARKET", "instrument": "EUR_USD", "units": "1000", "clientExtensions": {"id": "py-1"},
    "tradeClientExtensions": {"id": "py-1"}, "takeProfitOnFill": {"price": f"{ask + 0.02:.5f}"},
    "stopLossOnFill": {"price": f"{ask - 0.02:.5f}", "timeInForce": "GTC"},
}  # fmt: skip
placed = api.request(orders.OrderCreate(account, data={"order": market}))
trade = placed["orderFillTransaction"]["tradeOpened"]["tradeID"]
detail = api.request(trades.TradeDetails(account, tradeID="@py-1"))["trade"]
assert (detail["id"], detail["state"]) == (trade, "OPEN") and "stopLossOrder" in detail
assert len(api.request(trades.OpenTrades(account))["trades"]) == 1
assert len(api.request(trades.TradesList(account, params={"instrument": "EUR_USD"}))["trades"]) == 1
changed = api.request(trades.TradeCRCDO(account, trade, data={"stopLoss": {"price": f"{ask - 0.03:.5f}"}}))
assert changed["stopLossOrderTransaction"]["replacesOrderID"] == detail["stopLossOrder"]["id"]
api.request(trades.TradeClientExtensions(account, trade, data={"clientExtensions": {"comment": "new"}}))
api.request(trades.TradeClose(account, trade, data={"units": 300}))
closed = api.request(trades.TradeClose(account, trade))
assert closed["orderFillTransaction"]["tradesClosed"][0]["units"] == "-700"
refused(trades.TradeClose(account, trade), 404, "TRADE_DOESNT_EXIST")
refused(positions.PositionClose(account, "EUR_USD", data={"longUnits": "ALL"}), 404, "CLOSEOUT_POSITION_DOESNT_EXIST")
assert api.request(positions.PositionDetails(account, "EUR_USD"))["position"]["long"]["units"] == "0"
assert api.request(positions.OpenPositions(account))["positions"] == []
assert len(api.request(positions.PositionList(account))["positions"]) == 1

limit = {
    "order": {
        "type": "LIMIT", "instrument": "EUR_USD", "units": 10, "price": round(ask - 0.05, 5),
        "clientExtensions": {"id": "py-2"},
    }
}  # fmt: skip
resting = api.request(orders.OrderCreate(account, data=limit))["orderCreateTransaction"]["id"]
refused(orders.OrderCreate(account, data=limit), 400, "CLIENT_ORDER_ID_ALREADY_EXISTS")
assert api.request(orders.OrderDetails(account, resting))["order"]["state"] == "PENDING"
assert [o["id"] for o in api.request(orders.OrdersPending(account))["orders"]] == [resting]
assert [o["id"] for o in api.request(orders.OrderList(account))["orders"]] == [resting]
replaced = api.request(orders.OrderReplace(account, resting, data=limit))
fresh = replaced["orderCreateTransaction"]["id"]
api.request(orders.OrderClientExtensions(account, fresh, data={"clientExtensions": {"tag": "x"}}))
assert api.request(orders.OrderCancel(account, fresh))["orderCancelTransaction"]["reason"] == "CLIENT_REQUEST"
refused(orders.OrderCancel(account, fresh), 404, "ORDER_DOESNT_EXIST")
refused(orders.OrderDetails(account, fresh), 404, "NO_SUCH_ORDER")

for change, text in (
    ({"units": "0"}, "UNITS_INVALID"),
    ({"units": "0.5"}, "UNITS_PRECISION_EXCEEDED"),
    ({"units": "1000000000"}, "UNITS_LIMIT_EXCEEDED"),
    ({"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
    ({"instrument": "NO_SUCH"}, "Invalid value specified for 'order.instrument'"),
):
    order = {"type": "MARKET", "instrument": "EUR_USD", "units": "1", **change}
    refused(orders.OrderCreate(account, data={"order": order}), 400, text)
refused(accounts.AccountSummary("101-001-0000001-999"), 403, "forbidden")

since = api.request(transactions.TransactionsSinceID(account, params={"id": start}))["transactions"]
assert [int(t["id"]) for t in since] == list(range(int(start) + 1, int(start) + 1 + len(since)))
ranged = api.request(transactions.TransactionIDRange(account, params={"from": 1, "to": 2}))["transactions"]
assert [t["type"] for t in ranged] == ["CREATE", "TRANSFER_FUNDS"]
assert api.request(transactions.TransactionList(account, params={"pageSize": 5}))["count"] == len(since) + 2
assert api.request(transactions.TransactionDetails(account, trade))["transaction"]["type"] == "ORDER_FILL"
assert next(api.request(transactions.TransactionsStream(account)))["type"] == "HEARTBEAT"
changes = api.request(accounts.AccountChanges(account, params={"sinceTransactionID": start}))
assert changes["changes"]["tradesClosed"][0]["id"] == trade
configured = api.request(accounts.AccountConfiguration(account, data={"alias": "Mine"}))
assert configured["clientConfigureTransaction"]["alias"] == "Mine"
print("passed", len(since))
