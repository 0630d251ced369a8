"""Signals of a model on candles: pure, the same path as the backtest's."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import Instrument
from sep_trader.qfh import WindowMetrics
from sep_trader.research.artifact import Model
from sep_trader.research.strategies import propose
from sep_trader.signals.signal import Signal, signal_id

EXPIRY_CANDLES = 2
"""A signal may be executed until this many candles after the close of its own."""


def generate(candles: Candles, model: Model, instrument: Instrument, *, after: int) -> list[Signal]:
    """Signals of the candles that start later than `after` (seconds since the epoch); the earlier ones warm up.

    Stop and target distances are rounded to the instrument's precision and are at least one tick.
    """
    proposals = propose(candles, model.parameters)
    length = model.granularity.seconds
    signals = []
    for i in range(len(candles)):
        if candles.time[i] <= after or proposals.side[i] == 0:
            continue
        start = from_epoch(int(candles.time[i]))
        signals.append(
            Signal(
                id=signal_id(model.id, model.pair, start),
                pair=model.pair,
                model_id=model.id,
                granularity=model.granularity.value,
                candle_time=start,
                side=int(proposals.side[i]),
                confidence=Decimal(float(proposals.confidence[i])).quantize(Decimal("0.0001"), ROUND_HALF_EVEN),
                metrics=metrics_at(proposals.metrics, i),
                stop_distance=_distance(proposals.stop[i], instrument),
                target_distance=_distance(proposals.target[i], instrument),
                horizon=timedelta(seconds=model.parameters.horizon * length),
                expires_at=start + timedelta(seconds=(1 + EXPIRY_CANDLES) * length),
            )
        )
    return signals


def metrics_at(metrics: WindowMetrics, i: int) -> dict[str, Any]:
    """The metrics of one candle as JSON values, rounded to six digits."""
    names = ("null", "flip", "rupture", "up", "entropy", "coherence", "stability", "damping", "trend")
    return {name: round(float(getattr(metrics, name)[i]), 6) for name in names} | {
        "collapse": bool(metrics.collapse[i])
    }


def _distance(value: float, instrument: Instrument) -> Decimal:
    return max(instrument.quantise_price(Decimal(float(value))), instrument.tick)
