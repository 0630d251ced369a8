"""An order's life, through every route that changes an account."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.values import AnyOrder, LimitOrder, StopOrder
from sep_trader.broker.port import Cancelled, Filled, MarketOrder, Rejected, Resting

TICK = Decimal("0.00001")


def market(units: int, client_id: str = "sep-1", **rest: Any) -> MarketOrder:
    return MarketOrder("EUR_USD", Decimal(units), client_id, **rest)


def test_from_a_fill_with_exits_to_the_last_close(client: OandaClient) -> None:
    (price,) = client.pricing(["EUR_USD"]).prices
    before = client.summary().last_transaction_id
    stop, target = price.bid - Decimal("0.0050001"), price.ask + Decimal("0.0100001")
    opened = client.place(market(1000, stop_loss=stop, take_profit=target, trailing_stop=Decimal("0.02")))
    assert isinstance(opened, Filled)
    assert (opened.price, opened.units) == (price.ask, Decimal(1000))
    assert opened.trade_id is not None

    (trade,) = client.open_trades()
    assert trade == client.trade(opened.trade_id) == client.trade_of("sep-1")
    assert (trade.units, trade.price, trade.client_id) == (Decimal(1000), price.ask, "sep-1")
    assert (trade.stop_loss, trade.take_profit) == (price.bid - 501 * TICK, price.ask + 1001 * TICK)
    assert trade.trailing_stop == Decimal("0.02")
    assert client.position("EUR_USD").units == 1000
    assert {order.type for order in client.pending_orders()} == {"STOP_LOSS", "TAKE_PROFIT", "TRAILING_STOP_LOSS"}
    assert client.resolve("sep-1", before).fill_id == opened.fill_id  # type: ignore[union-attr]

    part = client.close_trade(trade.trade_id, Decimal(400))
    assert isinstance(part, Filled) and part.units == -400
    changes = client.changes(before)
    assert [(item.trade_id, item.units) for item in changes.trades_reduced] == [(trade.trade_id, Decimal(600))]
    rest = client.close_trade(trade.trade_id)
    assert isinstance(rest, Filled) and rest.units == -600
    again = client.close_trade(trade.trade_id)
    assert isinstance(again, Rejected) and again.reason == "TRADE_DOESNT_EXIST"
    assert client.resolve_close(trade.trade_id, before).fill_id == rest.fill_id  # type: ignore[union-attr]

    closed = client.trade(trade.trade_id)
    assert (closed.state, closed.units, closed.average_close_price) == ("CLOSED", Decimal(0), rest.price)
    assert closed.realized_pl == part.pl + rest.pl
    assert client.summary().balance == rest.balance == 100000 + part.pl + rest.pl
    assert client.pending_orders() == []
    assert trade.trade_id in [item.trade_id for item in client.trades(state="CLOSED", instrument="EUR_USD")]


def test_exits_are_moved_and_taken_off(client: OandaClient) -> None:
    (price,) = client.pricing(["EUR_USD"]).prices
    opened = client.place(market(-500, take_profit=price.bid - Decimal("0.01")))
    assert isinstance(opened, Filled) and opened.trade_id is not None
    trade = client.trade(opened.trade_id)
    stop = client.change_exits(trade, stop_loss=price.ask + Decimal("0.0040001"), take_profit=Decimal(0))
    assert isinstance(stop, Resting)
    moved = client.trade(trade.trade_id)
    assert (moved.stop_loss, moved.take_profit) == (price.ask + 401 * TICK, None)
    off = client.change_exits(moved, stop_loss=Decimal(0))
    assert isinstance(off, Cancelled) and off.order_id == stop.order_id
    assert client.trade(trade.trade_id).stop_loss is None


def test_entries_rest_are_replaced_and_cancelled(client: OandaClient) -> None:
    (price,) = client.pricing(["EUR_USD"]).prices
    limit = LimitOrder("EUR_USD", Decimal(10), price.bid - Decimal("0.05"), "sep-limit")
    first = client.place(limit)
    assert isinstance(first, Resting)
    second = client.replace(first.order_id, LimitOrder("EUR_USD", Decimal(20), limit.price - TICK, "sep-limit-2"))
    assert isinstance(second, Resting) and second.order_id != first.order_id
    until = price.time + timedelta(days=1)
    entry = StopOrder("EUR_USD", Decimal(-10), limit.price, "sep-stop", time_in_force="GTD", gtd_time=until)
    third = client.place(entry)
    assert isinstance(third, Resting)
    pending = {order.order_id: order for order in client.pending_orders()}
    assert set(pending) == {second.order_id, third.order_id}
    assert (pending[second.order_id].units, pending[second.order_id].client_id) == (Decimal(20), "sep-limit-2")
    assert pending[third.order_id].type == "STOP"
    for order_id in pending:
        gone = client.cancel(order_id)
        assert isinstance(gone, Cancelled) and (gone.order_id, gone.reason) == (order_id, "CLIENT_REQUEST")
    assert client.pending_orders() == []
    late = client.cancel(second.order_id)
    assert isinstance(late, Rejected) and late.reason == "ORDER_DOESNT_EXIST"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (market(1_000_000_000), "UNITS_LIMIT_EXCEEDED"),
        (market(1, "x" * 129), "CLIENT_ORDER_ID_INVALID"),
        (MarketOrder("EUR_USD", Decimal(1), "sep-gtc", time_in_force="GTC"), "TIME_IN_FORCE_INVALID"),
        (MarketOrder("XXX_YYY", Decimal(1), "sep-unknown"), "NOT_SENT"),
        (market(0), "UNITS_INVALID"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(client: OandaClient, order: AnyOrder, reason: str) -> None:
    outcome = client.place(order)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == reason


def test_created_and_cancelled(client: OandaClient) -> None:
    (price,) = client.pricing(["EUR_USD"]).prices
    before = client.summary().last_transaction_id
    outcome = client.place(market(100, "sep-bound", price_bound=price.bid))
    assert isinstance(outcome, Cancelled) and outcome.reason == "BOUNDS_VIOLATION"
    seen = client.resolve("sep-bound", before)
    assert isinstance(seen, Cancelled) and (seen.order_id, seen.reason) == (outcome.order_id, outcome.reason)
    outcome = client.place(market(100, "sep-stop", stop_loss=price.ask + Decimal("0.01")))
    assert isinstance(outcome, Cancelled) and outcome.reason == "STOP_LOSS_ON_FILL_LOSS"
    assert client.open_trades() == []


def test_the_same_id_again_is_a_second_order_but_not_a_second_trade(client: OandaClient) -> None:
    before = client.summary().last_transaction_id
    first = client.place(market(100))
    second = client.place(market(100))
    assert isinstance(first, Filled)
    assert isinstance(second, Cancelled) and second.reason == "CLIENT_TRADE_ID_ALREADY_EXISTS"
    found = client.resolve("sep-1", before)
    assert isinstance(found, Filled) and found.order_id == first.order_id


def test_the_record_is_the_same_however_it_is_read(client: OandaClient) -> None:
    (price,) = client.pricing(["EUR_USD"]).prices
    for number in range(3):
        client.place(market(100, f"sep-{number}"))
    since = client.transactions_since(0)
    assert since.complete_since(0)
    between = client.transactions_between(1, since.last_id)
    assert between.items == since.items
    assert tuple(client.transaction_history(price.time - timedelta(days=7))) == since.items
    fills = client.transaction_history(price.time - timedelta(days=7), types=["ORDER_FILL"])
    assert [item.type for item in fills] == ["ORDER_FILL"] * 3
    assert client.transaction(since.last_id) == since.items[-1]
