"""The rule strategy: from QFH metrics at a candle's close to a proposal, for the backtest and live alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.qfh import Encoder, WindowMetrics, encode_bits, session_starts, window_metrics

Float = npt.NDArray[np.float64]

RANGE_CANDLES = 60
"""Candles whose mean high-low range scales stop and target."""


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """Parameters of the `collapse` rule.

    A proposal is made where (rupture or null) >= theta_run, entropy <= entropy_max and stability >= stability_min;
    its side is the sign of the damped trend, kept (`follow`) or turned round (`fade`). Stop and target are multiples
    of the mean candle range of the last hour of candles; horizon is in candles. `confirm` asks the completed candles
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

    @property
    def warm_up(self) -> int:
        """Candles that must precede the first one that can propose."""
        encoder = Encoder.parse(self.encoder)
        needed = self.window + 1 + (encoder.m if encoder.kind == "magnitude" else 0)
        factor = max([1] + [Granularity.parse(c).seconds // 60 for c in self.confirm])
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
    metrics, mean_range = _metrics(candles, parameters)
    return propose_from(candles, parameters, metrics, mean_range)


def propose_from(candles: Candles, parameters: RuleParameters, metrics: WindowMetrics, mean_range: Float) -> Proposals:
    """`propose` with its metrics and mean ranges given: thresholds are cheap to try, metrics are not."""
    run = np.maximum(metrics.rupture, metrics.null)
    with np.errstate(invalid="ignore"):
        go = (
            metrics.valid
            & (run >= np.float32(parameters.theta_run))
            & (metrics.entropy <= np.float32(parameters.entropy_max))
            & (metrics.stability >= np.float32(parameters.stability_min))
            & np.isfinite(mean_range)
            & (mean_range > 0)
        )
    trend = np.where(metrics.valid, metrics.trend, np.float32(0))
    side = np.where(go, np.sign(trend), 0).astype(np.int8)
    for name in parameters.confirm:
        side = np.where(_confirming_sign(candles, Granularity.parse(name), parameters) == side, side, 0).astype(np.int8)
    if parameters.mode == "fade":
        side = -side
    safe_range = np.where(np.isfinite(mean_range), mean_range, np.inf)
    return Proposals(
        side=side,
        confidence=np.abs(trend).astype(np.float64),
        stop=parameters.stop_ranges * safe_range,
        target=parameters.target_ranges * safe_range,
        metrics=metrics,
    )


def metrics_by_window(candles: Candles, encoder: str, windows: Sequence[int]) -> tuple[dict[int, WindowMetrics], Float]:
    """Metrics of several windows and the mean range, computed once for a whole grid of thresholds."""
    starts = session_starts(candles.time, candles.granularity.seconds)
    bits = encode_bits(candles.open, candles.close, starts, Encoder.parse(encoder))
    return {w: window_metrics(bits, starts, w) for w in windows}, mean_candle_range(candles)


def mean_candle_range(candles: Candles, length: int = RANGE_CANDLES) -> Float:
    """Mean of high - low over the newest `length` candles; NaN before there are that many. Price units."""
    ranges = candles.high - candles.low
    out = np.full(len(ranges), np.nan)
    if len(ranges) >= length:
        # One window at a time rather than a running sum: the live path must give the very same bits on a short tail.
        out[length - 1 :] = np.lib.stride_tricks.sliding_window_view(ranges, length).mean(axis=1)
    return out


def _metrics(candles: Candles, parameters: RuleParameters) -> tuple[WindowMetrics, Float]:
    by_window, mean_range = metrics_by_window(candles, parameters.encoder, [parameters.window])
    return by_window[parameters.window], mean_range


def _confirming_sign(candles: Candles, larger: Granularity, parameters: RuleParameters) -> npt.NDArray[np.int8]:
    """Sign of the damped trend of the newest completed larger candle at each candle's close; 0 where there is none."""
    coarse = resample(candles, larger)
    if len(coarse) == 0:
        return np.zeros(len(candles), np.int8)
    metrics = metrics_by_window(coarse, parameters.encoder, [parameters.window])[0][parameters.window]
    sign = np.sign(np.where(metrics.valid, metrics.trend, np.float32(0))).astype(np.int8)
    closes = candles.time + candles.granularity.seconds
    newest = np.searchsorted(coarse.time + larger.seconds, closes, side="right") - 1
    return np.where(newest >= 0, sign[np.maximum(newest, 0)], 0).astype(np.int8)
