"""OANDA's record, read: every type of transaction that moves money, an order or an exit says so in our words."""

from decimal import Decimal
from typing import Any

import pytest

from sep_trader.broker.oanda.record import transaction
from sep_trader.ledger.entries import amount_of
from sep_trader.ledger.transactions import (
    Adjustment,
    ExitKind,
    ExitsChanged,
    Fill,
    FillCause,
    Financing,
    FinancingPart,
    OrderEnded,
    OrderPlaced,
    Other,
    Transfer,
)

TIME = "2026-09-23T21:14:07.570329138Z"
CLOSE: dict[str, Any] = {
    "type": "ORDER_FILL", "orderID": "44", "clientOrderID": "sep-1", "reason": "MARKET_ORDER", "pl": "-12.3400",
    "financing": "-0.5000", "commission": "1.0000", "guaranteedExecutionFee": "0.2000", "accountBalance": "9985.9600",
    "tradesClosed": [
        {"tradeID": "31", "units": "-100", "price": "1.13000", "realizedPL": "-10.0000", "financing": "-0.4000",
         "halfSpreadCost": "0.0100"},
        {"tradeID": "32", "units": "-20", "price": "1.13000", "realizedPL": "-2.3400", "financing": "-0.1000",
         "halfSpreadCost": "0.0020"},
    ],
    "tradeOpened": {"tradeID": "40", "units": "-50", "price": "1.13000", "halfSpreadCost": "0.0050"},
}  # fmt: skip


def read(kind: str, **fields: Any) -> Any:
    """The event of a transaction of a type."""
    return transaction({"id": "45", "time": TIME, "type": kind, **fields}).event


def test_a_fill_says_what_it_opened_closed_and_cost() -> None:
    found = transaction({"id": "45", "time": TIME, **CLOSE})
    fill = found.event
    assert isinstance(fill, Fill)
    assert (fill.order_id, fill.client_id, fill.cause) == (44, "sep-1", FillCause.ORDER)
    assert (fill.gross_pl, fill.financing, fill.fees) == (Decimal("-12.34"), Decimal("-0.5"), Decimal("1.2"))
    assert fill.opened is not None
    assert [p.trade_id for p in (*fill.closed, fill.opened)] == [31, 32, 40]
    assert found.balance == Decimal("9985.96")
    assert found.client_id == "sep-1"


def test_the_parts_of_a_fill_add_up_to_it_and_the_first_carries_the_fees() -> None:
    found = transaction({"id": "45", "time": TIME, **CLOSE})
    assert isinstance(found.event, Fill) and found.event.opened is not None
    parts = [*found.event.closed, found.event.opened]
    assert sum(p.gross_pl + p.financing - p.commission for p in parts) == amount_of(found)
    assert [p.commission for p in parts] == [Decimal("1.2"), 0, 0]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("STOP_LOSS_ORDER", FillCause.STOP_LOSS),
        ("TAKE_PROFIT_ORDER", FillCause.TAKE_PROFIT),
        ("TRAILING_STOP_LOSS_ORDER", FillCause.TRAILING_STOP),
        ("MARKET_ORDER_TRADE_CLOSE", FillCause.TRADE_CLOSE),
        ("MARKET_ORDER_POSITION_CLOSEOUT", FillCause.POSITION_CLOSE),
        ("MARKET_ORDER_MARGIN_CLOSEOUT", FillCause.MARGIN_CLOSEOUT),
        ("LIMIT_ORDER", FillCause.ORDER),
        ("SOMETHING_NEW", FillCause.OTHER),
    ],
)
def test_the_cause_of_a_fill(reason: str, cause: FillCause) -> None:
    assert read("ORDER_FILL", orderID="1", reason=reason).cause is cause


