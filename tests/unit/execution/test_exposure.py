"""What the account carries, by the broker's trades and by our orders under way."""

from dataclasses import replace
from decimal import Decimal

from tests.support.passes import EURO, books, execution, pricing, snapshot, trade

from sep_trader.execution.exposure import exposure_of, factors, mid_factor, with_order
from sep_trader.risk.limits import Approved, Marks
from sep_trader.states import ExecutionStatus

NAV = Decimal(10_000)
MARKS = Marks(NAV, NAV, NAV)
TERMS = {"EUR_USD": EURO}
UNKNOWN = execution(2, status=ExecutionStatus.UNKNOWN, units=Decimal(-2000))


def test_rates_into_the_accounts_currency() -> None:
    assert factors(pricing(), "USD", "USD") == (Decimal(1), Decimal(1))
    assert factors(pricing(), "EUR", "USD") == (Decimal("1.36"), Decimal("1.38"))
    assert factors(pricing(), "CHF", "USD") == (Decimal(0), Decimal(0))
    assert mid_factor(pricing(), "EUR", "USD") == Decimal("1.37")


def test_every_trade_and_every_unsettled_order_counts() -> None:
    of = books(executions=(execution(), UNKNOWN), orders_last_minute=3, losses_in_a_row=2)
    found = exposure_of(snapshot(trade(), trade(50, ours=False, units=Decimal(500))), pricing(), of, MARKS, TERMS)
    size = Decimal("1.37")
    assert found.gross == (1000 + 500 + 2000) * size
    assert found.by_currency == {"EUR": -500 * size, "USD": 500 * size}
    assert found.open_trades == 2
    assert found.unsettled_pairs == {"EUR_USD"}
    assert found.margin_available == NAV - 2000 * size * EURO.margin_rate
    assert (found.nav, found.marks, found.orders_last_minute, found.losses_in_a_row) == (NAV, MARKS, 3, 2)


def test_a_missing_rate_leaves_the_exposure_unknown() -> None:
    found = exposure_of(snapshot(trade(instrument="CHF_JPY"), trade(32)), pricing(), books(), MARKS, TERMS)
    assert found.gross is None
    assert found.by_currency["EUR"] == 1370


def test_an_order_more() -> None:
    start = exposure_of(snapshot(trade()), pricing(), books(executions=(execution(),)), MARKS, TERMS)
    order = Approved(Decimal(-3000), Decimal(1), Decimal(1), Decimal(1), None)
    yen = replace(EURO, name="EUR_JPY")
    after = with_order(start, yen, order, Decimal("1.37"))
    assert after.gross == 4000 * Decimal("1.37")
    assert after.by_currency == {"EUR": -2740, "USD": -1370, "JPY": 4110}
    assert after.open_trades == 2
    assert after.unsettled_pairs == {"EUR_USD", "EUR_JPY"}
    assert after.margin_available == NAV - 4110 * yen.margin_rate
    assert after.orders_last_minute == 1
    assert with_order(replace(start, gross=None), yen, order, Decimal(1)).gross is None
