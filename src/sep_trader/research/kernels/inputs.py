"""What the kernels read: series, rules, and parameter sets as columns."""

from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sep_trader.research.kernels.scalar import Float, Int8, Int32, Times, Words

Int = npt.NDArray[np.int64]


class AllowedTrend(IntFlag):
    """The signs of the trend that count at a candle; an int8 in the arrays that the kernels read."""

    NONE = 0
    UP = 1
    DOWN = 2
    BOTH = 3


UP, DOWN = int(AllowedTrend.UP), int(AllowedTrend.DOWN)
"""For the kernels, which know no enums."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series as it is given: mid prices and spread float64[N], starts of the candles in seconds, and its costs.

    scale: what a distance of 1 is worth in price units, None for 1. rates: financing of a night, long and short.
    folds: int64[F, 2], ranges of candles. encoder: name of the bits that rules look at. allowed: by window, values of
    AllowedTrend at each candle, None for both everywhere. words: uint32[R, 2, ceil(N / 32) + 1], proposals of any
    strategy, see `pack_sides`; None where rules make them.
    """

    open: Float
    high: Float
    low: Float
    close: Float
    spread: Float
    time: Times
    step: int
    spread_multiplier: float
    slippage: float
    rates: Float
    folds: Int
    encoder: str = "direction"
    scale: Float | None = None
    allowed: dict[int, Int8] | None = None
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.time)

    def allowed_at(self, window: int) -> Int8:
        """The signs that count for a window; empty for both everywhere."""
        return np.zeros(0, np.int8) if self.allowed is None else self.allowed[window]


class Market(NamedTuple):
    """A series as the compiled drivers read it.

    half: as `half_spreads`, float64[N + 1]. nights: as `rollovers`, int32[N]. scale: float64[N], empty for 1. bits,
    starts: as `encode_bits` and `session_starts`, empty where no rule looks. allowed: int8[K, N] by window, no row for
    both.
    """

    open: Float
    high: Float
    low: Float
    close: Float
    half: Float
    nights: Int32
    time: Times
    step: int
    scale: Float
    slippage: float
    rates: Float
    bits: Int8
    starts: npt.NDArray[np.bool_]
    allowed: Int8


class Decisions(NamedTuple):
    """Rules as the compiled drivers read them: those of window k are rule_starts[k]..rule_starts[k + 1] - 1.

    entropies: float32, by cell of window k at entropy_starts[k]; terms: float64, by count, at term_starts[k]; highest:
    the highest entropy that a window can have.
    """

    windows: Int
    rule_starts: Int
    limits: Float
    entropies: npt.NDArray[np.float32]
    entropy_starts: Int
    terms: Float
    term_starts: Int
    highest: Float


class Exits(NamedTuple):
    """Levels as the compiled drivers read them; see Levels."""

    stops: Float
    targets: Float
    horizons: Int
    turning: int


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Distinct decision rules: window int64[R]; limits float64[R, 3] of least, most_corrected, most_entropy."""

    window: Int
    limits: Float


@dataclass(frozen=True, slots=True, eq=False)
class SetColumns:
    """Parameter sets as columns of one length: rule, turned, horizon int64; stop, target float64, inf for none.

    rule: whose proposals it follows. turned: 1 where it takes the other side, else 0.
    """

    rule: Int
    turned: Int
    horizon: Int
    stop: Float
    target: Float

    def __len__(self) -> int:
        return len(self.rule)

    @property
    def distances(self) -> Float:
        """By reason of an exit, float64[S, 3]: what its price is below the fill."""
        return np.stack([self.stop, -self.target, np.full(len(self), -np.inf)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The distinct stops, targets and horizons of sets, ascending, and which each set has.

    stops, targets: float64, the finite ones. stop_of, target_of: rows of the table of first passages, stops before
    targets, and after both a row of NEVER for none. horizons: int64; horizon_of: rows of it.
    """

    stops: Float
    targets: Float
    horizons: Int
    stop_of: Int
    target_of: Int
    horizon_of: Int
    turning: int

    @classmethod
    def of(cls, sets: SetColumns) -> "Levels":
        """Find them."""
        stops = np.unique(sets.stop[np.isfinite(sets.stop)])
        targets = np.unique(sets.target[np.isfinite(sets.target)])
        horizons = np.unique(sets.horizon)
        none = len(stops) + len(targets)
        return cls(
            stops,
            targets,
            horizons,
            np.where(np.isfinite(sets.stop), np.searchsorted(stops, sets.stop), none),
            np.where(np.isfinite(sets.target), len(stops) + np.searchsorted(targets, sets.target), none),
            np.searchsorted(horizons, sets.horizon),
            int((sets.turned == 0).any()) + 2 * int((sets.turned == 1).any()),
        )

    @property
    def exits(self) -> Exits:
        """What the tables are made for."""
        return Exits(self.stops, self.targets, self.horizons, self.turning)

    @property
    def touches(self) -> int:
        """Rows of the table of first passages, that of NEVER included."""
        return len(self.stops) + len(self.targets) + 1

    @property
    def longest(self) -> int:
        """Candles that a trade may last at most, by any clock."""
        return int(self.horizons[-1]) * 2 if len(self.horizons) else 0
