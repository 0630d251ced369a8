"""What the broker's record means for our orders and trades."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.port import BrokerTrade, Transaction
from sep_trader.execution.reconcile import (
    OrderEnded,
    OrderFilled,
    TradeChanged,
    changes_of,
    compare_open_trades,
    exit_reason,
    missing_ids,
)

NOW = datetime(2014, 5, 15, 8, tzinfo=UTC)


def transaction(kind: str, number: int = 7, **raw: Any) -> Transaction:
    return Transaction(number, kind, NOW, {"type": kind, **raw})


def trade(trade_id: int, units: int, client_id: str | None = None) -> BrokerTrade:
    return BrokerTrade(
        trade_id=trade_id, instrument="EUR_USD", units=Decimal(units), initial_units=Decimal(units),
        price=Decimal("1.37"),
        open_time=NOW, state="OPEN", realized_pl=Decimal(0), financing=Decimal(0), client_id=client_id, stop_loss=None,
        take_profit=None,
    )  # fmt: skip


def test_a_fill_of_our_order_opens_its_trade() -> None:
    opened = {"tradeID": "7", "units": "100", "price": "1.37015"}
    (change,) = changes_of(transaction("ORDER_FILL", orderID="6", clientOrderID="sep-1", tradeOpened=opened))
    assert isinstance(change, OrderFilled)
    assert (change.client_id, change.order_id, change.part.trade_id) == ("sep-1", 6, 7)


def test_a_fill_that_turns_a_position_round_closes_before_it_opens() -> None:
    changes = changes_of(
        transaction(
            "ORDER_FILL", orderID="6", clientOrderID="sep-1", reason="MARKET_ORDER",
            tradesClosed=[{"tradeID": "3", "units": "-50", "realizedPL": "1.0000"}],
            tradeOpened={"tradeID": "7", "units": "50", "price": "1.37"},
        )
    )  # fmt: skip
    assert [type(c) for c in changes] == [TradeChanged, OrderFilled]


def test_an_order_that_only_reduced_others_opened_nothing() -> None:
    reduced = {"tradeID": "3", "units": "-50", "realizedPL": "1.0000"}
    changes = changes_of(transaction("ORDER_FILL", orderID="6", clientOrderID="sep-1", tradeReduced=reduced))
    assert isinstance(changes[0], TradeChanged)
    assert not changes[0].closed
    assert changes[1] == OrderEnded("sep-1", 6, "NOTHING_OPENED")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (
            {"kind": "ORDER_CANCEL", "orderID": "6", "clientOrderID": "sep-1", "reason": "MARKET_HALTED"},
            "MARKET_HALTED",
        ),
        (
            {"kind": "MARKET_ORDER_REJECT", "clientExtensions": {"id": "sep-1"}, "rejectReason": "UNITS_INVALID"},
            "UNITS_INVALID",
        ),
    ],
)
def test_an_order_that_came_to_nothing_says_why(raw: dict[str, Any], code: str) -> None:
    (change,) = changes_of(transaction(raw.pop("kind"), **raw))
    assert isinstance(change, OrderEnded)
    assert (change.client_id, change.code) == ("sep-1", code)


@pytest.mark.parametrize(
    ("cause", "minutes", "reason"),
    [
        ("STOP_LOSS_ORDER", 5, "STOP_LOSS"),
        ("TAKE_PROFIT_ORDER", 90, "TAKE_PROFIT"),
        ("MARKET_ORDER_TRADE_CLOSE", 30, "HORIZON"),
        ("MARKET_ORDER_TRADE_CLOSE", 29, "MANUAL"),
        ("MARKET_ORDER_MARGIN_CLOSEOUT", 5, "MARGIN_CLOSEOUT"),
    ],
)
def test_the_reason_of_an_exit(cause: str, minutes: int, reason: str) -> None:
    assert exit_reason(cause, NOW + timedelta(minutes=minutes), NOW + timedelta(minutes=30)) == reason


def test_holes_in_the_record_are_found() -> None:
    items = [transaction("ORDER_CANCEL", n) for n in (8, 9, 12)]
    assert missing_ids(7, items) == [10, 11]
    assert missing_ids(6, items[:2]) == [7]
    assert missing_ids(7, []) == []


def test_differences_between_our_books_and_the_brokers() -> None:
    ours = {1: Decimal(100), 2: Decimal(50)}
    theirs = [trade(1, 60), trade(3, 10, "sep-abc"), trade(4, 10, "by hand")]
    texts = [d.text for d in compare_open_trades(ours, theirs)]
    assert [t.split(" ")[1] for t in texts] == ["2", "1", "3"]  # the trade made by hand is not ours to judge
    assert compare_open_trades({1: Decimal(60)}, theirs[:1]) == []
