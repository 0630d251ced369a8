"""Models that learn whether a trade pays: what a fit is as data, and its inference without the library that made it.

Pure. A fit is JSON: never code. Two models, one for buying and one for selling, give the probability that a trade with
the set's exits ends above its costs; the higher one proposes where it reaches the threshold.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.features import VERSION, Features
from sep_trader.research.strategies import Proposals, mean_candle_range
from sep_trader.research.window_stream import WindowStream

Float = npt.NDArray[np.float64]
_ROWS = 16_384
"""Rows that the trees are asked at once: what that needs stays in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """1 / (1 + exp(-(w.(x - mean) / scale + b)))."""

    mean: Float
    scale: Float
    weights: Float
    bias: float

    def probability(self, matrix: Float) -> Float:
        """float64[N] of float64[N, features]."""
        total = np.full(len(matrix), self.bias)
        # Column by column: a product of matrices rounds by how many rows there are.
        for column, mean, scale, weight in zip(matrix.T, self.mean, self.scale, self.weights, strict=True):
            total += (column - mean) / scale * weight
        return _sigmoid(total)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        lists = {name: getattr(self, name).tolist() for name in ("mean", "scale", "weights")}
        return {"kind": "logistic", **lists, "bias": self.bias}


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """A sum of small trees, as arrays of all nodes. feature -1 is a leaf. At a node: left where x <= threshold."""

    base: float
    roots: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Float
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Float

    def probability(self, matrix: Float) -> Float:
        """float64[N] of float64[N, features]."""
        parts = [self._part(matrix[begin : begin + _ROWS]) for begin in range(0, len(matrix), _ROWS)]
        return np.concatenate([np.zeros(0), *parts])

    def _part(self, matrix: Float) -> Float:
        at = np.broadcast_to(self.roots, (len(matrix), len(self.roots))).copy()
        rows = np.arange(len(matrix))[:, None]
        while True:
            feature = self.feature[at]
            inner = feature >= 0
            if not inner.any():
                break
            less = matrix[rows, np.maximum(feature, 0)] <= self.threshold[at]
            at = np.where(inner, np.where(less, self.left[at], self.right[at]), at)
        total = np.full(len(matrix), self.base)
        for tree in range(len(self.roots)):  # in the order of the library that made it, to the last bits
            total += self.value[at[:, tree]]
        return _sigmoid(total)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("roots", "feature", "threshold", "left", "right", "value")
        return {"kind": "boosted", "base": self.base, **{name: getattr(self, name).tolist() for name in names}}


Fit = Logistic | Boosted


def fit_from_json(data: dict[str, Any]) -> Fit:
    """Read a fit's JSON values. Raises InputError for a kind that this version does not know."""
    if data.get("kind") == "logistic":
        columns = {name: np.array(data[name], dtype=np.float64) for name in ("mean", "scale", "weights")}
        return Logistic(**columns, bias=float(data["bias"]))
    if data.get("kind") == "boosted":
        whole = {name: np.array(data[name], dtype=np.int64) for name in ("roots", "feature", "left", "right")}
        return Boosted(
            base=float(data["base"]), threshold=np.array(data["threshold"], dtype=np.float64),
            value=np.array(data["value"], dtype=np.float64), **whole,
        )  # fmt: skip
    raise InputError(f"a fit of kind {data.get('kind')}", "logistic or boosted: train again")


def _sigmoid(x: Float) -> Float:
    return 1.0 / (1.0 + np.exp(-x))


@dataclass(frozen=True, slots=True)
class LearnedParameters:
    """Two fits with the features, the exits and the threshold that they were made for."""

    features: Features
    buy: Fit
    sell: Fit
    threshold: float
    stop_ranges: float
    target_ranges: float
    horizon: int

    def warm_up(self, granularity: Granularity, /) -> int:
        """Candles that must precede the first one that can propose."""
        return self.features.warm_up(granularity)

    def propose(self, candles: Candles) -> Proposals:
        """What the model proposes at each candle's close; confidence is the probability."""
        return self.on(self.features.matrix(candles), mean_candle_range(candles))

    def stream(self, instrument: str, granularity: Granularity) -> WindowStream:
        """The same, candle by candle. The first bits of a session depend on its start: a day is kept beside."""
        day = 86_400 // granularity.seconds
        return WindowStream(self.propose, instrument, granularity, self.warm_up(granularity), more=day)

    def on(self, matrix: Float, mean_range: Float) -> Proposals:
        """The same, from features that were computed already."""
        safe = np.where(np.isfinite(mean_range), mean_range, np.inf)
        if self.threshold > 1.0:  # nothing was fitted: no probability reaches it
            none = np.zeros(len(matrix))
            return Proposals(none.astype(np.int8), none, self.stop_ranges * safe, self.target_ranges * safe, None)
        known = np.isfinite(matrix).all(axis=1) & np.isfinite(mean_range) & (mean_range > 0)
        given = np.where(known[:, None], matrix, 0.0)
        return self.told(self.buy.probability(given), self.sell.probability(given), known, safe)

    def told(self, buy: Float, sell: Float, known: npt.NDArray[np.bool_], safe: Float) -> Proposals:
        """What is proposed at these probabilities. safe: the mean range, inf where it is not known."""
        best = np.maximum(buy, sell)
        side = np.where(known & (best >= self.threshold) & (buy != sell), np.where(buy > sell, 1, -1), 0)
        return Proposals(side.astype(np.int8), best, self.stop_ranges * safe, self.target_ranges * safe, None)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        exits = {name: getattr(self, name) for name in ("threshold", "stop_ranges", "target_ranges", "horizon")}
        return {"features": self.features.to_json(), "buy": self.buy.to_json(), "sell": self.sell.to_json(), **exits}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `to_json`'s values; raises InputError where its features are of another version."""
        if data["features"]["version"] != VERSION:
            raise InputError(
                f"the model's features are of version {data['features']['version']}",
                f"this one has {VERSION}: train again",
            )
        exits = {name: data[name] for name in ("threshold", "stop_ranges", "target_ranges", "horizon")}
        return cls(
            Features.from_json(data["features"]), fit_from_json(data["buy"]), fit_from_json(data["sell"]), **exits
        )
