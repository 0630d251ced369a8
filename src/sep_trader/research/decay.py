"""When an edge that was promised is gone: an e-detector on live trades, and what more trades could decide. Pure.

The detector restarts a bet against the promised edge at every trade and adds all of these bets up. While the edge is
there, the mean number of trades until it cries wolf is at least `run_length`, whatever the outcomes depend on.

Source: Shin, Ramdas, Rinaldo, e-detectors (2022).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

_LAMBDAS = (1 / 4, 1 / 8, 1 / 16)
LEAST_RUN_LENGTH = 1_000
AGAINST_R = 0.05
"""An edge of so many R that cannot be there makes a pair NOT_READY."""
AGAINST_LIMIT = 20.0
_AGAINST_LAMBDA = 1 / 4


@dataclass(slots=True)
class DecayDetector:
    """Watches outcomes (R) for the loss of an edge. promised: half of what was promised, which is biased upwards.

    run_length: trades of a year, at least 1,000.
    """

    promised: float
    run_length: int = LEAST_RUN_LENGTH
    sums: list[float] = field(default_factory=lambda: [0.0] * len(_LAMBDAS))

    @property
    def value(self) -> float:
        """The mean of the sums."""
        return sum(self.sums) / len(self.sums)

    @property
    def alarmed(self) -> bool:
        """Whether the edge is taken as gone."""
        return self.value >= self.run_length

    def take(self, outcome: float, most: float) -> bool:
        """Take a trade's outcome, at most `most` (what it could gain, in R); tell whether the edge is taken as gone."""
        lost = (min(outcome, most) - self.promised) / (most - self.promised)
        self.sums = [max(0.0, 1 - share * lost) * (one + 1) for share, one in zip(_LAMBDAS, self.sums, strict=True)]
        return self.alarmed


def against_an_edge(outcomes: Sequence[tuple[float, float]]) -> float:
    """The account that bets against an edge of 0.05 R: worth 20, no such edge is there. Pairs of outcome and the most
    that it could have been, in R."""
    value = 1.0
    for outcome, most in outcomes:
        value *= max(0.0, 1 - _AGAINST_LAMBDA * (min(outcome, most) - AGAINST_R) / (most - AGAINST_R))
    return value


def trades_to_decide(value: float, wanted: float, growth: float) -> int | None:
    """How many more trades at the observed growth (mean logarithm a trade) bring an account to what is wanted; None
    where no number does."""
    if growth <= 0 or value <= 0:
        return None
    return max(0, math.ceil(math.log(wanted / value) / growth))
