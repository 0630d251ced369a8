"""What `--set` says becomes a grid, or one sentence."""

import pytest

from sep_trader.cli.training_options import grid_of, spec_of
from sep_trader.errors import InputError
from sep_trader.research.grid import Grid


def test_nothing_said_is_the_grid_of_the_catalogue() -> None:
    assert grid_of(None) == Grid()


def test_everything_of_the_rule_can_be_reached() -> None:
    grid = grid_of(
        [
            "window=16, 32", "confirm=none,M5+M15", "encoder=magnitude(32)", "entropy_max=0.9,0.99",
            "stability_min=0.3", "exits=4:6:20,inf:9:30", "mode=fade", "theta_run=0.3",
        ]
    )  # fmt: skip
    assert isinstance(grid, Grid)
    sets = grid.sets()
    assert len(sets) == 2 * 2 * 2 * 2
    assert {one.encoder for one in sets} == {"magnitude(32)"}
    assert {one.confirm for one in sets} == {(), ("M5", "M15")}
    assert {one.entropy_max for one in sets} == {0.9, 0.99}
    assert {one.stability_min for one in sets} == {0.3}
    assert {one.stop_ranges for one in sets} == {4.0, float("inf")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("window", "not a set of values"),
        ("wndow=3", "not a set of values: 'wndow=3'"),
        ("window=a", "not a value of window: 'a'"),
        ("exits=4:6", "not a value of exits: '4:6'"),
        ("encoder=direction,body", "2 encoders in one grid"),
        ("confirm=M7", "M7"),
        ("mode=both", "unknown mode 'both'"),
        ("entropy_max=2", "entropy_max 2.0 is outside 0..1"),
    ],
)
def test_a_bad_value_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        grid_of([text])


def test_one_model_of_the_spread() -> None:
    with pytest.raises(InputError, match="one model of the spread"):
        spec_of("M1", None, None, "auto", None, 1.0, None, True, None, None, None)
