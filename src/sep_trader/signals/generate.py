"""Signals of a model on candles: pure, the same path as the backtest's."""

from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import Instrument
from sep_trader.qfh import WindowMetrics
from sep_trader.qfh.reference import METRICS
from sep_trader.research.artifact import Model
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import priced, too_near, whole_ticks
from sep_trader.research.rule_stream import RuleStream
from sep_trader.research.strategies import propose
from sep_trader.research.window_stream import WindowStream
from sep_trader.signals.signal import Signal, signal_id
from sep_trader.states import SignalKind

EXPIRY_CANDLES = 2
"""A signal may be executed until this many candles after the close of its own."""


def generate(candles: Candles, model: Model, instrument: Instrument, *, after: int) -> list[Signal]:
    """Signals of the candles that start later than `after` (seconds since the epoch); the earlier ones warm up."""
    found = priced(propose(candles, model.parameters), candles.spread, instrument)
    rows = np.flatnonzero((found.side != 0) & (candles.time > after)).tolist()
    signals = []
    for i in rows:
        values = (int(found.side[i]), float(found.confidence[i]), float(found.stop[i]), float(found.target[i]))
        signals += _signals(model, instrument, int(candles.time[i]), *values, metrics_at(found.metrics, i))
    return signals


class SignalStream:
    """Signals of a model candle by candle, the same as `generate` gives for all of them at once."""

    def __init__(self, model: Model, instrument: Instrument) -> None:
        self.model, self._instrument = model, instrument
        self._rule = _stream(model)

    @property
    def newest(self) -> int | None:
        """Start of the newest candle taken, seconds since the epoch."""
        return self._rule.time

    def take(self, candles: Candles) -> list[Signal]:
        """Take complete mid candles, oldest first; those that were taken already are passed over."""
        signals = []
        prices = (candles.open, candles.high, candles.low, candles.close)
        columns = (candles.time, *prices, candles.spread, candles.volume)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            time, spread = row[0], row[5]
            if self.newest is not None and time <= self.newest:
                continue
            p = self._rule.update(*row)
            if p is None:
                continue
            stop, target = whole_ticks(np.array([p.stop, p.target]), self._instrument).tolist()
            if not too_near(np.array([stop]), np.array([spread]))[0]:
                values = (p.side, p.confidence, stop, target, metrics_at(p.metrics, 0))
                signals += _signals(self.model, self._instrument, time, *values)
        return signals


def _signals(
    model: Model, instrument: Instrument, time: int, side: int, confidence: float, stop: float, target: float,
    metrics: dict[str, Any],
) -> list[Signal]:  # fmt: skip
    """What a proposal becomes: an entry, and before it an exit where a side of the strategy closes trades, too."""
    entry = _signal(model, instrument, time, side, confidence, stop, target, metrics)
    if not model.side_closes:
        return [entry]
    exit_id = signal_id(model.id, model.pair, entry.candle_time, SignalKind.EXIT)
    return [replace(entry, id=exit_id, kind=SignalKind.EXIT), entry]


def _signal(
    model: Model, instrument: Instrument, time: int, side: int, confidence: float, stop: float, target: float,
    metrics: dict[str, Any],
) -> Signal:  # fmt: skip
    """The signal of a proposal; its distances are rounded to the instrument's precision and are at least one tick."""
    length = model.granularity.seconds
    start = from_epoch(time)
    return Signal(
        id=signal_id(model.id, model.pair, start),
        pair=model.pair,
        model_id=model.id,
        granularity=model.granularity.value,
        candle_time=start,
        side=side,
        confidence=Decimal(confidence).quantize(Decimal("0.0001"), ROUND_HALF_EVEN),
        metrics=metrics,
        stop_distance=_distance(stop, instrument),
        target_distance=_distance(target, instrument),
        horizon=timedelta(seconds=model.parameters.horizon * length),
        expires_at=start + timedelta(seconds=(1 + EXPIRY_CANDLES) * length),
    )


def _stream(model: Model) -> RuleStream | WindowStream:
    if isinstance(model.parameters, RuleParameters):
        return RuleStream(model.parameters, model.granularity)
    return model.parameters.stream(model.pair, model.granularity)


def metrics_at(metrics: WindowMetrics | None, i: int) -> dict[str, Any]:
    """The metrics of one candle as JSON values, rounded to six digits; empty for a strategy that knows none."""
    if metrics is None:
        return {}
    shares = {name: round(float(getattr(metrics, name)[i]), 6) for name in METRICS}
    return shares | {"collapse": bool(metrics.collapse[i])}


def _distance(value: float, instrument: Instrument) -> Decimal:
    return max(instrument.quantise_price(Decimal(value)), instrument.tick)
