"""The port of a strategy: what a person writes, and what he is told when it is wrong."""

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.research.function_grid import FunctionGrid
from sep_trader.research.function_rule import parameters_of
from sep_trader.research.lookahead import looks_ahead, needs_more
from sep_trader.research.strategies import propose
from sep_trader.strategies import Entries, View, strategy
from sep_trader.strategies.classics import (
    bollinger_fade,
    donchian_breakout,
    london_open_range,
    rsi_reversal,
    sma_cross,
)
from sep_trader.strategies.finding import find, registered_names

CLASSICS = (sma_cross, rsi_reversal, donchian_breakout, bollinger_fade, london_open_range)
OWN = """
import numpy as np

def follow(candles, length=5):
    change = np.concatenate([[np.nan] * length, candles.close[length:] - candles.close[:-length]])
    return np.sign(change)

follow.grid = {"length": [5, 10]}
"""


@pytest.mark.parametrize("one", CLASSICS, ids=lambda one: str(one.name))
def test_a_classic_has_at_most_ten_lines_and_is_registered(one: Any) -> None:
    assert len(inspect.getsource(one.function).strip().splitlines()) <= 10
    assert one.name in registered_names()
    assert find(one.name).strategy is one


@pytest.mark.parametrize("one", CLASSICS, ids=lambda one: str(one.name))
def test_a_classic_neither_looks_ahead_nor_wakes_too_early(one: Any) -> None:
    candles = random_walk(9_000)
    for parameters in FunctionGrid.of(one.name, {}).sets()[:2]:
        found = propose(candles, parameters)
        assert np.count_nonzero(found.side) > 10
        assert looks_ahead(parameters.propose, candles, cuts=8) == []
        assert needs_more(parameters.propose, candles, parameters.warm_up(candles.granularity), cuts=8) == []


@pytest.mark.parametrize("one", CLASSICS, ids=lambda one: str(one.name))
def test_candle_by_candle_is_the_whole_series(one: Any) -> None:
    candles = random_walk(4_000)
    parameters = FunctionGrid.of(one.name, {}).base
    whole = propose(candles, parameters)
    stream = parameters.stream("EUR_USD", Granularity.M1)
    prices = (candles.time, candles.open, candles.high, candles.low, candles.close, candles.spread, candles.volume)
    begin = parameters.warm_up(Granularity.M1)
    for at, row in enumerate(zip(*(column.tolist() for column in prices), strict=True)):
        made = stream.update(*row)
        if at < begin:
            continue
        assert (0 if made is None else made.side) == whole.side[at]
        if made is not None:
            assert (made.stop, made.target) == (whole.stop[at], whole.target[at])


def test_a_plain_function_of_a_file_is_a_strategy(tmp_path: Path) -> None:
    path = tmp_path / "my.py"
    path.write_text(OWN)
    grid = FunctionGrid.of(f"{path}:follow", {})
    assert [dict(one.values) for one in grid.sets()] == [{"length": 5}, {"length": 10}]
    chosen = parameters_of(f"{path}:follow", {"length": 7, "horizon": 12, "stop_ranges": 3.0})
    assert (dict(chosen.values), chosen.horizon, chosen.stop_ranges) == ({"length": 7}, 12, 3.0)
    model = Model("EUR_USD", Granularity.M1, chosen, "h")
    assert Model.from_json(model.to_json()) == model
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    candles = random_walk(500)
    assert np.array_equal(propose(candles, chosen).side, propose(candles, pickle.loads(pickle.dumps(chosen))).side)
    # A changed file is another strategy, and a model of the old one says so.
    path.write_text(OWN + "# changed")
    with pytest.raises(InputError, match="was changed since it was trained"):
        Model.from_json(model.to_json())
    # A model that arrives runs no file but the one that it was made of.
    path.write_text(f"open({str(tmp_path / 'was run')!r}, 'w')")
    with pytest.raises(InputError, match="was changed since it was trained"):
        Model.from_json(model.to_json())
    assert not (tmp_path / "was run").exists()


def test_distances_of_its_own_and_larger_candles() -> None:
    @strategy(warm_up=600)
    def own(candles: View, ticks: int = 20) -> Entries:
        hours = candles.larger("M15")
        rising = candles.align(hours, np.sign(hours.close - hours.open))
        return Entries(rising, stop=ticks * 1e-5, target=np.full(len(candles), 4e-4))

    candles = random_walk(1_000)
    entries = own.entries(candles, {"ticks": 30})
    assert entries.stop == pytest.approx(3e-4)
    assert set(np.unique(entries.side)) <= {-1, 0, 1}
    assert entries.side[0] == 0


MISTAKES = {
    "def f(candles): return 3": "returned",
    "def f(candles): return candles.close": "other values than -1, 0, 1",
    "def f(candles): raise KeyError('x')": "strategy f failed: KeyError",
    "def f(candles, length): return 0": "parameter length has no default",
    "f = 3": "'f' is no strategy",
    "def f(candles) return": "cannot be loaded: SyntaxError",
    "def g(candles): return 0": "has no 'f'",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items())
def test_a_mistake_is_named_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        propose(random_walk(100), parameters_of(f"{path}:f", {}))
    assert "\n" not in str(caught.value)


def test_unknown_names_are_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no strategy 'sma_cros'.*sma_cross"):
        find("sma_cros")
    with pytest.raises(InputError, match="has no parameter 'fats'"):
        parameters_of("sma_cross", {"fats": 3})
    with pytest.raises(InputError, match="no strategy file"):
        find(f"{tmp_path}/none.py:f")
