"""fivetwenty, whose models are strict, goes through a trading day. Run as: with_fivetwenty.py URL TOKEN ACCOUNT"""

import asyncio
import sys
from decimal import Decimal

import httpx
from fivetwenty import AsyncClient
from fivetwenty._internal.environment import Environment
from fivetwenty.exceptions import FiveTwentyError
from fivetwenty.models import LimitOrderRequest, MarketOrderRequest

url, token, account = sys.argv[1:]
Environment.stream_url = property(lambda self: f"{url}/v3")  # type: ignore[method-assign, assignment]


async def refused(call, status, code):
    try:
        await call
    except FiveTwentyError as error:
        assert error.status == status and error.code == code, (error.status, error.code, code)
    else:
        raise AssertionError(f"{code} was not refused")


async def main():
    async with httpx.AsyncClient(base_url=f"{url}/v3") as http:
        api = AsyncClient(token, account_id=account, transport=http, max_retries=0)
        await read_the_market(api)
        start = (await api.accounts.get_account(account))["lastTransactionID"]
        await trade(api)
        await say_no(api)
        await read_the_record(api, start)
    print("passed")


async def read_the_market(api):
    assert [str(a.id) for a in await api.accounts.get_accounts()] == [account]
    summary = (await api.accounts.get_account_summary(account))["account"]
    assert summary.balance == Decimal("100000.0000")
    listed = (await api.accounts.get_account_instruments(account))["instruments"]
    assert len(listed) == 28
    candles = (await api.instruments.get_instrument_candles("EUR_USD", granularity="M1", count=10, price="BMA"))[
        "candles"
    ]
    assert len(candles) == 10 and candles[0].complete
    found = await api.pricing.get_account_instrument_candles(account, "USD_JPY", granularity="H1", count=3)
    assert len(found["candles"]) == 3
    latest = await api.pricing.get_latest_candles(account, ["EUR_USD:M1:BM"])
    assert latest["latestCandles"]
    prices = await api.pricing.get_pricing(account, ["EUR_USD"], include_home_conversions=True)
    assert prices["prices"][0].bids[0].price < prices["prices"][0].asks[0].price
    seen = set()
    async for message in api.pricing.get_pricing_stream(account, ["EUR_USD", "USD_JPY"]):
        seen.add(type(message).__name__)
        if len(seen) == 2:
            break
    assert seen == {"ClientPrice", "PricingHeartbeat"}, seen


async def trade(api):
    price = (await api.pricing.get_pricing(account, ["EUR_USD"]))["prices"][0].asks[0].price
    up, down = price + Decimal("0.02"), price - Decimal("0.02")
    placed = await api.orders.post_market_order(account, "EUR_USD", 1000, take_profit=up, stop_loss=down)
    fill = placed["orderFillTransaction"]
    number = fill.trade_opened.trade_id
    one = (await api.trades.get_trade(account, number))["trade"]
    assert (one.current_units, one.take_profit_order.price, one.stop_loss_order.price) == (1000, up, down)
    order = MarketOrderRequest(instrument="EUR_USD", units=500, client_extensions={"id": "five-1"},
                               trade_client_extensions={"id": "five-1"})  # fmt: skip
    await api.orders.post_order(account, order)
    twin = await api.orders.post_order(account, order)
    assert twin["orderCancelTransaction"].reason == "CLIENT_TRADE_ID_ALREADY_EXISTS"
    assert len((await api.trades.get_open_trades(account))["trades"]) == 2
    await api.trades.put_trade_orders(account, "@five-1", trailing_stop_loss={"distance": "0.01"})
    await api.trades.close_trade(account, number, units="200")
    closed = await api.trades.close_trade(account, number)
    assert closed["orderFillTransaction"].trades_closed[0].units == -800
    assert len((await api.positions.get_open_positions(account))["positions"]) == 1
    await api.positions.close_position(account, "EUR_USD", long_units="ALL")
    assert (await api.positions.get_position(account, "EUR_USD"))["position"].long.units == 0

    limit = LimitOrderRequest(instrument="EUR_USD", units=5, price=down, client_extensions={"id": "five-2"})
    resting = (await api.orders.post_order(account, limit))["orderCreateTransaction"]
    assert (await api.orders.get_order(account, resting.id))["order"].price == down
    await refused(api.orders.post_order(account, limit), 400, "CLIENT_ORDER_ID_ALREADY_EXISTS")
    assert len((await api.orders.get_pending_orders(account))["orders"]) == 1
    replaced = await api.orders.put_order(account, "@five-2", limit)
    await api.orders.cancel_order(account, replaced["orderCreateTransaction"].id)
    await refused(api.orders.cancel_order(account, "@five-2"), 404, "ORDER_DOESNT_EXIST")
    await refused(api.orders.get_order(account, resting.id), 404, "NO_SUCH_ORDER")


async def say_no(api):
    for change, code in (
        ({"units": "0"}, "UNITS_INVALID"),
        ({"units": "0.5"}, "UNITS_PRECISION_EXCEEDED"),
        ({"units": "1000000000"}, "UNITS_LIMIT_EXCEEDED"),
        ({"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
        ({"instrument": "NO_SUCH"}, "oanda::rest::core::InvalidParameterException"),
    ):
        order = {"type": "MARKET", "instrument": "EUR_USD", "units": "1", **change}
        await refused(api.orders.post_order(account, order), 400, code)
    await refused(api.trades.close_trade(account, "99999"), 404, "TRADE_DOESNT_EXIST")
    await refused(api.accounts.get_account("101-001-0000001-999"), 403, None)


async def read_the_record(api, start):
    since = (await api.transactions.get_transactions_since_id(account, start))["transactions"]
    ids = [int(entry.id) for entry in since]
    assert ids == list(range(int(start) + 1, int(start) + 1 + len(ids)))
    assert (await api.transactions.get_transactions(account))["count"] == len(ids) + 2
    assert len((await api.transactions.get_transactions_range(account, "1", "3"))["transactions"]) == 3
    assert (await api.transactions.get_transaction(account, "1"))["transaction"].type == "CREATE"
    changes = await api.accounts.get_account_changes(account, since_transaction_id=start)
    assert len(changes["changes"].trades_closed) == 2 and changes["lastTransactionID"] == str(ids[-1])
    async for message in api.transactions.get_transactions_stream(account):
        assert type(message).__name__ == "TransactionHeartbeat"
        break
    await api.accounts.patch_account_configuration(account, alias="Mine")


asyncio.run(main())
