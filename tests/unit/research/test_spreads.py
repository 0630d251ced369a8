"""Spreads that nobody recorded: declared, measured, or unknown."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.research.spreads import SpreadModel, filled
from sep_trader.states import SpreadSource

PIP = 1e-4


def test_a_recorded_spread_stays_and_the_others_are_declared() -> None:
    candles = random_walk(1_440)
    spread = candles.spread.copy()
    spread[::2] = np.nan
    model = SpreadModel.parse("0-11:2.5,12-23:1.2")
    found, spreads = filled(replace(candles, spread=spread), model, PIP)
    assert np.array_equal(found.spread[1::2], candles.spread[1::2])
    hours = found.time[::2] // 3_600 % 24
    assert found.spread[::2] == pytest.approx(np.where(hours < 12, 2.5, 1.2) * PIP)
    assert (spreads.source, spreads.recorded, spreads.candles) == (SpreadSource.DECLARED, 720, 1_440)
    assert str(spreads) == "spread declared: 1.2 to 2.5 pip on 720 of 1440 candles"


def test_without_a_model_they_are_unknown_and_priced_as_free() -> None:
    candles = replace(random_walk(10), spread=np.full(10, np.nan))
    found, spreads = filled(candles, None, PIP)
    assert found.spread.tolist() == [0.0] * 10
    assert spreads.source is SpreadSource.UNKNOWN


def test_a_spread_of_zero_that_was_seen_is_recorded() -> None:
    candles = replace(random_walk(10), spread=np.zeros(10))
    assert filled(candles, SpreadModel.constant(3), PIP)[1].source is SpreadSource.RECORDED


def test_a_model_is_measured_by_the_hour_and_an_hour_without_any_has_the_widest() -> None:
    candles = random_walk(12 * 60)  # half a day, from 16:54 on
    hours = candles.time // 3_600 % 24
    spread = np.where(hours == 20, 4.0, 1.0) * PIP
    spread[::3] = np.nan
    model = SpreadModel.measured(replace(candles, spread=spread), PIP)
    assert model.source is SpreadSource.MEASURED
    assert model.pips_by_hour[20] == pytest.approx(4.0)
    assert model.pips_by_hour[18] == pytest.approx(1.0)
    assert model.pips_by_hour[10] == pytest.approx(4.0)
    with pytest.raises(InputError, match="99 candles of EUR_USD have a recorded spread, 100 are needed"):
        SpreadModel.measured(random_walk(99), PIP)


@pytest.mark.parametrize(
    ("text", "said"),
    [("0-22:1", "no spread for 23:00 UTC"), ("0-23:x", "'0-23:x'"), ("0-23:1,5:2", "'5:2'"), ("0-24:1", "'0-24:1'"),
     ("", "no spread for 0:00 UTC"), ("0-23:-1", "a spread of -1.0 pips"), ("0-23:nan", "a spread of nan pips")],
)  # fmt: skip
def test_a_table_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        SpreadModel.parse(text)
