"""The port of a strategy: a function of candles and keyword parameters that returns a side for each candle. Pure.

    @strategy(grid={"fast": [10, 20], "slow": [50, 100]}, warm_up=lambda fast, slow: slow + 1)
    def sma_cross(candles, fast=20, slow=100):
        side = np.sign(mean(candles.close, fast) - mean(candles.close, slow))
        return np.where(side != before(side), side, 0)

A side of 1 or -1 proposes an entry at the next open while no trade is open. A trade leaves at its stop, its target or
its horizon: multiples of the mean range of 60 candles and a number of candles, or distances of the strategy's own
(Entries). The same function trains, is swept, is judged, and signals live.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample

Float = npt.NDArray[np.float64]
Value = int | float | str
Exits = tuple[float, float, int]
DEFAULT_EXITS: Exits = (6.0, 9.0, 30)
"""Stop and target in mean ranges, horizon in candles."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Sides with exits of the strategy's own. side: -1, 0 or 1 a candle. stop, target: distances from the fill in price
    units, a number or one a candle, target inf for none; None for the multiples of the mean range."""

    side: npt.NDArray[Any]
    stop: Float | float | None = None
    target: Float | float | None = None


class View:
    """What a strategy sees: complete candles as numpy columns, oldest first, and larger candles made of them.

    time: candle start, seconds since the epoch, UTC. open, high, low, close: mid prices. spread: price units, NaN where
    unknown. volume: number of prices.
    """

    def __init__(self, candles: Candles) -> None:
        self.candles = candles
        self.instrument, self.granularity = candles.instrument, candles.granularity.value
        self.time, self.open, self.high = candles.time, candles.open, candles.high
        self.low, self.close = candles.low, candles.close
        self.spread, self.volume = candles.spread, candles.volume

    def __len__(self) -> int:
        return len(self.time)

    def larger(self, granularity: str) -> Self:
        """The complete candles of a larger granularity, made of these."""
        return type(self)(resample(self.candles, Granularity.parse(granularity)))

    def align(self, larger: "View", values: npt.ArrayLike) -> Float:
        """Values of larger candles at each of these: of the newest one complete at its close, NaN before."""
        told = np.asarray(values, dtype=np.float64)
        closes = self.time + self.candles.granularity.seconds
        newest = np.searchsorted(larger.time + larger.candles.granularity.seconds, closes, side="right") - 1
        if len(told) == 0:
            return np.full(len(self), np.nan)
        return np.where(newest >= 0, told[np.maximum(newest, 0)], np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Strategy:
    """A function with what training and live trading need to know of it.

    grid: values to try by parameter. warm_up: candles before the first one that can propose: a number, or a function of
    the parameters; None for twice the largest whole number among them. exits: see
    DEFAULT_EXITS; several of them are tried. exit: `bracket`, or `side`: a proposal of the other side closes the trade,
    too.
    """

    name: str
    function: Callable[..., Any]
    grid: Mapping[str, Sequence[Value]]
    defaults: Mapping[str, Value]
    warm_up: int | Callable[..., int] | None = None
    exits: tuple[Exits, ...] = (DEFAULT_EXITS,)
    exit: str = "bracket"

    def entries(self, candles: Candles, values: Mapping[str, Value]) -> Entries:
        """What the function proposes. Raises InputError where it fails or returns something else than sides."""
        try:
            found = self.function(View(candles), **values)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"strategy {self.name} failed: {type(error).__name__}: {error}", "mend the function"
            ) from error
        entries = found if isinstance(found, Entries) else Entries(found)
        side = np.nan_to_num(np.asarray(entries.side, dtype=np.float64), nan=0.0)
        if side.shape != (len(candles),) or not np.isin(side, (-1.0, 0.0, 1.0)).all():
            raise InputError(
                f"strategy {self.name} returned {side.shape} for {len(candles)} candles, or other values than -1, 0, 1",
                "one side a candle",
            )
        return Entries(side.astype(np.int8), entries.stop, entries.target)

    def needs(self, values: Mapping[str, Value]) -> int:
        """Candles that must precede the first one that can propose, as stated."""
        if callable(self.warm_up):
            return int(self.warm_up(**values))
        if self.warm_up is not None:
            return self.warm_up
        return 2 * max([1, *(int(one) for one in values.values() if isinstance(one, int))])


@overload
def strategy(
    function: Callable[..., Any],
    *,
    grid: Mapping[str, Sequence[Value]] | None = None,
    warm_up: int | Callable[..., int] | None = None,
    exits: Exits | Sequence[Exits] = DEFAULT_EXITS,
    exit: str = "bracket",
) -> Strategy: ...
@overload
def strategy(
    *,
    grid: Mapping[str, Sequence[Value]] | None = None,
    warm_up: int | Callable[..., int] | None = None,
    exits: Exits | Sequence[Exits] = DEFAULT_EXITS,
    exit: str = "bracket",
) -> Callable[[Callable[..., Any]], Strategy]: ...
def strategy(
    function: Callable[..., Any] | None = None,
    *,
    grid: Mapping[str, Sequence[Value]] | None = None,
    warm_up: int | Callable[..., int] | None = None,
    exits: Exits | Sequence[Exits] = DEFAULT_EXITS,
    exit: str = "bracket",
) -> Strategy | Callable[[Callable[..., Any]], Strategy]:
    """Make a strategy of a function; see the module. Raises InputError for a grid of parameters it does not take."""
    if function is None:

        def made(one: Callable[..., Any]) -> Strategy:
            return strategy(one, grid=grid, warm_up=warm_up, exits=exits, exit=exit)

        return made
    names, defaults = _parameters(function)
    unknown = set(grid or {}) - set(names)
    if unknown:
        raise InputError(
            f"{function.__name__} takes no parameter {', '.join(sorted(unknown))}", f"of {', '.join(names)}"
        )
    tried: list[Exits] = [exits] if isinstance(exits[0], int | float) else list(exits)  # type: ignore[list-item, arg-type]
    if exit not in ("bracket", "side"):
        raise InputError(f"{function.__name__}: unknown exit '{exit}'", "bracket or side")
    return Strategy(function.__name__, function, dict(grid or {}), defaults, warm_up, tuple(tried), exit)


def _parameters(function: Callable[..., Any]) -> tuple[list[str], dict[str, Value]]:
    """The keyword parameters of a function and their defaults."""
    from inspect import signature

    _candles, *rest = signature(function).parameters.values()
    for one in rest:
        if one.default is one.empty:
            raise InputError(f"{function.__name__}: parameter {one.name} has no default", f"{one.name}=VALUE")
    return [one.name for one in rest], {one.name: one.default for one in rest}
