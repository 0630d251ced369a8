"""The rule strategy: causal, and the same on a short tail as on the whole series."""

from collections.abc import Callable

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.parameters import RANGE_CANDLES, RuleParameters
from sep_trader.research.strategies import mean_candle_range, propose

CASES = [
    RuleParameters(window=16, theta_run=0.3),
    RuleParameters(window=32, theta_run=0.3, mode="fade", encoder="body"),
    RuleParameters(window=16, theta_run=0.3, confirm=("M5", "M15")),
]


@pytest.mark.parametrize("parameters", CASES)
def test_a_proposal_never_changes_when_the_future_is_cut_off(
    random_candles: Callable[..., Candles], parameters: RuleParameters
) -> None:
    candles = random_candles(3_000)
    whole = propose(candles, parameters)
    assert np.count_nonzero(whole.side) > 20
    for cut in (400, 1_499, 1_502, 2_200, 2_999):
        part = propose(candles.take(slice(0, cut)), parameters)
        np.testing.assert_array_equal(part.side, whole.side[:cut])
        np.testing.assert_array_equal(part.stop, whole.stop[:cut])
        np.testing.assert_array_equal(part.confidence, whole.confidence[:cut])


def test_fading_turns_every_side_round(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(2_000)
    follow = propose(candles, RuleParameters(window=16, theta_run=0.3))
    fade = propose(candles, RuleParameters(window=16, theta_run=0.3, mode="fade"))
    np.testing.assert_array_equal(fade.side, -follow.side)


def test_confirmation_only_takes_proposals_away(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(3_000)
    alone = propose(candles, RuleParameters(window=16, theta_run=0.3)).side
    confirmed = propose(candles, RuleParameters(window=16, theta_run=0.3, confirm=("M5",))).side
    assert 0 < np.count_nonzero(confirmed) < np.count_nonzero(alone)
    assert np.all((confirmed == alone) | (confirmed == 0))


def test_the_mean_range_needs_a_full_window(random_candles: Callable[..., Candles]) -> None:
    candles = random_candles(100)
    ranges = mean_candle_range(candles, 60)
    assert np.isnan(ranges[:59]).all()
    assert ranges[59] == pytest.approx((candles.high - candles.low)[:60].mean())


def test_parameters_survive_json_and_unknown_ones_are_named() -> None:
    parameters = RuleParameters(confirm=("M5", "M15"), mode="fade")
    assert RuleParameters.from_json(parameters.to_json()) == parameters
    with pytest.raises(InputError, match="leverage"):
        RuleParameters.from_json({"leverage": 50})
    with pytest.raises(InputError, match="unknown mode 'hope'"):
        RuleParameters(mode="hope")


@pytest.mark.parametrize(
    ("granularity", "confirm", "candles"),
    [
        (Granularity.M1, (), RANGE_CANDLES),  # longer than a window of 32
        (Granularity.M1, ("M5",), (32 + 1) * 5),
        (Granularity.M5, ("M15",), (32 + 1) * 3),
        (Granularity.H1, ("D",), (32 + 1) * 24),
    ],
)
def test_the_warm_up_counts_candles_of_the_models_own_granularity(
    granularity: Granularity, confirm: tuple[str, ...], candles: int
) -> None:
    assert RuleParameters(window=32, confirm=confirm).warm_up(granularity) == candles
