"""Models that learn: what is kept of a fit is the fit, and nothing of a test part is in it."""

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.research.costs import CostModel
from sep_trader.research.exploring import set_of
from sep_trader.research.features import Features
from sep_trader.research.learned import LearnedParameters, fit_from_json
from sep_trader.research.learning import LearnedGrid, Learning, _boosting, _logistic
from sep_trader.research.lookahead import looks_ahead, needs_more
from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward

FREE = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)
CANDLES = replace(random_walk(12_000, 9), spread=np.zeros(12_000))


def drawn(rows: int = 4_000, columns: int = 12) -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(rows, columns))
    return matrix, rng.random(rows) < 1 / (1 + np.exp(-(matrix[:, 0] - 0.7 * matrix[:, 3] * matrix[:, 1])))


def test_a_kept_logistic_fit_is_that_of_the_library() -> None:
    from sklearn.linear_model import LogisticRegression

    matrix, won = drawn()
    mine = fit_from_json(json.loads(json.dumps(_logistic(matrix, won).to_json())))
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
    theirs = LogisticRegression(C=0.1, max_iter=200).fit((matrix - mean) / scale, won)
    told = theirs.predict_proba((matrix - mean) / scale)[:, 1]
    assert np.abs(mine.probability(matrix) - told).max() < 1e-9


def test_a_kept_boosted_fit_is_that_of_the_library() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    matrix, won = drawn()
    mine = fit_from_json(json.loads(json.dumps(_boosting(matrix, won).to_json())))
    theirs = HistGradientBoostingClassifier(
        max_iter=30, max_depth=3, learning_rate=0.1, min_samples_leaf=200, early_stopping=False, random_state=1
    ).fit(matrix, won)
    fresh = np.random.default_rng(3).normal(size=(5_000, 12)) * 2
    assert np.abs(mine.probability(fresh) - theirs.predict_proba(fresh)[:, 1]).max() < 1e-9


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_nothing_behind_a_training_part_is_in_its_fit(kind: str) -> None:
    grid = LearnedGrid(kind, exits=((4.0, 6.0, 20),), thresholds=(0.3,))
    first = Learning.of(CANDLES, FREE)
    rows = np.arange(0, 6_000 - 21)
    one = first._fit(kind, rows, first.outcomes(grid.exits[0], 1))
    other = Learning.of(CANDLES.take(slice(0, 6_000)), FREE)
    two = other._fit(kind, rows, other.outcomes(grid.exits[0], 1))
    assert one is not None
    assert two is not None
    assert one.to_json() == two.to_json()


def made(threshold: float = 0.5) -> LearnedParameters:
    series = Learning.of(CANDLES, FREE)
    rows = np.arange(0, 6_000)
    fits = [series._fit("logistic", rows, series.outcomes((4.0, 6.0, 20), side)) for side in (1, -1)]
    assert fits[0] is not None
    assert fits[1] is not None
    return LearnedParameters(series.features, fits[0], fits[1], threshold, 4.0, 6.0, 20)


def test_it_is_data_and_neither_looks_ahead_nor_wakes_too_early() -> None:
    parameters = made(0.45)
    model = Model("EUR_USD", Granularity.M1, parameters, "h")
    again = Model.from_json(json.loads(json.dumps(model.to_json())))
    assert again.id == model.id
    found, same = parameters.propose(CANDLES), again.parameters.propose(CANDLES)  # type: ignore[union-attr]
    assert np.array_equal(found.side, same.side)
    assert np.count_nonzero(found.side) > 100
    assert looks_ahead(parameters.propose, CANDLES, cuts=6) == []
    assert needs_more(parameters.propose, CANDLES, parameters.warm_up(Granularity.M1), cuts=6) == []


def test_candle_by_candle_is_the_whole_series() -> None:
    parameters, part = made(0.45), CANDLES.take(slice(0, 2_200))
    whole = parameters.propose(part)
    stream = parameters.stream("EUR_USD", Granularity.M1)
    columns = (part.time, part.open, part.high, part.low, part.close, part.spread, part.volume)
    begin = parameters.warm_up(Granularity.M1) + 1_441
    for at, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        proposal = stream.update(*row)
        if at >= begin:
            assert (0 if proposal is None else proposal.side) == whole.side[at]


def test_the_features_have_names_and_few_microseconds() -> None:
    features = Features.of(Granularity.M1)
    matrix = features.matrix(CANDLES)
    assert matrix.shape == (12_000, len(features.names))
    assert {"rupture_32", "trend_16_M5", "moved_20"} <= set(features.names)
    parameters = made()
    known = np.where(np.isfinite(matrix), matrix, 0.0)
    begun = time.perf_counter()
    parameters.buy.probability(known)
    assert (time.perf_counter() - begun) / len(known) < 20e-6


def test_a_walk_forward_says_how_well_it_was_calibrated() -> None:
    grid = LearnedGrid("logistic", exits=((4.0, 6.0, 20),), thresholds=(0.3, 0.4))
    found = walk_forward(CANDLES, grid, FREE, FREE, WalkForwardPlan(min_trades=5), lambda *_: None)
    assert found.learned is not None
    assert any(one is not None for one in found.chosen)
    assert abs(found.learned["brier"] - found.learned["brier_base"]) < 0.05, "a random walk tells nothing"
    assert sum(one["entries"] for one in found.learned["calibration"]) > 1_000
    assert {one["feature"] for one in found.learned["importance"]} == set(Features.of(Granularity.M1).names)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "oracle"}, "unknown model"),
        ({"thresholds": (2,)}, "threshold 2 is no probability"),
        ({"thresholds": ("much",)}, "is no probability"),
        ({"exits": ((0.0, 1.0, 5),)}, "are out of range"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LearnedGrid(**given)


def test_a_backtest_of_what_has_yet_to_learn_says_so() -> None:
    with pytest.raises(InputError, match="sep train PAIR --strategy logistic"):
        set_of("logistic", {})


@pytest.mark.parametrize(
    "poison", [{"parameters": 7}, {"parameters": {}}, {"granularity": "M7"}, {"pair": None, "kind": 3}]
)
def test_a_poisoned_artifact_is_one_sentence(poison: dict[str, Any]) -> None:
    for kind in ("rule", "function", "learned"):
        given: dict[str, Any] = {
            "format": 1,
            "kind": kind,
            "pair": "EUR_USD",
            "granularity": "M1",
            "parameters": {},
            "data_hash": "h",
        }
        if kind == "rule" and poison == {"parameters": {}}:
            continue  # a rule's own defaults
        with pytest.raises(InputError):
            Model.from_json(given | poison)
