"""The designs that may book: fixed in the repository before the trades that they are judged by. Pure.

A design is a granularity with its grid, plan and costs. Its weight never changes and it is never removed: an account
that was lost stays lost. A run with anything else explores: it shows what it finds and books nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sep_trader.market.granularity import Granularity
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.plain import plain
from sep_trader.research.walk_forward import AnyGrid, WalkForwardPlan

EXPLORED = "-"
"""Instead of the name of a design: the run books nothing."""


@dataclass(frozen=True, slots=True)
class Design:
    """An entry of the catalogue. weight: its share of a pair's account. released: candles that begin later were not
    known when it was written down."""

    name: str
    granularity: Granularity
    weight: float
    released: datetime
    grid: dict[str, Any]
    """As JSON values."""
    plan: WalkForwardPlan
    least_slippage_pips: float


_RELEASED = datetime(2026, 12, 1, tzinfo=UTC)


def _collapse(granularity: Granularity, weight: float) -> Design:
    name = f"collapse-{granularity.value}"
    return Design(
        name, granularity, weight, _RELEASED, plain(Grid().to_json()), WalkForwardPlan(), CostModel().slippage_pips
    )


CATALOGUE = (
    _collapse(Granularity.M1, 1 / 2),
    _collapse(Granularity.M5, 1 / 8),
    _collapse(Granularity.M15, 1 / 8),
    _collapse(Granularity.H1, 1 / 8),
)
"""The default design has half of a pair's account, the others 3/8 together; 1/8 is kept for later ones."""


def design_of(
    designs: Iterable[Design],
    granularity: Granularity,
    grid: AnyGrid,
    plan: WalkForwardPlan,
    costs: CostModel,
) -> Design | None:
    """The design that a training is of; None where it explores: with other settings, or below the design's costs."""
    wanted = plain(grid.to_json())
    for one in designs:
        same = (one.granularity, one.grid, one.plan) == (granularity, wanted, plan)
        if same and costs.slippage_pips >= one.least_slippage_pips:
            return one
    return None
