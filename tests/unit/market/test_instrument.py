"""Pairs, their usual terms, and the names of granularities."""

from decimal import Decimal

import pytest

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument, parse_pair, standard_instrument


@pytest.mark.parametrize(
    "text", ["EUR_USD", "eur_usd", "EUR/USD", "eur-usd", "EURUSD", "eurusd"]
)  # fmt: skip
def test_a_pair_has_many_spellings(text: str) -> None:
    assert parse_pair(text) == "EUR_USD"


@pytest.mark.parametrize(
    "text", ["", "EUR", "EUR_EUR", "EUR_XXX", "XXX_EUR", "EURUSDX", "EUR_USD_JPY", "EU_RUSD", "EURUS", "EUR__USD"]
)
def test_what_is_no_pair_is_named(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_pair(text)
    assert refused.value.message == f"unknown pair '{text}'"
    assert refused.value.hint == "write it as EUR_USD"


def test_the_usual_terms() -> None:
    assert standard_instrument("eurusd") == Instrument("EUR_USD")
    assert standard_instrument("EUR_USD").minimum_trailing_stop_distance == Decimal("0.0005")
    for pair in ("USD_JPY", "EUR_HUF", "USD_THB"):
        assert standard_instrument(pair.lower()) == Instrument(
            pair, pip_location=-2, display_precision=3, minimum_trailing_stop_distance=Decimal("0.05")
        )
    # The yen as base currency has nothing to do with the decimals of the quote.
    assert standard_instrument("CHF_USD").display_precision == 5


def test_sizes_and_prices_are_rounded_as_the_broker_rounds() -> None:
    euro, yen = standard_instrument("EUR_USD"), standard_instrument("USD_JPY")
    assert (euro.base, euro.quote, euro.pip, euro.tick) == ("EUR", "USD", Decimal("0.0001"), Decimal("0.00001"))
    assert (yen.pip, yen.tick) == (Decimal("0.01"), Decimal("0.001"))
    assert euro.quantise_price(Decimal("1.300005")) == Decimal("1.30000")
    assert euro.quantise_price(Decimal("1.300015")) == Decimal("1.30002")
    assert str(euro.quantise_price(Decimal("1.3"))) == "1.30000"
    assert euro.quantise_units(Decimal("1999.99")) == 1999
    assert euro.quantise_units(Decimal("-1999.99")) == -1999
    assert str(Instrument("EUR_USD", trade_units_precision=1).quantise_units(Decimal("7.77"))) == "7.7"


def test_granularities_have_names_and_codes() -> None:
    assert Granularity.parse("m15") is Granularity.M15
    assert Granularity.parse("D").seconds == 86_400
    for place, one in enumerate(Granularity, start=1):
        assert (one.code, Granularity.from_code(place)) == (place, one)
    with pytest.raises(InputError) as refused:
        Granularity.parse("m7")
    assert refused.value.message == "unknown granularity 'm7'"
    assert refused.value.hint == "one of " + ", ".join(one.value for one in Granularity)
