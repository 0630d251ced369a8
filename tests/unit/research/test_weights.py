"""Weights add up to at most 1, whatever is tried; thresholds are those of the design."""

import pytest

from sep_trader.research.weights import CROSSES, MAJORS, nth_weight, pair_weight, threshold


def test_all_weights_add_up_to_one_at_most() -> None:
    named = sum(pair_weight(pair) for pair in (*MAJORS, *CROSSES))
    others = sum(pair_weight("USD_SEK", other=k) for k in range(1, 20_000))
    assert named == pytest.approx(1 / 2 + 3 / 8)
    assert 0.124 < others < 1 / 8
    assert sum(nth_weight(k) for k in range(1, 20_000)) < 1


def test_there_are_seven_majors_and_twenty_one_crosses() -> None:
    assert (len(MAJORS), len(set(CROSSES))) == (7, 21)
    assert not set(MAJORS) & set(CROSSES)


def test_the_thresholds_are_the_designs() -> None:
    assert threshold(pair_weight("EUR_USD")) == pytest.approx(280)
    assert threshold(pair_weight("EUR_GBP")) == pytest.approx(1120)


def test_a_pair_beside_them_needs_its_number() -> None:
    with pytest.raises(ValueError, match="USD_SEK"):
        pair_weight("USD_SEK")
    with pytest.raises(ValueError, match="0th"):
        nth_weight(0)
