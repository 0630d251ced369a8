"""What a trade costs beyond the move: spread, slippage, and financing at 17:00 New York."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.clock import NEW_YORK

CUT_OFF = time(17)
DAYS_PER_YEAR = 365.0


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

    @property
    def daily_rates(self) -> npt.NDArray[np.float64]:
        """Financing for one night as a share of the entry's value: long, short."""
        return np.array([self.financing_long, self.financing_short]) / DAYS_PER_YEAR


def rollovers(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count the 17:00 New York cut-offs passed up to each time, daylight saving included; every day has one.

    at: seconds since the epoch, increasing, int64[N]. The count starts at 0 for the first time; a difference of two
    counts is the number of nights between them.
    """
    if len(at) == 0:
        return np.zeros(0, dtype=np.int64)
    day = datetime.fromtimestamp(int(at[0]), UTC).astimezone(NEW_YORK).date()
    last = datetime.fromtimestamp(int(at[-1]), UTC).astimezone(NEW_YORK).date()
    # Where each cut-off falls among the times: there are far fewer of them.
    places = np.searchsorted(at, _cut_offs(day, last), side="left")
    passed = np.zeros(len(at) + 1, dtype=np.int64)
    np.add.at(passed, places[places > 0], 1)
    return np.cumsum(passed[:-1])


@lru_cache(maxsize=64)
def _cut_offs(day: date, last: date) -> npt.NDArray[np.int64]:
    """The cut-offs of days, seconds since the epoch."""
    days = [day + timedelta(days=number) for number in range((last - day).days + 1)]
    return np.array([int(datetime.combine(one, CUT_OFF, NEW_YORK).timestamp()) for one in days], dtype=np.int64)
