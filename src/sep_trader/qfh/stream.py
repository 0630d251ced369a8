"""QFH one candle at a time: the same bits and metrics as the whole series in one go."""

from bisect import bisect_left, insort
from collections import deque
from typing import NamedTuple

from sep_trader.errors import InputError
from sep_trader.qfh.bits import NO_BIT
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import check_window, newest_row


class StreamMetrics(NamedTuple):
    """Metrics of one window at one candle; the fields mean what they mean in WindowMetrics."""

    null: float
    flip: float
    rupture: float
    up: float
    entropy: float
    coherence: float
    stability: float
    damping: float
    trend: float
    collapse: bool


class QfhStream:
    """Take candles one at a time and give, for each window, exactly what the whole series would give.

    windows: lengths in bits, 8..512. granularity_seconds and max_gap say where a session ends. theta, k1, k2 as in
    `window_metrics`.
    """

    def __init__(
        self,
        encoder: Encoder,
        windows: tuple[int, ...],
        granularity_seconds: int,
        *,
        max_gap: int = 10,
        theta: float = 0.3,
        k1: float = 0.3,
        k2: float = 0.2,
    ) -> None:
        if not windows:
            raise InputError("a stream needs at least one window", "for example (32,)")
        for window in windows:
            check_window(window)
        self.encoder = encoder
        self.windows = windows
        self._gap = max_gap * granularity_seconds
        self._row = newest_row(windows, theta, k1, k2)
        self._bits_available = 0
        self._time: int | None = None
        self._close = 0.0
        self._last_bit = 0
        self._moves: deque[float] = deque()
        self._sorted: list[float] = []
        self.bit = NO_BIT

    def update(self, time: int, open_: float, close: float) -> dict[int, StreamMetrics | None]:
        """Take the next complete candle; returns per window its metrics, None where there is no full window.

        Raises InputError for a NaN or non-positive price, or a time that is not after the last one.
        """
        for name, price in (("open", open_), ("close", close)):
            if not 0.0 < price < float("inf"):
                raise InputError(f"{name} of the candle at {time} s is {price}", "prices are finite and above 0")
        if self._time is not None and time <= self._time:
            raise InputError(f"the candle at {time} s is not after the last one at {self._time} s", "oldest first")
        if self._time is None or time - self._time > self._gap:
            self._start_session()
        else:
            self.bit = self._next_bit(open_, close)
        self._time, self._close = time, close
        return self._metrics()

    def _start_session(self) -> None:
        self.bit, self._last_bit = NO_BIT, 0
        self._bits_available = 0
        self._moves.clear()
        self._sorted.clear()

    def _next_bit(self, open_: float, close: float) -> int:
        if self.encoder.kind == "magnitude":
            return self._magnitude_bit(abs(close - self._close))
        move = close - (open_ if self.encoder.kind == "body" else self._close)
        if move != 0.0:
            self._last_bit = int(move > 0.0)
        return self._last_bit

    def _magnitude_bit(self, move: float) -> int:
        m, bit = self.encoder.m, NO_BIT
        if len(self._moves) == m:
            low, high = self._sorted[(m - 1) // 2], self._sorted[m // 2]
            bit = int(move > (low + high) / 2.0)
            del self._sorted[bisect_left(self._sorted, self._moves.popleft())]
        self._moves.append(move)
        insort(self._sorted, move)
        return bit

    def _metrics(self) -> dict[int, StreamMetrics | None]:
        if self.bit == NO_BIT:
            return dict.fromkeys(self.windows)
        row, self._bits_available = self._row, self._bits_available + 1
        row.take(self.bit)
        make, available = StreamMetrics._make, self._bits_available
        return {
            window: make([*values, collapse]) if available >= window else None
            for window, values, collapse in zip(self.windows, row.values.tolist(), row.collapse.tolist(), strict=True)
        }