def test_daily_financing_is_stated_for_the_account_and_for_each_trade() -> None:
    positions = [
        {"instrument": "EUR_USD", "openTradeFinancings": [{"tradeID": "31", "financing": "-0.5000"}]},
        {"instrument": "NZD_USD", "openTradeFinancings": [{"tradeID": "35", "financing": "-0.2500"}]},
    ]
    parts = (FinancingPart(31, Decimal("-0.5")), FinancingPart(35, Decimal("-0.25")))
    found = read("DAILY_FINANCING", financing="-0.7500", positionFinancings=positions)
    assert found == Financing(Decimal("-0.75"), parts)
    assert read("DAILY_FINANCING", financing="-0.75") == Financing(Decimal("-0.75"), ())


def test_money_that_moves_outside_trading_is_a_transfer_or_an_adjustment() -> None:
    assert read("TRANSFER_FUNDS", amount="-500", fundingReason="CLIENT_FUNDING") == Transfer(Decimal(-500))
    assert read("TRANSFER_FUNDS", amount="3", fundingReason="ADJUSTMENT") == Adjustment(Decimal(3))
    assert read("DIVIDEND_ADJUSTMENT", dividendAdjustment="-1.5") == Adjustment(Decimal("-1.5"))


def test_an_order_is_placed_cancelled_or_rejected_under_its_name() -> None:
    assert read("MARKET_ORDER", clientExtensions={"id": "sep-1"}) == OrderPlaced(45, "sep-1")
    assert read("LIMIT_ORDER") == OrderPlaced(45, None)
    ended = read("ORDER_CANCEL", orderID="44", clientOrderID="sep-1", reason="MARKET_HALTED")
    assert ended == OrderEnded(44, "sep-1", "MARKET_HALTED")
    rejected = read("MARKET_ORDER_REJECT", clientExtensions={"id": "sep-1"}, rejectReason="UNITS_INVALID")
    assert rejected == OrderEnded(None, "sep-1", "UNITS_INVALID")


def test_a_rejected_replacement_leaves_the_order_as_it_is() -> None:
    fields = {"clientExtensions": {"id": "sep-1"}, "intendedReplacesOrderID": "44", "rejectReason": "UNITS_INVALID"}
    assert read("LIMIT_ORDER_REJECT", **fields) == Other()


@pytest.mark.parametrize(
    "kind", ["ORDER_CANCEL_REJECT", "ORDER_CLIENT_EXTENSIONS_MODIFY_REJECT", "TRADE_CLIENT_EXTENSIONS_MODIFY_REJECT"]
)
def test_a_rejected_request_about_an_order_leaves_the_order_as_it_is(kind: str) -> None:
    found = transaction({
        "id": "45", "time": TIME, "type": kind, "orderID": "44", "clientOrderID": "sep-1", "rejectReason": "X",
    })  # fmt: skip
    assert found.event == Other()
    assert found.client_id is None


def test_a_new_exit_names_its_trade_and_its_level() -> None:
    stop = read("STOP_LOSS_ORDER", tradeID="31", price="1.12000", reason="ON_FILL")
    assert stop == ExitsChanged(31, 45, ExitKind.STOP_LOSS, Decimal("1.12"), None)
    trailing = read("TRAILING_STOP_LOSS_ORDER", tradeID="31", distance="0.00200")
    assert trailing == ExitsChanged(31, 45, ExitKind.TRAILING_STOP, None, Decimal("0.002"))


def test_an_unknown_type_keeps_the_balance_that_it_states() -> None:
    raw = {"id": "45", "time": TIME, "type": "NEW_FEE", "accountBalance": "99.0000", "novel": {"x": 1}}
    found = transaction(raw)
    assert found.event == Other()
    assert found.balance == Decimal(99)
    assert found.raw == raw


@pytest.mark.parametrize("missing", ["id", "type", "time"])
def test_a_transaction_without_what_it_must_have_is_an_error(missing: str) -> None:
    raw = {"id": "45", "time": TIME, "type": "CREATE"}
    del raw[missing]
    with pytest.raises(KeyError):
        transaction(raw)
