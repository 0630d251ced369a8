"""Features of candles for models that learn: QFH metrics of several windows and granularities, by name. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.resample import resample
from sep_trader.qfh import Encoder, encode_bits, metrics_by_window, session_starts
from sep_trader.qfh.reference import METRICS
from sep_trader.research.strategies import mean_candle_range

Float = npt.NDArray[np.float64]
VERSION = 1
"""Of what the names mean: a model of another version is refused."""
_LARGER = {60: ("M5", "M15"), 300: ("M15", "H1"), 900: ("H1", "H4"), 1_800: ("H1", "H4"), 3_600: ("H4", "D")}
_SLOW = 20
_MOST = 5.0


@dataclass(frozen=True, slots=True)
class Features:
    """Which features: windows in bits, and larger granularities beside the candles' own."""

    windows: tuple[int, ...] = (16, 32, 64)
    larger: tuple[str, ...] = ()
    encoder: str = "direction"

    @classmethod
    def of(cls, granularity: Granularity) -> "Features":
        """The usual ones of a granularity."""
        return cls(larger=_LARGER.get(granularity.seconds, ()))

    @property
    def names(self) -> list[str]:
        """Name of each column, as in rupture_32 or trend_16_M5; last_range and moved are in mean ranges."""
        own = [f"{metric}_{window}" for window in self.windows for metric in METRICS]
        above = [f"{metric}_{self.windows[0]}_{name}" for name in self.larger for metric in METRICS]
        return [*own, *above, "last_range", "moved_1", f"moved_{_SLOW}"]

    def warm_up(self, granularity: Granularity) -> int:
        """Candles before the first one whose features are all known."""
        factor = max([1] + [Granularity.parse(name).seconds // granularity.seconds for name in self.larger])
        return max(max(self.windows) + 1, (self.windows[0] + 2) * factor, 60) + _SLOW

    def matrix(self, candles: Candles) -> Float:
        """float64[N, names]; NaN where a window is not whole."""
        columns = _metrics(candles, self.windows, self.encoder)
        closes = candles.time + candles.granularity.seconds
        for name in self.larger:
            above = resample(candles, Granularity.parse(name))
            found = _metrics(above, self.windows[:1], self.encoder) if len(above) else [np.zeros(0)] * len(METRICS)
            newest = np.searchsorted(above.time + above.granularity.seconds, closes, side="right") - 1
            columns += [
                np.where(newest >= 0, one[np.maximum(newest, 0)], np.nan) if len(one) else np.full(len(candles), np.nan)
                for one in found
            ]
        scale = mean_candle_range(candles)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append((candles.high - candles.low) / scale)
            for back in (1, _SLOW):
                moved = np.full(len(candles), np.nan)
                moved[back:] = candles.close[back:] - candles.close[:-back]
                columns.append(moved / scale)
        # A gap of many ranges says no more than one of a few.
        return np.clip(np.column_stack(columns), -_MOST, _MOST)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "version": VERSION, "windows": list(self.windows), "larger": list(self.larger), "encoder": self.encoder,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Features":
        """Read `to_json`'s values."""
        return cls(tuple(data["windows"]), tuple(data["larger"]), data["encoder"])


def _metrics(candles: Candles, windows: tuple[int, ...], encoder: str) -> list[Float]:
    starts = session_starts(candles.time, candles.granularity.seconds)
    bits = encode_bits(candles.open, candles.close, starts, Encoder.parse(encoder))
    found = metrics_by_window(bits, starts, tuple(sorted(windows)))
    return [
        np.where(found[window].valid, getattr(found[window], metric), np.nan).astype(np.float64)
        for window in windows
        for metric in METRICS
    ]
