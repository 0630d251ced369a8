"""The grid of a strategy that is a function. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

from sep_trader.errors import InputError
from sep_trader.research.function_rule import EXIT_NAMES, FunctionParameters
from sep_trader.strategies.finding import Found, find, find_again
from sep_trader.strategies.port import Exits, Strategy, Value

StrategyLike = str | Strategy | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class FunctionGrid:
    """The values to try of each parameter, and the exits."""

    found: Found
    values: tuple[tuple[str, tuple[Value, ...]], ...]
    exits: tuple[Exits, ...]

    @classmethod
    def of(cls, text: StrategyLike, chosen: Mapping[str, Sequence[Value]], exits: Sequence[Exits] = ()) -> Self:
        """The strategy's own grid, with the values of `chosen` in place of its own.

        Raises InputError for a name that it does not know.
        """
        found = find(text)
        own = found.strategy
        unknown = set(chosen) - set(own.defaults)
        if unknown:
            raise InputError(
                f"{own.name} has no parameter '{min(unknown)}'", f"one of {', '.join([*own.defaults, *EXIT_NAMES])}"
            )
        tried = {name: (value,) for name, value in own.defaults.items()} | {n: tuple(v) for n, v in own.grid.items()}
        tried |= {name: tuple(values) for name, values in chosen.items()}
        return cls(found, tuple(sorted(tried.items())), tuple(exits) or own.exits)

    @property
    def base(self) -> FunctionParameters:
        """The set that stands where none was chosen: the first."""
        return self.sets()[0]

    def sets(self) -> list[FunctionParameters]:
        """Every parameter set, in a fixed order."""
        names = [name for name, _ in self.values]
        return [
            FunctionParameters(self.found, tuple(zip(names, chosen, strict=True)), *exits)
            for chosen in product(*(values for _, values in self.values))
            for exits in self.exits
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        exits = [[str(one) if one == float("inf") else one for one in three] for three in self.exits]
        return {"strategy": self.found.to_json(), "values": {n: list(v) for n, v in self.values}, "exits": exits}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values; raises InputError where the strategy's file is gone or was changed."""
        values = tuple(sorted((name, tuple(tried)) for name, tried in data["values"].items()))
        exits = tuple((float(stop), float(target), int(horizon)) for stop, target, horizon in data["exits"])
        return cls(find_again(data["strategy"]), values, exits)
