"""A parameter set of a strategy that is a function: what it proposes on a series, and candle by candle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.parameters import LONGEST_HORIZON, RANGE_CANDLES
from sep_trader.research.strategies import Proposals, mean_candle_range
from sep_trader.research.window_stream import WindowStream
from sep_trader.strategies.finding import Found, find, find_again
from sep_trader.strategies.port import Strategy, Value

Float = npt.NDArray[np.float64]
EXIT_NAMES = ("stop_ranges", "target_ranges", "horizon")


@dataclass(frozen=True, slots=True)
class FunctionParameters:
    """A strategy with a value for each of its parameters, and its exits. values: by name, in the order of the names.

    stop_ranges, target_ranges: multiples of the mean range of 60 candles where the strategy gives no distances of its
    own, inf for none. horizon: candles.
    """

    found: Found
    values: tuple[tuple[str, Value], ...]
    stop_ranges: float
    target_ranges: float
    horizon: int

    def __post_init__(self) -> None:
        if not (self.stop_ranges > 0.0 and self.target_ranges > 0.0 and 1 <= self.horizon <= LONGEST_HORIZON):
            raise InputError(
                f"exits {self.stop_ranges}, {self.target_ranges}, {self.horizon} are out of range",
                f"distances above 0, inf for none; a horizon of 1..{LONGEST_HORIZON} candles",
            )

    @property
    def rule(self) -> tuple[tuple[str, Value], ...]:
        """What decides the sides: sets that share it share their signals."""
        return self.values

    @property
    def side_closes(self) -> bool:
        """Whether a proposal of the other side closes a trade."""
        return self.found.strategy.exit == "side"

    def warm_up(self, _granularity: Granularity) -> int:
        """Candles that must precede the first one that can propose."""
        return max(self.found.strategy.needs(dict(self.values)), RANGE_CANDLES)

    def propose(self, candles: Candles) -> Proposals:
        """What the strategy proposes at each candle's close."""
        entries = self.found.strategy.entries(candles, dict(self.values))
        return self.assembled(entries.side.astype(np.int8), entries.stop, entries.target, mean_candle_range(candles))

    def assembled(
        self, side: npt.NDArray[np.int8], stop: Float | float | None, target: Float | float | None, mean_range: Float
    ) -> Proposals:
        """Proposals from sides, with the strategy's own distances or multiples of the mean range."""
        safe = np.where(np.isfinite(mean_range), mean_range, np.inf)
        stops = self.stop_ranges * safe if stop is None else np.broadcast_to(np.float64(stop), len(side)).copy()
        targets = self.target_ranges * safe if target is None else np.broadcast_to(np.float64(target), len(side)).copy()
        known = np.isfinite(mean_range) & (mean_range > 0) & (stops > 0) & (targets > 0)
        return Proposals(np.where(known, side, 0).astype(np.int8), np.ones(len(side)), stops, targets, None)

    def stream(self, instrument: str, granularity: Granularity) -> WindowStream:
        """The same, candle by candle."""
        return WindowStream(self.propose, instrument, granularity, self.warm_up(granularity))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        exits = {name: _text(getattr(self, name)) for name in EXIT_NAMES}
        return {"strategy": self.found.to_json(), "values": dict(self.values), **exits}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values; raises InputError where the strategy's file is gone or was changed."""
        exits = float(data["stop_ranges"]), float(data["target_ranges"]), int(data["horizon"])
        return cls(find_again(data["strategy"]), tuple(sorted(data["values"].items())), *exits)


def parameters_of(text: str | Strategy | Callable[..., Any], values: Mapping[str, Value]) -> FunctionParameters:
    """The set of a strategy, named as `find` takes it, with these values; the strategy's own where none is given.

    values: its parameters, and stop_ranges, target_ranges, horizon. Raises InputError for a name it does not know.
    """
    found = find(text)
    chosen = dict(found.strategy.defaults)
    exits: dict[str, Any] = dict(zip(EXIT_NAMES, found.strategy.exits[0], strict=True))
    for name, value in values.items():
        if name in exits:
            exits[name] = value
        elif name in chosen:
            chosen[name] = value
        else:
            raise InputError(
                f"{found.strategy.name} has no parameter '{name}'", f"one of {', '.join([*chosen, *EXIT_NAMES])}"
            )
    return FunctionParameters(
        found, tuple(sorted(chosen.items())), float(exits["stop_ranges"]), float(exits["target_ranges"]),
        int(exits["horizon"]),
    )  # fmt: skip


def _text(value: float) -> float | int | str:
    """JSON has no infinity."""
    return "inf" if value == np.inf else value
