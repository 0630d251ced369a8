"""Spreads that were recorded, and models of those that were not: declared by a person, or measured on the same pair."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.states import SpreadSource

Float = npt.NDArray[np.float64]
HOURS = 24
_ENOUGH = 100
"""Recorded spreads from which a model may be measured."""


@dataclass(frozen=True, slots=True)
class SpreadModel:
    """The spread of candles that came without one, in pips, by the hour of the day in UTC (24 values).

    source: declared by a person, or measured on candles of the same pair. Raises InputError for a value out of range.
    """

    pips_by_hour: tuple[float, ...]
    source: SpreadSource = SpreadSource.DECLARED

    def __post_init__(self) -> None:
        if len(self.pips_by_hour) != HOURS:
            raise InputError(f"{len(self.pips_by_hour)} spreads for {HOURS} hours", "one for each hour of the day, UTC")
        for hour, pips in enumerate(self.pips_by_hour):
            if not 0.0 <= pips <= 1_000.0:
                raise InputError(f"a spread of {pips} pips at {hour}:00 UTC", "0 to 1000 pips")

    @classmethod
    def constant(cls, pips: float) -> "SpreadModel":
        """The same spread at every hour."""
        return cls((float(pips),) * HOURS)

    @classmethod
    def parse(cls, text: str) -> "SpreadModel":
        """Read `0-5:2.5,6-20:1.2,21-23:3`, every hour once. Raises InputError that names the bad part."""
        by_hour: dict[int, float] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            hours, colon, pips = part.partition(":")
            first, _, last = hours.partition("-")
            try:
                begin, end, value = int(first), int(last or first), float(pips)
            except ValueError:
                raise InputError(f"not a spread by the hour: '{part[:40]}'", "like 0-5:2.5,6-20:1.2,21-23:3") from None
            if not colon or not 0 <= begin <= end < HOURS or by_hour.keys() & set(range(begin, end + 1)):
                raise InputError(f"not a spread by the hour: '{part[:40]}'", "hours 0 to 23, each of them once")
            by_hour |= dict.fromkeys(range(begin, end + 1), value)
        if missing := sorted(set(range(HOURS)) - by_hour.keys()):
            raise InputError(f"no spread for {missing[0]}:00 UTC", "every hour of the day needs one")
        return cls(tuple(by_hour[hour] for hour in range(HOURS)))

    @classmethod
    def measured(cls, candles: Candles, pip: float) -> "SpreadModel":
        """The median spread of each hour, of the candles that have one; an hour without any has the widest.

        Raises InputError where fewer than a hundred candles have a spread.
        """
        known = ~np.isnan(candles.spread)
        count = int(np.count_nonzero(known))
        if count < _ENOUGH:
            raise InputError(
                f"{count} candles of {candles.instrument} have a recorded spread, {_ENOUGH} are needed",
                "import candles with bid and ask, or declare a spread: --spread-pips",
            )
        hour, pips = candles.time[known] // 3_600 % HOURS, candles.spread[known] / pip
        medians = [float(np.median(pips[hour == h])) if (hour == h).any() else None for h in range(HOURS)]
        widest = max(m for m in medians if m is not None)
        return cls(tuple(widest if m is None else m for m in medians), SpreadSource.MEASURED)


@dataclass(frozen=True, slots=True)
class Spreads:
    """Where the spreads of one training come from: how many candles have a recorded one, and the model of the rest."""

    source: SpreadSource
    recorded: int
    candles: int
    model: SpreadModel | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values, as the model artifact and the research run keep it."""
        by_hour = None if self.model is None else list(self.model.pips_by_hour)
        return {
            "source": self.source, "recorded": self.recorded, "candles": self.candles, "pips_by_hour": by_hour,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Spreads":
        """Read `to_json`'s values."""
        source, by_hour = SpreadSource(data["source"]), data["pips_by_hour"]
        model = None if by_hour is None else SpreadModel(tuple(by_hour), source)
        return cls(source, data["recorded"], data["candles"], model)

    def __str__(self) -> str:
        if self.source is SpreadSource.RECORDED:
            return "spreads recorded"
        if self.source is SpreadSource.UNKNOWN:
            return f"no spread recorded on {self.candles - self.recorded} of {self.candles} candles"
        assert self.model is not None  # noqa: S101 - both other sources are of a model
        low, high = min(self.model.pips_by_hour), max(self.model.pips_by_hour)
        size = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
        share = "" if self.recorded == 0 else f" on {self.candles - self.recorded} of {self.candles} candles"
        return f"spread {self.source}: {size} pip{share}"


def filled(candles: Candles, model: SpreadModel | None, pip: float) -> tuple[Candles, Spreads]:
    """The candles with a spread each, and where the spreads come from.

    A recorded spread stays. The others come from the model; without one they are 0, and the source is `unknown`: what
    is computed of them prices trades as if they were free.
    """
    missing = np.isnan(candles.spread)
    count, n = int(np.count_nonzero(~missing)), len(candles)
    if not missing.any():
        return candles, Spreads(SpreadSource.RECORDED, count, n)
    if model is None:
        return replace(candles, spread=np.where(missing, 0.0, candles.spread)), Spreads(SpreadSource.UNKNOWN, count, n)
    hours = candles.time // 3_600 % HOURS
    pips: Float = np.array(model.pips_by_hour)[hours]
    return replace(candles, spread=np.where(missing, pips * pip, candles.spread)), Spreads(
        model.source, count, n, model
    )
