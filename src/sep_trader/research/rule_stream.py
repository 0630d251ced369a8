"""The rule one candle at a time: the same proposals as the whole series in one go."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sep_trader.market.calendar import candle_start
from sep_trader.market.granularity import Granularity
from sep_trader.qfh import Encoder, QfhStream, WindowMetrics
from sep_trader.qfh.bits import Bits
from sep_trader.qfh.metrics import named_rows
from sep_trader.qfh.stream import StreamMetrics
from sep_trader.research.parameters import RANGE_CANDLES, RuleParameters
from sep_trader.research.strategies import assemble, shared_sign


class Proposal(NamedTuple):
    """A proposal at a candle's close: side -1 or 1, confidence, stop and target in price units, its metrics."""

    side: int
    confidence: float
    stop: float
    target: float
    metrics: WindowMetrics | None


class RuleStream:
    """Takes complete candles, oldest first, and says at each close what `propose` would."""

    def __init__(self, parameters: RuleParameters, granularity: Granularity) -> None:
        encoder = Encoder.parse(parameters.encoder)
        self._parameters, self._seconds = parameters, granularity.seconds
        self._stream = QfhStream(encoder, (parameters.window,), granularity.seconds)
        self._bits: deque[int] = deque(maxlen=parameters.window)
        self._ranges: deque[float] = deque(maxlen=RANGE_CANDLES)
        self._larger = [
            _LargerCandles(Granularity.parse(name), encoder, parameters.window) for name in parameters.confirm
        ]
        self.time: int | None = None
        """Start of the newest candle taken, seconds since the epoch."""

    def update(
        self, time: int, open_: float, high: float, low: float, close: float, _spread: float = 0.0, _volume: int = 0
    ) -> Proposal | None:
        """Take the next candle; returns the proposal at its close, if there is one. Raises InputError as QfhStream."""
        found = self._stream.update(time, open_, close)[self._parameters.window]
        self.time = time
        self._bits.append(self._stream.bit)
        self._ranges.appendleft(high - low)
        for larger in self._larger:
            larger.update(time, open_, close, time + self._seconds)
        if found is None or len(self._ranges) < RANGE_CANDLES:
            return None
        agreed = shared_sign([np.array([one.sign], np.int8) for one in self._larger]) if self._larger else None
        mean_range = np.array([_total(self._ranges) / RANGE_CANDLES])
        metrics = _one_row(found, self._parameters.window, np.array(self._bits, np.int8))
        proposals = assemble(self._parameters, metrics, mean_range, agreed)
        if proposals.side[0] == 0:
            return None
        return Proposal(
            side=int(proposals.side[0]),
            confidence=float(proposals.confidence[0]),
            stop=float(proposals.stop[0]),
            target=float(proposals.target[0]),
            metrics=proposals.metrics,
        )


class _LargerCandles:
    """The sign of the trend of the newest completed candle of a longer granularity."""

    def __init__(self, granularity: Granularity, encoder: Encoder, window: int) -> None:
        self._granularity, self._window = granularity, window
        self._stream = QfhStream(encoder, (window,), granularity.seconds)
        self._open: tuple[int, float, float] | None = None  # start, open and close of the one that is not complete
        self.sign = 0

    def update(self, time: int, open_: float, close: float, until: int) -> None:
        """Take a candle that ends at `until`."""
        start = int(candle_start(np.array([time], np.int64), self._granularity)[0])
        if self._open is not None and self._open[0] != start:
            self._complete(*self._open)
        first = open_ if self._open is None else self._open[1]
        self._open = (start, first, close)
        if until >= start + self._granularity.seconds:
            self._complete(*self._open)

    def _complete(self, start: int, open_: float, close: float) -> None:
        found = self._stream.update(start, open_, close)[self._window]
        self.sign = int(np.sign(found.trend)) if found else 0
        self._open = None


def _total(values: Iterable[float]) -> float:
    """Their sum, each rounded in turn as numpy does it; the built-in compensates."""
    total = 0.0
    for value in values:
        total += value
    return total


def _one_row(found: StreamMetrics, window: int, bits: Bits) -> WindowMetrics:
    """The metrics of the newest candle as a series of one row; bits: those of its window."""
    rows = [np.array([value], np.float32) for value in found[:-1]]
    return named_rows(window, rows, np.array([found.collapse]), np.array([True]), bits)
