"""What a trade costs beyond the move: spread, slippage, and financing at 17:00 New York."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.clock import NEW_YORK

CUT_OFF = time(17)


@dataclass(frozen=True, slots=True)
class CostModel:
    """Costs of a trade, on top of nothing: they are in every number.

    slippage_pips: at every fill, against the trade. spread_multiplier: times the measured spread. financing_long,
    financing_short: annual rates on the entry's value, charged (negative) or paid for each 17:00 New York passed,
    365 to a year. pip: size of one pip in price units. Raises InputError for a value that is no number or out of range.
    """

    slippage_pips: float = 0.2
    spread_multiplier: float = 1.0
    financing_long: float = -0.01
    financing_short: float = -0.01
    pip: float = 0.0001

    def __post_init__(self) -> None:
        for name in ("slippage_pips", "spread_multiplier", "pip"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf or (name == "pip" and value == 0.0):
                raise InputError(f"{name} is {value}", "a finite number, not below 0; a pip above 0")
        for name in ("financing_long", "financing_short"):
            if not -1.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} is {getattr(self, name)}", "an annual rate in -1..1")

    @property
    def slippage(self) -> float:
        """Slippage of one fill in price units."""
        return self.slippage_pips * self.pip


def rollovers(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count the 17:00 New York cut-offs passed up to each time, daylight saving included; every day has one.

    at: seconds since the epoch, increasing, int64[N]. The count starts at 0 for the first time; a difference of two
    counts is the number of nights between them.
    """
    if len(at) == 0:
        return np.zeros(0, dtype=np.int64)
    day = datetime.fromtimestamp(int(at[0]), UTC).astimezone(NEW_YORK).date() - timedelta(days=1)
    last = datetime.fromtimestamp(int(at[-1]), UTC).astimezone(NEW_YORK).date()
    cut_offs = []
    while day <= last:
        cut_offs.append(int(datetime.combine(day, CUT_OFF, NEW_YORK).timestamp()))
        day += timedelta(days=1)
    passed = np.searchsorted(np.array(cut_offs, dtype=np.int64), at, side="right")
    return np.asarray(passed - passed[0], dtype=np.int64)
