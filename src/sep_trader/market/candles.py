"""Candles as a struct of numpy arrays: mid candles for analysis, bid/ask candles as brokers and files deliver them."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.market.granularity import Granularity

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What both kinds of candles share: length, slicing and joining of equally long columns."""

    instrument: str
    granularity: Granularity
    time: Int

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def _column_names(cls) -> list[str]:
        return [f.name for f in fields(cls) if f.name not in ("instrument", "granularity")]

    def take(self, index: slice | Int | npt.NDArray[np.bool_]) -> Self:
        """The candles at a slice, an index array or a mask, as views where numpy allows."""
        columns = {name: getattr(self, name)[index] for name in self._column_names()}
        return replace(self, **columns)

    def between(self, start: int, end: int) -> Self:
        """The candles with start <= time < end (seconds since the epoch, UTC)."""
        lo, hi = np.searchsorted(self.time, [start, end])
        return self.take(slice(int(lo), int(hi)))

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Concatenate parts of one instrument and granularity; raises ValueError when they differ or none is given."""
        if len({(p.instrument, p.granularity) for p in parts}) != 1:
            raise ValueError("candles to join must share one instrument and one granularity")
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(p, name) for p in parts]) for name in cls._column_names()
        }
        return replace(parts[0], **columns)


@dataclass(frozen=True, slots=True, eq=False)
class Candles(_Columns):
    """Complete mid candles of one instrument and granularity, oldest first. All columns have the same length.

    time: candle start, seconds since the epoch, UTC, strictly increasing. open, high, low, close: mid prices.
    spread: ask close - bid close, in price units; NaN where it was not recorded, 0 is a spread that was seen. volume:
    number of prices, 0 where it was not recorded.
    """

    open: Float
    high: Float
    low: Float
    close: Float
    spread: Float
    volume: Int

    def has_spread(self) -> bool:
        """Whether every candle's spread was recorded."""
        return not bool(np.isnan(self.spread).any())

    def normalised(self, precision: int) -> "Candles":
        """The same prices and spreads as the nearest numbers of `precision` decimals: 128.39000000000001 is 128.39."""
        names = ("open", "high", "low", "close", "spread")
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(self, **{name: np.round(getattr(self, name), precision) for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class QuoteCandles(_Columns):
    """Complete bid and ask candles of one instrument and granularity, oldest first. Columns as in Candles."""

    bid_open: Float
    bid_high: Float
    bid_low: Float
    bid_close: Float
    ask_open: Float
    ask_high: Float
    ask_low: Float
    ask_close: Float
    volume: Int

    def to_mid(self, precision: int) -> Candles:
        """Mid candles: (bid + ask) / 2, rounded half-even to `precision` decimals. A crossed close has spread 0."""
        return Candles(
            instrument=self.instrument,
            granularity=self.granularity,
            time=self.time,
            open=mid_price(self.bid_open, self.ask_open, precision),
            high=mid_price(self.bid_high, self.ask_high, precision),
            low=mid_price(self.bid_low, self.ask_low, precision),
            close=mid_price(self.bid_close, self.ask_close, precision),
            spread=np.maximum(np.round(self.ask_close - self.bid_close, precision), 0.0),
            volume=self.volume,
        )


def mid_price(bid: Float, ask: Float, precision: int) -> Float:
    """(bid + ask) / 2 rounded half-even to `precision` decimals, computed in whole ticks so that halves are exact."""
    scale = 10.0**precision
    total = np.rint(bid * scale).astype(np.int64) + np.rint(ask * scale).astype(np.int64)
    half = total >> 1
    ticks = half + ((total & 1) & (half & 1))
    return ticks / scale
