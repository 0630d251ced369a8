"""The parameters of the collapse rule and its exits: one class for training, model, sweep and live signals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any, Self

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.qfh import Encoder
from sep_trader.qfh.metrics import check_window

RANGE_CANDLES = 60
"""Candles whose mean high-low range scales stop and target."""
LONGEST_HORIZON = 10_000
"""Candles."""

RuleKey = tuple[int, float, float, float, bool]
"""Window, theta_run, entropy_max, stability_min, and whether the side is inverted."""


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """Parameters of the `collapse` rule.

    A proposal is made where (rupture or null) >= theta_run, entropy <= entropy_max and stability >= stability_min;
    its side is the sign of the damped trend, kept (`follow`) or inverted (`fade`). window is in bits, horizon in
    candles. Stop and target are multiples of the mean range of the last 60 candles (in a sweep: of its scale),
    infinite for none. `confirm` asks the completed candles of the granularities named to agree in the sign of their
    damped trend. Raises InputError that names the value out of its range.
    """

    encoder: str = "direction"
    window: int = 32
    theta_run: float = 0.36
    entropy_max: float = 0.95
    stability_min: float = 0.4
    mode: str = "follow"
    stop_ranges: float = 6.0
    target_ranges: float = 9.0
    horizon: int = 30
    confirm: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Encoder.parse(self.encoder)
        check_window(self.window)
        for name in ("theta_run", "entropy_max", "stability_min"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} {getattr(self, name)} is outside 0..1", "a share")
        if self.mode not in ("follow", "fade"):
            raise InputError(f"unknown mode '{self.mode}'", "follow or fade")
        for name in ("stop_ranges", "target_ranges"):
            if not getattr(self, name) > 0.0:
                raise InputError(f"{name} {getattr(self, name)} is not above 0", "inf for none")
        if not 1 <= self.horizon <= LONGEST_HORIZON:
            raise InputError(f"horizon {self.horizon} is outside 1..{LONGEST_HORIZON} candles", "for example 60")
        for name in self.confirm:
            Granularity.parse(name)

    @property
    def rule(self) -> RuleKey:
        """What decides the proposals: sets that share it share their signals."""
        return self.window, self.theta_run, self.entropy_max, self.stability_min, self.mode == "fade"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "confirm": list(self.confirm)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `to_json`'s values; raises InputError naming a field this version does not know."""
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"the model has parameters this version does not know: {', '.join(sorted(unknown))}")
        return cls(**{**data, "confirm": tuple(data.get("confirm", ()))})

    def warm_up(self, granularity: Granularity) -> int:
        """Candles of a granularity that must precede the first one that can propose."""
        encoder = Encoder.parse(self.encoder)
        needed = self.window + 1 + (encoder.m if encoder.kind == "magnitude" else 0)
        factor = max([1] + [Granularity.parse(c).seconds // granularity.seconds for c in self.confirm])
        return max(needed * factor, RANGE_CANDLES)


def grid(base: RuleParameters, **choices: Sequence[float | int | str]) -> list[RuleParameters]:
    """Every combination of the choices for fields of `base`, the last field varying fastest."""
    return [replace(base, **dict(zip(choices, values, strict=True))) for values in product(*choices.values())]  # type: ignore[arg-type]
