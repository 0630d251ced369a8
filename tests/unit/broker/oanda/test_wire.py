from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda import wire

TIME = "2026-09-23T22:19:48.715540720Z"


def quote(**changes: Any) -> dict[str, Any]:
    return {
        "type": "PRICE",
        "time": TIME,
        "bids": [{"price": "149.841", "liquidity": 500000}, {"price": "149.840", "liquidity": 500000}],
        "asks": [{"price": "149.860", "liquidity": 500000}, {"price": "149.862", "liquidity": 2500000}],
        "closeoutBid": "149.832",
        "closeoutAsk": "149.870",
        "status": "tradeable",
        "tradeable": True,
        "instrument": "USD_JPY",
    } | changes


def test_a_summary_keeps_the_money_to_the_last_decimal() -> None:
    account = {
        "id": "101-001-0000001-001",
        "currency": "USD",
        "balance": "99999.9917",
        "NAV": "100000.0017",
        "unrealizedPL": "0.0100",
        "marginUsed": "0.0228",
        "marginAvailable": "99999.9689",
        "openTradeCount": 1,
        "hedgingEnabled": False,
        "resettablePLTime": "0",
        "dividendAdjustment": "0",
        "lastTransactionID": "54",
    }
    found = wire.summary({"account": account, "lastTransactionID": "55"})
    assert found.balance == Decimal("99999.9917")
    assert found.nav == found.balance + found.unrealized_pl
    assert (found.open_trade_count, found.hedging_enabled, found.last_transaction_id) == (1, False, 55)
    assert wire.summary({"account": account}).last_transaction_id == 54


def test_accounts_of_another_platform_are_marked() -> None:
    assert not wire.account({"id": "101-004-1435156-001", "tags": []}).mt4
    assert wire.account({"id": "101-004-1435156-002", "mt4AccountID": 2021987, "tags": ["MT4"]}).mt4


def test_an_instrument_is_taken_as_sent(terms: dict[str, Any]) -> None:
    euro, yen = (wire.instrument(item) for item in terms["instruments"])
    assert (euro.pip, euro.tick, euro.margin_rate) == (Decimal("0.0001"), Decimal("0.00001"), Decimal("0.02"))
    assert (yen.pip, yen.tick, yen.margin_rate) == (Decimal("0.01"), Decimal("0.001"), Decimal("0.05"))
    assert yen.financing_days == (0, 0, 3, 1, 1, 0, 0)
    assert (yen.financing_long_rate, yen.financing_short_rate) == (Decimal("0.018"), Decimal("-0.0383"))


def test_an_instrument_without_financing_keeps_the_usual_days(terms: dict[str, Any]) -> None:
    old = {key: value for key, value in terms["instruments"][0].items() if key != "financing"}
    assert wire.instrument(old).financing_days == (1, 1, 3, 1, 1, 0, 0)


def test_a_quote_is_the_best_of_each_ladder_at_its_own_time() -> None:
    found = wire.price(quote())
    assert found is not None
    assert (found.bid, found.ask) == (Decimal("149.841"), Decimal("149.860"))
    assert found.time == datetime(2026, 9, 23, 22, 19, 48, 715540, tzinfo=UTC)
    assert found.tradeable


@pytest.mark.parametrize(
    "changes",
    [
        {"tradeable": False, "status": "tradeable"},
        {"bids": [{"price": "150.000", "liquidity": 1}]},
    ],
    ids=["tradeable counts before the old status", "a crossed book"],
)
def test_a_quote_not_to_be_traded_on(changes: dict[str, Any]) -> None:
    found = wire.price(quote(**changes))
    assert found is not None
    assert not found.tradeable


def test_the_old_status_counts_where_tradeable_is_missing() -> None:
    old = {key: value for key, value in quote().items() if key != "tradeable"}
    open_, shut = wire.price(old), wire.price(old | {"status": "non-tradeable"})
    assert open_ is not None and open_.tradeable
    assert shut is not None and not shut.tradeable


def test_an_empty_book_is_no_quote() -> None:
    assert wire.price(quote(bids=[])) is None
    assert wire.price({key: value for key, value in quote().items() if key != "asks"}) is None


def test_pricing_carries_the_conversion_of_the_quote_currency() -> None:
    conversions = [
        {"currency": "JPY", "accountGain": "0.0066066", "accountLoss": "0.0067401", "positionValue": "0.0066733"},
        {"currency": "USD", "accountGain": "1", "accountLoss": "1", "positionValue": "1"},
    ]
    body = {"time": "2026-09-23T22:19:53.455623464Z", "prices": [quote(), quote(bids=[], instrument="EUR_USD")]}
    found = wire.pricing(body | {"homeConversions": conversions})
    assert found.time == datetime(2026, 9, 23, 22, 19, 53, 455623, tzinfo=UTC)
    assert [price.instrument for price in found.prices] == ["USD_JPY"]
    assert found.home_conversions["JPY"] == (Decimal("0.0066066"), Decimal("0.0067401"))
    assert found.home_conversions["USD"] == (Decimal(1), Decimal(1))


def test_a_quote_has_its_own_time_and_says_whether_it_may_be_traded() -> None:
    price = wire.price(quote())
    shut = wire.price(quote(tradeable=False))
    assert price is not None and shut is not None
    assert price.time == shut.time == datetime(2026, 9, 23, 22, 19, 48, 715540, tzinfo=UTC)
    assert price.tradeable
    assert not shut.tradeable


def test_transactions_are_sorted_and_single() -> None:
    items = [{"id": str(n), "type": "ORDER_FILL", "orderID": "9", "time": TIME, "novel": 1} for n in (12, 10, 11, 11)]
    found = wire.transactions({"transactions": items, "lastTransactionID": "12"})
    assert [item.id for item in found.items] == [10, 11, 12]
    assert found.items[0].raw["novel"] == 1
    assert found.complete_since(9)
    assert not found.complete_since(8)


