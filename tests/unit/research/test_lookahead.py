"""Who looks ahead is found, and who needs more candles than it says; nobody honest is."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.lookahead import looks_ahead, needs_more
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.selftest.peeks import HONEST, PEEKS
from sep_trader.research.strategies import Proposals, propose

RULE = RuleParameters(window=16, theta_run=0.3, entropy_max=0.99, stability_min=0.3)


@pytest.mark.parametrize("number", range(len(PEEKS)))
def test_every_way_to_peek_is_caught(number: int) -> None:
    found = looks_ahead(PEEKS[number], random_walk(4_000, 5), cuts=20)
    assert found != []
    assert all(one.candle < one.cut for one in found)
    assert all(one.whole != one.part for one in found)


@pytest.mark.parametrize("number", range(len(HONEST)))
def test_nobody_honest_is_taken_for_one(number: int) -> None:
    candles = random_walk(4_000, 5)
    assert np.count_nonzero(HONEST[number](candles).side) > 50, "else nothing is compared"
    assert looks_ahead(HONEST[number], candles, cuts=20) == []


@pytest.mark.parametrize("confirm", [(), ("M5", "M15")])
@pytest.mark.parametrize("encoder", ["direction", "body"])
def test_the_stated_warm_up_is_enough_and_a_much_shorter_one_is_found(confirm: tuple[str, ...], encoder: str) -> None:
    candles, parameters = random_walk(4_000, 5), replace(RULE, confirm=confirm, encoder=encoder)
    stated = parameters.warm_up(Granularity.M1)

    def ask(part: Candles) -> Proposals:
        return propose(part, parameters)

    assert needs_more(ask, candles, stated, cuts=30) == []
    assert needs_more(ask, candles, stated // 4, cuts=30) != []
