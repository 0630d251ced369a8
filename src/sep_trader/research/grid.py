"""The grid of the QFH rule: the parameter sets that a training tries. Pure."""

from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any

from sep_trader.research.parameters import RuleParameters


@dataclass(frozen=True, slots=True)
class Grid:
    """The parameter sets to try: the product of the values given, around a base."""

    base: RuleParameters = field(default_factory=RuleParameters)
    window: tuple[int, ...] = (16, 32, 64)
    theta_run: tuple[float, ...] = (0.3, 0.36)
    mode: tuple[str, ...] = ("follow", "fade")
    exits: tuple[tuple[float, float, int], ...] = ((4.0, 6.0, 20), (8.0, 12.0, 45))
    """(stop_ranges, target_ranges, horizon)"""
    entropy_max: tuple[float, ...] = ()
    stability_min: tuple[float, ...] = ()
    confirm: tuple[tuple[str, ...], ...] = ()
    """Granularities that must agree, all of one tuple at a time. Empty, as the two above: the base's."""

    def sets(self) -> list[RuleParameters]:
        """Every parameter set, in a fixed order."""
        names = ("confirm", "entropy_max", "stability_min", "window", "theta_run", "mode")
        found = []
        choices = (getattr(self, one) or (getattr(self.base, one),) for one in names)
        for *values, (stop, target, horizon) in product(*choices, self.exits):
            exits = {"stop_ranges": stop, "target_ranges": target, "horizon": horizon}
            found.append(replace(self.base, **dict(zip(names, values, strict=True)), **exits))
        return found

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)