def test_heartbeats_of_both_streams() -> None:
    assert wire.heartbeat({"type": "HEARTBEAT", "time": TIME}).last_transaction_id is None
    assert wire.heartbeat({"type": "HEARTBEAT", "time": TIME, "lastTransactionID": "2311"}).last_transaction_id == 2311


def test_an_open_trade_with_its_exits() -> None:
    found = wire.trade(
        {
            "id": "31",
            "instrument": "EUR_USD",
            "price": "1.13835",
            "openTime": TIME,
            "initialUnits": "-100",
            "initialMarginRequired": "2.2767",
            "state": "OPEN",
            "currentUnits": "-40",
            "realizedPL": "0.0120",
            "financing": "-0.0001",
            "dividendAdjustment": "0.0000",
            "unrealizedPL": "-0.0100",
            "marginUsed": "0.9107",
            "clientExtensions": {"id": "X"},
            "stopLossOrder": {"id": "33", "type": "STOP_LOSS", "tradeID": "31", "price": "1.14000"},
            "takeProfitOrder": {"id": "32", "type": "TAKE_PROFIT", "tradeID": "31", "price": "1.13000"},
            "trailingStopLossOrder": {"id": "34", "type": "TRAILING_STOP_LOSS", "distance": "0.00500"},
        }
    )
    assert (found.units, found.initial_units, found.client_id) == (Decimal(-40), Decimal(-100), "X")
    assert (found.stop_loss, found.take_profit) == (Decimal("1.14"), Decimal("1.13"))
    assert (found.trailing_stop, found.unrealized_pl) == (Decimal("0.005"), Decimal("-0.01"))
    assert found.close_time is None


def test_a_closed_trade() -> None:
    found = wire.trade(
        {
            "id": "31",
            "instrument": "EUR_USD",
            "price": "1.13835",
            "openTime": TIME,
            "initialUnits": "100",
            "state": "CLOSED",
            "currentUnits": "0",
            "realizedPL": "0.0120",
            "financing": "0.0000",
            "closeTime": "2026-09-23T23:00:00.000000001Z",
            "averageClosePrice": "1.13900",
            "closingTransactionIDs": ["40"],
        }
    )
    assert (found.units, found.state, found.average_close_price) == (Decimal(0), "CLOSED", Decimal("1.139"))
    assert found.close_time == datetime(2026, 9, 23, 23, tzinfo=UTC)
    assert found.unrealized_pl is None


def test_orders_of_an_entry_and_of_an_exit() -> None:
    entry = wire.order(
        {
            "id": "34",
            "createTime": TIME,
            "type": "LIMIT",
            "instrument": "EUR_USD",
            "units": "1",
            "price": "0.50000",
            "state": "PENDING",
            "partialFill": "DEFAULT_FILL",
            "clientExtensions": {"id": "Y"},
        }
    )
    assert (entry.units, entry.price, entry.trade_id, entry.client_id) == (Decimal(1), Decimal("0.5"), None, "Y")
    trailing = {"id": "35", "createTime": TIME, "type": "TRAILING_STOP_LOSS", "tradeID": "31", "state": "PENDING"}
    stop = wire.order(trailing | {"distance": "0.00500"})
    assert (stop.units, stop.trade_id, stop.distance) == (None, 31, Decimal("0.005"))


def test_positions_of_one_side_of_both_and_of_none() -> None:
    long = {"units": "100", "averagePrice": "1.13835", "pl": "0.1", "tradeIDs": ["31"]}
    found = wire.position({"instrument": "EUR_USD", "pl": "0.1", "unrealizedPL": "-0.2", "long": long})
    assert (found.units, found.long_price, found.short_price) == (Decimal(100), Decimal("1.13835"), None)
    both = {"instrument": "EUR_USD", "long": long, "short": {"units": "-30", "averagePrice": "1.2"}}
    assert wire.position(both).units == 70
    assert wire.position({"instrument": "EUR_USD", "long": {"units": "0"}, "short": {"units": "0"}}).units == 0


def test_changes_join_a_trade_with_the_exits_made_with_it() -> None:
    stop = {"id": "33", "createTime": TIME, "type": "STOP_LOSS", "tradeID": "31", "price": "1.1", "state": "PENDING"}
    trade = {
        "id": "31",
        "instrument": "EUR_USD",
        "price": "1.13835",
        "openTime": TIME,
        "initialUnits": "1",
        "state": "OPEN",
        "currentUnits": "1",
        "stopLossOrderID": "33",
    }
    body = {
        "changes": {
            "ordersCreated": [stop],
            "tradesOpened": [trade],
            "positions": [{"instrument": "EUR_USD", "long": {"units": "1"}}],
            "transactions": [{"id": "31", "type": "ORDER_FILL", "orderID": "30", "time": TIME}],
        },
        "state": {"NAV": "100000.0000"},
        "lastTransactionID": "33",
    }
    found = wire.changes(body)
    assert found.trades_opened[0].stop_loss == Decimal("1.1")
    assert [order.order_id for order in found.orders_created] == [33]
    assert (found.trades_closed, found.orders_filled) == ((), ())
    assert (found.positions[0].units, found.transactions[0].id, found.last_id) == (Decimal(1), 31, 33)
    assert found.state["NAV"] == "100000.0000"


@pytest.mark.parametrize("value", ["0.10", 0.1, "1E-1"])
def test_numbers_may_come_as_strings_or_numbers(value: object) -> None:
    assert wire.decimal(value) == Decimal("0.1")
