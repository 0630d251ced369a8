"""How much each pair, design and registration weighs, and what an account must be worth: fixed before any data. Pure.

Weights add up to at most 1 over everything that could ever be tried. So no command, order or family of pairs changes a
threshold, and whoever tries more pays with later, smaller weights.
"""

import math

from sep_trader.market.instrument import parse_pair

ALPHA = 0.05
MAJORS = ("EUR_USD", "GBP_USD", "USD_JPY", "USD_CHF", "AUD_USD", "USD_CAD", "NZD_USD")
CROSSES = (
    "EUR_GBP", "EUR_JPY", "EUR_CHF", "EUR_AUD", "EUR_CAD", "EUR_NZD", "GBP_JPY", "GBP_CHF", "GBP_AUD", "GBP_CAD",
    "GBP_NZD", "AUD_JPY", "AUD_CHF", "AUD_CAD", "AUD_NZD", "CAD_JPY", "CAD_CHF", "NZD_JPY", "NZD_CHF", "NZD_CAD",
    "CHF_JPY",
)  # fmt: skip
_OTHERS = 1 / 8
_BASEL = 6 / math.pi**2


def nth_weight(number: int) -> float:
    """The weight of the n-th of endlessly many, n from 1: 6 / (pi n)^2. All of them add up to 1."""
    if number < 1:
        raise ValueError(f"the {number}th of a row that begins with the first")
    return _BASEL / number**2


def pair_weight(pair: str, other: int | None = None) -> float:
    """The weight of a pair. other: which of the pairs beside majors and crosses it is, by its first ledger row, from 1.

    Raises ValueError for such a pair without a number.
    """
    name = parse_pair(pair)
    if name in MAJORS:
        return 1 / (2 * len(MAJORS))
    if name in CROSSES:
        return 3 / (8 * len(CROSSES))
    if other is None:
        raise ValueError(f"{name} is neither a major nor a cross: its weight depends on when it first was tried")
    return _OTHERS * nth_weight(other)


def threshold(weight: float) -> float:
    """What an account of a weight must be worth: 280 for a major, 1,120 for a cross."""
    return 1 / (ALPHA * weight)
