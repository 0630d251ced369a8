"""What happens between neighbouring bits: NULL, FLIP, RUPTURE; one at a time, in arrays, and as runs."""

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sep_trader.qfh.bits import NO_BIT, Bits


class State(IntEnum):
    """State of a transition (b_{t-1}, b_t); NONE where one of the two bits does not exist."""

    NONE = -1
    NULL = 0
    FLIP = 1
    RUPTURE = 2


@dataclass(frozen=True, slots=True)
class Run:
    """A run of one state: index of its first transition (that of its newer bit), state, number of transitions."""

    start: int
    state: State
    length: int


def states(bits: Bits) -> npt.NDArray[np.int8]:
    """Classify every transition: int8[N], at t the state of (b_{t-1}, b_t), State.NONE where one is missing."""
    out = np.full(len(bits), State.NONE, dtype=np.int8)
    before, now = bits[:-1], bits[1:]
    known = (before != NO_BIT) & (now != NO_BIT)
    out[1:] = np.where(known, before + now, int(State.NONE))
    return out


def runs(of: npt.NDArray[np.int8]) -> list[Run]:
    """Aggregate states to runs, oldest first; missing transitions are in no run and end one."""
    if len(of) == 0:
        return []
    edges = np.concatenate(([0], np.flatnonzero(np.diff(of)) + 1, [len(of)]))
    return [Run(lo, State(of[lo]), hi - lo) for lo, hi in pairwise(edges.tolist()) if of[lo] != State.NONE]


class StateClassifier:
    """Classify transitions one bit at a time: the same states as `states` on the whole array."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = NO_BIT

    def update(self, bit: int) -> State:
        """Take the next bit, -1 for a missing one, and return the state of the transition to it."""
        last, self._last = self._last, bit
        return State.NONE if NO_BIT in (last, bit) else State(last + bit)
