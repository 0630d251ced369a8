"""What a transaction does to the account."""

from decimal import Decimal

from sep_trader.ledger.entries import entry_of, fill_parts, financing_parts

CLOSE = {
    "type": "ORDER_FILL", "pl": "-12.3400", "financing": "-0.5000", "commission": "1.0000",
    "guaranteedExecutionFee": "0.0000", "accountBalance": "9986.1600",
    "tradesClosed": [
        {"tradeID": "31", "units": "-100", "price": "1.13000", "realizedPL": "-10.0000", "financing": "-0.4000",
         "halfSpreadCost": "0.0100"},
        {"tradeID": "32", "units": "-20", "price": "1.13000", "realizedPL": "-2.3400", "financing": "-0.1000",
         "halfSpreadCost": "0.0020"},
    ],
    "tradeOpened": {"tradeID": "40", "units": "-50", "price": "1.13000", "halfSpreadCost": "0.0050"},
}  # fmt: skip


def test_a_fill_moves_the_balance_by_pl_financing_and_fees() -> None:
    entry = entry_of(CLOSE)
    assert entry.amount == Decimal("-12.34") + Decimal("-0.50") - Decimal("1.00")
    assert entry.is_profit
    assert entry.balance == Decimal("9986.1600")


def test_the_parts_of_a_fill_add_up_to_it() -> None:
    parts = fill_parts(CLOSE)
    assert parts.opened is not None
    every = [*parts.closed, parts.opened]
    assert sum(p.gross_pl + p.financing - p.commission for p in every) == entry_of(CLOSE).amount
    assert [p.trade_id for p in every] == [31, 32, 40]
    assert parts.closed[0].commission == Decimal(1)


def test_transfers_are_not_profit() -> None:
    entry = entry_of({"type": "TRANSFER_FUNDS", "amount": "500.00", "accountBalance": "10500.00"})
    assert (entry.amount, entry.is_profit) == (Decimal(500), False)


def test_daily_financing_is_booked_to_the_trades_it_names() -> None:
    raw = {
        "type": "DAILY_FINANCING", "financing": "-0.7500",
        "positionFinancings": [
            {"instrument": "EUR_USD", "openTradeFinancings": [{"tradeID": "31", "financing": "-0.5000"}]},
            {"instrument": "NZD_USD", "openTradeFinancings": [{"tradeID": "35", "financing": "-0.2500"}]},
        ],
    }  # fmt: skip
    parts = financing_parts(raw)
    assert parts == {31: Decimal("-0.5"), 35: Decimal("-0.25")}
    assert sum(parts.values()) == entry_of(raw).amount


def test_an_order_that_waits_moves_nothing() -> None:
    assert entry_of({"type": "MARKET_ORDER"}).amount == 0
