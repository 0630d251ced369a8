from decimal import Decimal

import pytest

from sep_trader.exchange.market.figures import (
    half_even,
    money_text,
    number_text,
    price_text,
    read_number,
    read_time,
    time_text,
    to_ticks,
    unix_text,
)


@pytest.mark.parametrize(
    ("ticks", "precision", "text"),
    [(113835, 5, "1.13835"), (50000, 5, "0.50000"), (1, 5, "0.00001"), (110123, 3, "110.123"), (-5, 5, "-0.00005")],
)
def test_prices_have_all_their_decimals(ticks: int, precision: int, text: str) -> None:
    assert price_text(ticks, precision) == text
    assert to_ticks(Decimal(text), precision) == ticks


@pytest.mark.parametrize(("a", "b", "expected"), [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (7, 3, 2), (8, 3, 3)])
def test_division_rounds_half_to_even(a: int, b: int, expected: int) -> None:
    assert half_even(a, b) == expected


def test_a_price_with_more_decimals_than_the_instrument_has_no_ticks() -> None:
    assert to_ticks(Decimal("1.123456"), 5) is None
    assert to_ticks(Decimal("1.1234500"), 5) == 112345


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2014-05-01T12:00:00Z", 1398945600 * 10**9),
        ("2014-05-01T12:00:00.000000001Z", 1398945600 * 10**9 + 1),
        ("2014-05-01T14:00:00.5+02:00", 1398945600 * 10**9 + 5 * 10**8),
        ("1398945600.000000001", 1398945600 * 10**9 + 1),
        ("2014-05-01T12:00:00", 1398945600 * 10**9),
    ],
)
def test_times_are_read_in_both_formats(text: str, ns: int) -> None:
    assert read_time(text) == ns


@pytest.mark.parametrize("text", ["", "yesterday", "2014-13-01T00:00:00Z", "2014-05-01T12:00:00.Z", "-5", "NaN"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text) is None


def test_times_are_written_with_nine_digits() -> None:
    ns = 1398945600 * 10**9 + 7
    assert time_text(ns) == "2014-05-01T12:00:00.000000007Z"
    assert unix_text(ns) == "1398945600.000000007"
    assert read_time(time_text(ns)) == read_time(unix_text(ns)) == ns


def test_money_has_four_decimals_and_no_minus_zero() -> None:
    assert money_text(Decimal("-0.00001")) == "0.0000"
    assert money_text(Decimal("0.00025")) == "0.0002"
    assert number_text(Decimal("1E+3")) == "1000"
    assert number_text(Decimal("-0.0")) == "0"


@pytest.mark.parametrize("value", [True, None, [], "x", "Infinity", "NaN", "1e"])
def test_what_is_no_number_is_none(value: object) -> None:
    assert read_number(value) is None
