"""The rule strategy: from QFH metrics at a candle's close to a proposal, for the backtest and live alike."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.qfh import Encoder, WindowMetrics, encode_bits, metrics_by_window, session_starts
from sep_trader.research.decisions import trend_sides

Float = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

RANGE_CANDLES = 60
"""Candles whose mean high-low range scales stop and target."""


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """Parameters of the `collapse` rule.

    A proposal is made where (rupture or null) >= theta_run, entropy <= entropy_max and stability >= stability_min;
    its side is the sign of the damped trend, kept (`follow`) or inverted (`fade`). Stop and target are multiples
    of the mean range of the last 60 candles; horizon is in candles. `confirm` asks the completed candles
    of the granularities named to agree in the sign of their damped trend.
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
        if self.mode not in ("follow", "fade"):
            raise InputError(f"unknown mode '{self.mode}'", "follow or fade")
        if not 1 <= self.horizon <= 10_000 or self.stop_ranges <= 0 or self.target_ranges <= 0:
            raise InputError(f"horizon, stop and target must be positive: {self}")

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


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What a strategy proposes at the close of each candle; arrays of the candles' length.

    side: -1, 0 or 1. confidence: 0..1. stop, target: distances from the fill in price units.
    """

    side: npt.NDArray[np.int8]
    confidence: Float
    stop: Float
    target: Float
    metrics: WindowMetrics


def propose(candles: Candles, parameters: RuleParameters) -> Proposals:
    """What the rule proposes at each candle's close, from that candle and those before it only."""
    return RuleSeries(candles, parameters.encoder, [parameters.window]).propose(parameters)


def assemble(parameters: RuleParameters, metrics: WindowMetrics, mean_range: Float, agreed: Signs | None) -> Proposals:
    """Proposals from what they are made of, for a whole series or for its newest candle.

    agreed: the sign of the trend that the confirming granularities share, 0 where they do not; None where nothing
    confirms.
    """
    p = parameters
    side = trend_sides(metrics, p.theta_run, p.entropy_max, p.stability_min)
    side = np.where(_known(mean_range), side, 0).astype(np.int8)
    if agreed is not None:
        side = np.where(agreed == side, side, 0).astype(np.int8)
    safe_range = np.where(np.isfinite(mean_range), mean_range, np.inf)
    return Proposals(
        side=-side if p.mode == "fade" else side,
        confidence=np.abs(np.where(metrics.valid, metrics.trend, np.float32(0))).astype(np.float64),
        stop=p.stop_ranges * safe_range,
        target=p.target_ranges * safe_range,
        metrics=metrics,
    )


class RuleSeries:
    """A series with what all parameter sets of one encoder share: bits, metrics by window, mean ranges."""

    def __init__(self, candles: Candles, encoder: str, windows: Iterable[int]) -> None:
        self.candles, self.encoder = candles, Encoder.parse(encoder)
        starts = session_starts(candles.time, candles.granularity.seconds)
        self.bits = encode_bits(candles.open, candles.close, starts, self.encoder)
        self.metrics = metrics_by_window(self.bits, starts, tuple(sorted(set(windows))))
        self.mean_range = mean_candle_range(candles)
        self._agreed: dict[tuple[tuple[str, ...], int], Signs] = {}

    def propose(self, parameters: RuleParameters) -> Proposals:
        """What the rule proposes at each candle's close."""
        agreed = self.agreed(parameters.confirm, parameters.window) if parameters.confirm else None
        return assemble(parameters, self.metrics[parameters.window], self.mean_range, agreed)

    def agreed(self, confirm: tuple[str, ...], window: int) -> Signs:
        """The sign of the trend that the newest completed candles of these granularities share, 0 where they do not."""
        key = (confirm, window)
        if key not in self._agreed:
            signs = [self._sign_of(Granularity.parse(name), window) for name in confirm]
            self._agreed[key] = shared_sign(signs)
        return self._agreed[key]

    def allowed(self, confirm: tuple[str, ...], window: int) -> Signs:
        """The signs of the trend that count at each candle, as a sweep takes them: 0 none, 1 up, 2 down, 3 both."""
        both = np.full(len(self.candles), 3, np.int8)
        if confirm:
            agreed = self.agreed(confirm, window)
            both = np.where(agreed > 0, 1, np.where(agreed < 0, 2, 0)).astype(np.int8)
        return np.where(_known(self.mean_range), both, 0).astype(np.int8)

    def _sign_of(self, larger: Granularity, window: int) -> Signs:
        """Sign of the trend of the newest completed larger candle at each candle's close; 0 where there is none."""
        coarse = resample(self.candles, larger)
        if len(coarse) == 0:
            return np.zeros(len(self.candles), np.int8)
        starts = session_starts(coarse.time, larger.seconds)
        bits = encode_bits(coarse.open, coarse.close, starts, self.encoder)
        metrics = metrics_by_window(bits, starts, (window,))[window]
        sign = np.sign(np.where(metrics.valid, metrics.trend, np.float32(0))).astype(np.int8)
        closes = self.candles.time + self.candles.granularity.seconds
        newest = np.searchsorted(coarse.time + larger.seconds, closes, side="right") - 1
        return np.where(newest >= 0, sign[np.maximum(newest, 0)], 0).astype(np.int8)


def shared_sign(signs: list[Signs]) -> Signs:
    """The sign that all of several series have, 0 where they differ."""
    same = np.logical_and.reduce([one == signs[0] for one in signs])
    return np.where(same, signs[0], 0).astype(np.int8)


def mean_candle_range(candles: Candles, length: int = RANGE_CANDLES) -> Float:
    """Mean of high - low over the newest `length` candles; NaN before there are that many. Price units."""
    ranges = candles.high - candles.low
    out = np.full(len(ranges), np.nan)
    if len(ranges) >= length:
        # Added from the newest back, one by one, as a stream does it: the very same bits live and in a backtest.
        total = ranges[length - 1 :].copy()
        for back in range(1, length):
            total += ranges[length - 1 - back : len(ranges) - back]
        out[length - 1 :] = total / length
    return out


def _known(mean_range: Float) -> npt.NDArray[np.bool_]:
    """Where there is a range to scale stop and target with."""
    return np.isfinite(mean_range) & (mean_range > 0)
