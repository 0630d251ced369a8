"""The size of a trade at its edges, and what a refusal says."""

from decimal import Decimal

import pytest

from sep_trader.market.instrument import standard_instrument
from sep_trader.risk.limits import Reason, Refused
from sep_trader.risk.sizing import size_by_risk

EURO = standard_instrument("EUR_USD")


def size(**changes: Decimal) -> Decimal | Refused:
    """The size of a EUR_USD trade that risks 50 of 10,000 over 0.0010."""
    given = {
        "nav": Decimal(10_000), "risk_per_trade": Decimal("0.005"), "stop_distance": Decimal("0.0010"),
        "loss_factor": Decimal(1), "price": Decimal("1.10000"), "base_factor": Decimal("1.1"),
        "margin_available": Decimal(10_000),
    }  # fmt: skip
    return size_by_risk(**{**given, **changes}, instrument=EURO)


def test_the_risked_share_is_lost_at_the_stop() -> None:
    assert size() == Decimal(10_000) * Decimal("0.005") / Decimal("0.0010")


@pytest.mark.parametrize("factor", ["loss_factor", "base_factor"])
@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1)])
def test_without_a_rate_there_is_no_size(factor: str, value: Decimal) -> None:
    refused = size(**{factor: value})
    currency = "USD" if factor == "loss_factor" else "EUR"
    assert refused == Refused(Reason.NO_CONVERSION_RATE, f"no rate from {currency} to the account's currency")


def test_no_more_than_is_asked_for() -> None:
    assert size(at_most=Decimal(100)) == 100
    assert size(at_most=Decimal(60_000)) == 50_000


def test_margin_that_just_suffices_is_enough_and_a_cent_less_is_not() -> None:
    needed = Decimal(50_000) * Decimal("1.1") * EURO.margin_rate
    assert size(margin_available=needed) == 50_000
    refused = size(margin_available=needed - Decimal("0.01"))
    text = f"50000 units need {needed:.2f} margin, {needed - Decimal('0.01')} is free"
    assert refused == Refused(Reason.INSUFFICIENT_MARGIN, text)


def test_a_size_below_the_smallest_trade_says_what_was_risked() -> None:
    refused = size(nav=Decimal("0.1"), stop_distance=Decimal("0.1"))
    text = "risking 0.5% of 0.1 over 0.1 buys 0 units at 1.10000, the smallest trade is 1"
    assert refused == Refused(Reason.SIZE_BELOW_MINIMUM, text)
