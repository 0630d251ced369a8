"""Two questions to every strategy before it may be READY: does it look ahead, and does it need more candles than it
says? Both are asked of the proposals themselves, whatever made them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.research.strategies import Proposals

Propose = Callable[[Candles], Proposals]
_COLUMNS = ("side", "confidence", "stop", "target")
CUTS = 60
_SHORTEST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A candle whose proposal is another one when less is known. candle: its number in the whole series."""

    cut: int
    candle: int
    column: str
    whole: float
    part: float


def looks_ahead(propose: Propose, candles: Candles, *, cuts: int = CUTS, seed: int = 1) -> list[Difference]:
    """Cut the series at random places: up to a cut, the proposals must be those of the whole series, to the bit.

    Gives the first difference of each cut that has one; empty where nothing looked ahead.
    """
    whole = propose(candles)
    places = np.random.default_rng(seed).integers(min(_SHORTEST, len(candles) - 1), len(candles), cuts)
    found = []
    for cut in np.unique(places).tolist():
        part = propose(candles.take(slice(0, cut)))
        found += _first(whole, part, cut, slice(0, cut), slice(0, cut))
    return found


def needs_more(propose: Propose, candles: Candles, stated: int, *, cuts: int = CUTS, seed: int = 1) -> list[Difference]:
    """Let the series begin later at random places: from the stated number of candles on, the proposals must be those
    of the whole series, to the bit."""
    whole = propose(candles)
    latest = max(1, len(candles) - stated - 1)
    places = np.random.default_rng(seed).integers(0, latest, cuts)
    found = []
    for begin in np.unique(places).tolist():
        part = propose(candles.take(slice(begin, len(candles))))
        found += _first(whole, part, begin, slice(begin + stated, len(candles)), slice(stated, len(candles) - begin))
    return found


def _first(whole: Proposals, part: Proposals, cut: int, here: slice, there: slice) -> list[Difference]:
    """The first difference where either of them proposes; stop and target of no proposal do not matter."""
    sides = whole.side[here], part.side[there]
    proposed = (sides[0] != 0) | (sides[1] != 0)
    for column in _COLUMNS:
        one, other = getattr(whole, column)[here], getattr(part, column)[there]
        differs = proposed & (one != other) & ~(np.isnan(one) & np.isnan(other))
        if differs.any():
            at = int(np.argmax(differs))
            return [Difference(cut, (here.start or 0) + at, column, float(one[at]), float(other[at]))]
    return []
