"""OANDA's own client, v20, goes through a trading day. Run as: with_v20.py URL TOKEN ACCOUNT"""

import sys
from urllib.parse import urlsplit

import v20

url, token, account = sys.argv[1:]
where = urlsplit(url)
api = v20.Context(where.hostname, where.port, ssl=False, token=token, poll_timeout=5)
stream = v20.Context(where.hostname, where.port, ssl=False, token=token, stream_timeout=10)

assert [a.id for a in api.account.list().get("accounts", 200)] == [account]
summary = api.account.summary(account).get("account", 200)
assert summary.balance == summary.NAV and summary.currency == "USD"
details = api.account.get(account)
start = details.get("lastTransactionID", 200)
assert details.get("account").hedgingEnabled is False
instruments = {i.name: i for i in api.account.instruments(account).get("instruments", 200)}
assert instruments["USD_JPY"].displayPrecision == 3

found = api.instrument.candles("EUR_USD", granularity="M1", count=30, price="BMA").get("candles", 200)
assert len(found) == 30 and found[0].complete and not found[-1].complete
assert found[0].bid.l <= found[0].mid.c <= found[0].ask.h
assert len(api.instrument.candles("EUR_USD", granularity="H4", count=5, smooth=True).get("candles", 200)) == 5
assert len(api.instrument.candles("USD_JPY", granularity="M5", count=3).get("candles", 200)) == 3

prices = api.pricing.get(
    account, instruments="EUR_USD,USD_JPY", includeUnitsAvailable=True, includeHomeConversions=True
)
quote = prices.get("prices", 200)[0]
assert quote.bids[0].price < quote.asks[0].price and quote.tradeable
assert {c.currency for c in prices.get("homeConversions")} == {"EUR", "JPY", "USD"}

kinds = set()
for kind, message in stream.pricing.stream(account, instruments="EUR_USD,USD_JPY", snapshot=True).parts():
    kinds.add(kind)
    assert kind == "pricing.PricingHeartbeat" or message.bids[0].price > 0
    if len(kinds) == 2:
        break
assert kinds == {"pricing.ClientPrice", "pricing.PricingHeartbeat"}, kinds

up, down = round(quote.asks[0].price + 0.02, 5), round(quote.bids[0].price - 0.02, 5)
placed = api.order.market(
    account, instrument="EUR_USD", units=1000, timeInForce="FOK", positionFill="DEFAULT",
    takeProfitOnFill={"price": up, "timeInForce": "GTC"}, stopLossOnFill={"price": str(down)},
    clientExtensions={"id": "v20-1", "tag": "t"}, tradeClientExtensions={"id": "v20-1"},
)  # fmt: skip
fill = placed.get("orderFillTransaction", 201)
assert (fill.reason, fill.clientOrderID, fill.tradeOpened.units) == ("MARKET_ORDER", "v20-1", 1000)
assert placed.get("orderCreateTransaction").clientExtensions.id == "v20-1"
trade = api.trade.get(account, "@v20-1").get("trade", 200)
assert (trade.currentUnits, trade.takeProfitOrder.price, trade.stopLossOrder.price) == (1000, up, down)
assert [t.id for t in api.trade.list_open(account).get("trades", 200)] == [trade.id]
moved = api.trade.set_dependent_orders(account, trade.id, takeProfit={"price": str(round(up + 0.01, 5))})
assert moved.get("takeProfitOrderTransaction", 200).reason == "REPLACEMENT"
api.trade.set_client_extensions(account, trade.id, clientExtensions={"comment": "kept"}).get("lastTransactionID", 200)
part = api.trade.close(account, trade.id, units="400")
assert part.get("orderFillTransaction", 200).tradeReduced.units == -400
assert api.position.get(account, "EUR_USD").get("position", 200).long.units == 600
assert len(api.position.list_open(account).get("positions", 200)) == 1
done = api.position.close(account, "EUR_USD", longUnits="ALL")
assert done.get("longOrderFillTransaction", 200).tradesClosed[0].tradeID == trade.id
again = api.trade.close(account, trade.id, units="ALL")
assert (again.status, again.get("errorCode")) == (404, "TRADE_DOESNT_EXIST")
assert len(api.trade.list(account, state="CLOSED").get("trades", 200)) == 1

