"""How the folds of a series are walked: what folds with one beginning share is walked once."""

from dataclasses import dataclass

import numpy as np

from sep_trader.research.kernels.inputs import Int
from sep_trader.research.kernels.scalar import SUM_BLOCK, Times, latest_exit


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of a fold: proposals of begin..until-1, trades inside first..last-1.

    source: the leg that it goes on from, None where it begins the fold. fold: whose sums it completes, None for a leg
    that others go on from.
    """

    first: int
    begin: int
    until: int
    last: int
    source: int | None
    fold: int | None


def legs_of(folds: Int, longest: int, step: int, time: Times) -> list[Leg]:
    """The legs of folds [first, last), each after the one that it goes on from.

    longest: the longest horizon. Up to the last whole block of which every trade ends inside, a fold is the same as a
    longer one that begins where it does; from there to its end it is walked by itself.
    """
    legs: list[Leg] = []
    source: int | None = None
    for fold in np.lexsort((folds[:, 1], folds[:, 0])).tolist():
        first, last = int(folds[fold, 0]), int(folds[fold, 1])
        if source is None or legs[source].first != first:
            source = None
        begin = first if source is None else legs[source].until
        shared = max(begin, shared_until(first, last, longest, step, time))
        if shared > begin:
            legs.append(Leg(first, begin, shared, last, source, None))
            source = len(legs) - 1
        legs.append(Leg(first, shared, last, last, source, fold))
    return legs


def shared_until(first: int, last: int, longest: int, step: int, time: Times) -> int:
    """The end of the last block of first..last-1 whose proposals' trades all leave before `last`."""
    until = first + (last - first) // SUM_BLOCK * SUM_BLOCK
    while until > first and latest_exit(until, longest, step, time) >= last:
        until -= SUM_BLOCK
    return until
