"""What the kernels read: series, rules and parameter sets as columns."""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from sep_trader.research.kernels.scalar import Float, Int8, Int32

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
    """One series with everything the kernels read of it; see `trade_prices` and `run_sets`."""

    bits: Int8
    starts: npt.NDArray[np.bool_]
    folds: Int
    scale: Float
    fills: Float
    quotes: Float
    half: Float
    block_low: Float
    block_high: Float
    slippage: float
    nights: Int32
    rates: Float
    allowed: dict[int, Int8] | None = None
    """By window: values of AllowedTrend at each candle; None for both everywhere."""

    def __len__(self) -> int:
        return len(self.bits)

    def allowed_at(self, window: int) -> Int8:
        """The signs that count for a window; empty for both everywhere."""
        return np.zeros(0, np.int8) if self.allowed is None else self.allowed[window]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Distinct decision rules: window int64[R]; limits float64[R, 4] of least, most_corrected, most_entropy, fade."""

    window: Int
    limits: Float


@dataclass(frozen=True, slots=True, eq=False)
class SetColumns:
    """Parameter sets as columns of one length: rule and horizon int64, stop and target float64."""

    rule: Int
    horizon: Int
    stop: Float
    target: Float