rest = api.order.limit(account, instrument="EUR_USD", units=5, price=down, clientExtensions={"id": "v20-2"})
order = rest.get("orderCreateTransaction", 201)
assert api.order.get(account, order.id).get("order", 200).price == down
twin = api.order.limit(account, instrument="EUR_USD", units=5, price=down, clientExtensions={"id": "v20-2"})
assert (twin.status, twin.get("errorCode")) == (400, "CLIENT_ORDER_ID_ALREADY_EXISTS")
other = api.order.limit_replace(account, order.id, instrument="EUR_USD", units=6, price=down)
assert other.get("orderCancelTransaction", 201).reason == "CLIENT_REQUEST_REPLACED"
pending = api.order.list_pending(account).get("orders", 200)
assert [o.units for o in pending] == [6]
assert api.order.cancel(account, pending[0].id).get("orderCancelTransaction", 200).reason == "CLIENT_REQUEST"
gone = api.order.cancel(account, pending[0].id)
assert (gone.status, gone.get("orderCancelRejectTransaction").rejectReason) == (404, "ORDER_DOESNT_EXIST")
assert api.order.get(account, pending[0].id).status == 404
for kind, price in (("stop", up), ("market_if_touched", down)):
    created = getattr(api.order, kind)(account, instrument="EUR_USD", units=5, price=price).get(
        "orderCreateTransaction", 201
    )
    api.order.cancel(account, created.id).get("orderCancelTransaction", 200)

for refused, code in (
    ({"units": 0}, "UNITS_INVALID"),
    ({"units": "1.5"}, "UNITS_PRECISION_EXCEEDED"),
    ({"units": 10**9}, "UNITS_LIMIT_EXCEEDED"),
    ({"units": 1, "timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
    ({"units": 1, "clientExtensions": {"id": "x" * 129}}, "CLIENT_ORDER_ID_INVALID"),
    ({"units": 1, "stopLossOnFill": {"price": "1.0000001"}}, "STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED"),
):
    no = api.order.market(account, **{"instrument": "EUR_USD", **refused})
    assert (no.status, no.get("errorCode"), no.get("orderRejectTransaction").rejectReason) == (400, code, code)
bad = api.order.market(account, instrument="NO_SUCH", units=1)
assert bad.status == 400 and bad.get("errorCode").endswith("InvalidParameterException")
poor = api.order.market(account, instrument="EUR_USD", units=9_000_000)
assert poor.get("orderCancelTransaction", 201).reason == "INSUFFICIENT_MARGIN"
stranger = v20.Context(where.hostname, where.port, ssl=False, token="wrong")
assert stranger.account.summary(account).status == 401
assert api.account.summary("101-001-0000001-999").status == 403

since = api.transaction.since(account, id=start).get("transactions", 200)
assert [int(t.id) for t in since] == list(range(int(start) + 1, int(start) + 1 + len(since)))
pages = api.transaction.list(account, pageSize=10, type="ORDER_FILL").get("pages", 200)
assert all("idrange" in page for page in pages)
some = api.transaction.range(account, fromID=1, toID=3).get("transactions", 200)
assert [t.type for t in some][:2] == ["CREATE", "TRANSFER_FUNDS"]
assert api.transaction.get(account, fill.id).get("transaction", 200).type == "ORDER_FILL"
changes = api.account.changes(account, sinceTransactionID=start)
assert len(changes.get("changes", 200).transactions) == len(since)
assert changes.get("changes").tradesClosed[0].id == trade.id and changes.get("state").NAV > 0
for kind, message in stream.transaction.stream(account).parts():
    assert kind == "transaction.TransactionHeartbeat" and message.lastTransactionID == since[-1].id
    break
assert api.account.configure(account, alias="Renamed").get("clientConfigureTransaction", 200).alias == "Renamed"
print("passed", len(since))
