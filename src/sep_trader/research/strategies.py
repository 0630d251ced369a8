"""The rule strategy: from QFH metrics at a candle's close to a proposal, for the backtest and live alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.qfh import Encoder, WindowMetrics, encode_bits, metrics_by_window, session_starts
from sep_trader.research.decisions import trend_sides
from sep_trader.research.kernels.inputs import AllowedTrend
from sep_trader.research.parameters import RANGE_CANDLES, RuleParameters

Float = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What a strategy proposes at the close of each candle; arrays of the candles' length.

    side: -1, 0 or 1. confidence: 0..1. stop, target: distances from the fill in price units.
    """

    side: npt.NDArray[np.int8]
    confidence: Float
    stop: Float
    target: Float
    metrics: WindowMetrics | None
    """None for a strategy that knows no windows."""


class ParameterSet(Protocol):
    """A strategy with a value for each of its parameters."""

    @property
    def horizon(self) -> int:
        """Candles that a trade may last."""

    @property
    def stop_ranges(self) -> float:
        """Stop distance in mean ranges of 60 candles."""

    @property
    def target_ranges(self) -> float:
        """Target distance in mean ranges of 60 candles."""

    def warm_up(self, granularity: Granularity, /) -> int:
        """Candles that must precede the first one that can propose."""

    def propose(self, candles: Candles) -> Proposals:
        """What it proposes at each candle's close, from that candle and those before it only."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""


def propose(candles: Candles, parameters: "RuleParameters | ParameterSet") -> Proposals:
    """What a strategy proposes at each candle's close, from that candle and those before it only."""
    if isinstance(parameters, RuleParameters):
        return RuleSeries(candles, parameters.encoder, [parameters.window]).propose(parameters)
    return parameters.propose(candles)


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
        """The signs of the trend that count at each candle, as a sweep takes them: values of AllowedTrend."""
        allowed = np.full(len(self.candles), AllowedTrend.BOTH, np.int8)
        if confirm:
            agreed = self.agreed(confirm, window)
            one_way = np.where(agreed < 0, AllowedTrend.DOWN, AllowedTrend.NONE)
            allowed = np.where(agreed > 0, AllowedTrend.UP, one_way).astype(np.int8)
        return np.where(_known(self.mean_range), allowed, AllowedTrend.NONE).astype(np.int8)

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
