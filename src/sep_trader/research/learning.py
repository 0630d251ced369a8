"""Fitting: inside each training part only, thresholds chosen there too; the figures of the test parts beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.features import Features
from sep_trader.research.learned import Boosted, Fit, LearnedParameters, Logistic
from sep_trader.research.parameters import LONGEST_HORIZON
from sep_trader.research.pricing import priced, whole_ticks
from sep_trader.research.simulate import net_outcomes, simulate
from sep_trader.research.strategies import Proposals, mean_candle_range

Float = npt.NDArray[np.float64]
KINDS = ("logistic", "boosting")
_MOST_ROWS = {"logistic": 60_000, "boosting": 20_000}
"""Labels overlap: more rows tell little more, and trees take long."""
_LEAST_ROWS = 500
_THRESHOLDS = (0.5, 0.55, 0.6, 0.65)
_BINS = 10
_TREES = 30


@dataclass(frozen=True, slots=True)
class LearnedGrid:
    """What a model's training tries: exits, and thresholds of the probability."""

    kind: str = "logistic"
    exits: tuple[tuple[float, float, int], ...] = ((4.0, 6.0, 20), (8.0, 12.0, 45))
    thresholds: tuple[float, ...] = _THRESHOLDS

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"unknown model '{self.kind}'", " or ".join(KINDS))
        for one in self.thresholds:
            if not (isinstance(one, int | float) and 0.0 < one < 1.0):
                raise InputError(f"threshold {one} is no probability", "between 0 and 1")
        for stop, target, horizon in self.exits:
            if not (stop > 0.0 and target > 0.0 and 1 <= horizon <= LONGEST_HORIZON):
                raise InputError(
                    f"exits {stop}:{target}:{horizon} are out of range", "distances above 0, candles from 1 on"
                )

    @property
    def base(self) -> LearnedParameters:
        """What stands where nothing was chosen: it proposes nothing."""
        nothing = Logistic(np.zeros(0), np.ones(0), np.zeros(0), 0.0)
        return LearnedParameters(Features((16,)), nothing, nothing, 2.0, *self.exits[0])

    def sets(self) -> list[tuple[tuple[float, float, int], float]]:
        """Every exit with every threshold."""
        return [(exits, threshold) for exits in self.exits for threshold in self.thresholds]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"model": self.kind, "exits": [list(one) for one in self.exits], "thresholds": list(self.thresholds)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `to_json`'s values."""
        exits = tuple((float(stop), float(target), int(horizon)) for stop, target, horizon in data["exits"])
        return cls(data["model"], exits, tuple(data["thresholds"]))


@dataclass(slots=True, eq=False)
class Learning:
    """A series with its features, and the outcome of every entry by exits and side."""

    candles: Candles
    costs: CostModel
    features: Features
    matrix: Float
    mean_range: Float
    known: npt.NDArray[np.bool_]
    _outcomes: dict[tuple[tuple[float, float, int], int], Float] = field(default_factory=dict)

    @classmethod
    def of(cls, candles: Candles, costs: CostModel) -> Self:
        """The usual features of the candles' granularity."""
        features = Features.of(candles.granularity)
        matrix, mean_range = features.matrix(candles), mean_candle_range(candles)
        known = np.isfinite(matrix).all(axis=1) & np.isfinite(mean_range) & (mean_range > 0)
        return cls(candles, costs, features, matrix, mean_range, known)

    def propose(self, parameters: LearnedParameters) -> Proposals:
        """What a fit proposes at each candle's close."""
        return parameters.on(self.matrix, self.mean_range)

    def outcomes(self, exits: tuple[float, float, int], side: int) -> Float:
        """Net outcome of an entry at each candle; NaN where there is none."""
        key = (exits, side)
        if key not in self._outcomes:
            terms = standard_instrument(self.candles.instrument)
            sides = np.where(self.known, side, 0).astype(np.int8)
            safe = np.where(self.known, self.mean_range, 1.0)
            stop, target = (whole_ticks(times * safe, terms) for times in exits[:2])
            self._outcomes[key] = net_outcomes(
                self.candles, sides, stop, target, exits[2], self.costs, digits=terms.display_precision
            )
        return self._outcomes[key]

    def fit(self, grid: LearnedGrid, train: slice, min_trades: int) -> LearnedParameters | None:
        """Fit on a training part and choose exits and threshold there; None where nothing paid its costs in it."""
        best: tuple[float, LearnedParameters] | None = None
        for exits in grid.exits:
            # An entry whose trade may end behind the part was not known to win inside it.
            rows = np.arange(train.start, max(train.start, train.stop - exits[2] - 1))
            fits = [self._fit(grid.kind, rows, self.outcomes(exits, side)) for side in (1, -1)]
            if any(one is None for one in fits):
                continue
            buy, sell = fits
            assert buy is not None and sell is not None  # noqa: S101 - asked above
            known = self.known[train]
            given = np.where(known[:, None], self.matrix[train], 0.0)
            told = buy.probability(given), sell.probability(given)
            for threshold in grid.thresholds:
                made = LearnedParameters(self.features, buy, sell, threshold, *exits)
                score = self._score(made, told, train, min_trades)
                if score is not None and (best is None or score > best[0]):
                    best = score, made
        return None if best is None else best[1]

    def _fit(self, kind: str, rows: npt.NDArray[np.int64], outcome: Float) -> Fit | None:
        rows = rows[self.known[rows] & np.isfinite(outcome[rows])]
        rows = rows[:: max(1, -(-len(rows) // _MOST_ROWS[kind]))]
        won = outcome[rows] > 0
        if len(rows) < _LEAST_ROWS or won.all() or not won.any():
            return None
        return _boosting(self.matrix[rows], won) if kind == "boosting" else _logistic(self.matrix[rows], won)

    def _score(self, made: LearnedParameters, told: tuple[Float, Float], train: slice, min_trades: int) -> float | None:
        """t-statistic of a training part's trades; None where they are too few or did not pay."""
        part = self.candles.take(train)
        ranges = self.mean_range[train]
        proposals = made.told(*told, self.known[train], np.where(np.isfinite(ranges), ranges, np.inf))
        terms = standard_instrument(self.candles.instrument)
        found = priced(proposals, part.spread, terms)
        columns = found.side, found.stop, found.target
        net = simulate(part, *columns, made.horizon, self.costs, digits=terms.display_precision).net
        if len(net) < max(2, min_trades) or net.mean() <= 0 or net.std() == 0:
            return None
        return float(net.mean() / net.std(ddof=1) * np.sqrt(len(net)))

    def quality(self, chosen: Sequence[LearnedParameters | None], tests: Sequence[slice]) -> dict[str, Any]:
        """Out of sample: calibration in tenths of the probability, Brier score beside that of the base rate, and how
        much worse the Brier score is where a feature is shuffled, for every feature by name."""
        told, won, worse = [], [], dict.fromkeys(self.features.names, 0.0)
        rng = np.random.default_rng(1)
        count = 0
        for made, test in zip(chosen, tests, strict=True):
            if made is None:
                continue
            exits = (made.stop_ranges, made.target_ranges, made.horizon)
            for side, fit in ((1, made.buy), (-1, made.sell)):
                outcome = self.outcomes(exits, side)[test]
                rows = np.flatnonzero(self.known[test] & np.isfinite(outcome))
                if not len(rows):
                    continue
                matrix, truth = self.matrix[test][rows], (outcome[rows] > 0).astype(float)
                given = fit.probability(matrix)
                told.append(given)
                won.append(truth)
                part = slice(None, None, max(1, len(rows) // 2_000))
                base = float(((given[part] - truth[part]) ** 2).mean())
                for at, name in enumerate(self.features.names):
                    mixed = matrix[part].copy()
                    rng.shuffle(mixed[:, at])
                    worse[name] += float(((fit.probability(mixed) - truth[part]) ** 2).mean()) - base
                count += 1
        if not told:
            return {"calibration": [], "brier": None, "brier_base": None, "importance": []}
        p, y = np.concatenate(told), np.concatenate(won)
        place = np.minimum((p * _BINS).astype(int), _BINS - 1)
        bins = [
            {"from": one / _BINS, "told": round(float(p[place == one].mean()), 6),
             "won": round(float(y[place == one].mean()), 6), "entries": int((place == one).sum())}
            for one in range(_BINS) if (place == one).any()
        ]  # fmt: skip
        ranked = sorted(((value / count, name) for name, value in worse.items()), reverse=True)
        return {
            "calibration": bins,
            "brier": round(float(((p - y) ** 2).mean()), 6),
            "brier_base": round(float(y.mean() * (1 - y.mean())), 6),
            "importance": [{"feature": name, "brier_more": round(value, 8)} for value, name in ranked],
        }


def _logistic(matrix: Float, won: npt.NDArray[np.bool_]) -> Logistic:
    linear, _ = _sklearn()
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    with _one_thread():
        made = linear.LogisticRegression(C=0.1, max_iter=200).fit((matrix - mean) / scale, won)
    return Logistic(mean, scale, made.coef_[0].astype(np.float64), float(made.intercept_[0]))


def _boosting(matrix: Float, won: npt.NDArray[np.bool_]) -> Boosted:
    _, ensemble = _sklearn()
    with _one_thread():
        made = ensemble.HistGradientBoostingClassifier(
            max_iter=_TREES, max_depth=3, learning_rate=0.1, min_samples_leaf=200, early_stopping=False, random_state=1
        ).fit(matrix, won)
    roots, nodes, begin = [], [], 0
    for (tree,) in made._predictors:
        roots.append(begin)
        nodes.append((tree.nodes, begin))
        begin += len(tree.nodes)
    leaf = np.concatenate([one["is_leaf"].astype(bool) for one, _ in nodes])
    return Boosted(
        base=float(made._baseline_prediction.ravel()[0]),
        roots=np.array(roots, np.int64),
        feature=np.where(leaf, -1, np.concatenate([one["feature_idx"].astype(np.int64) for one, _ in nodes])),
        threshold=np.where(leaf, 0.0, np.concatenate([one["num_threshold"] for one, _ in nodes])),
        left=np.where(leaf, 0, np.concatenate([one["left"].astype(np.int64) + at for one, at in nodes])),
        right=np.where(leaf, 0, np.concatenate([one["right"].astype(np.int64) + at for one, at in nodes])),
        value=np.concatenate([one["value"] for one, _ in nodes]).astype(np.float64),
    )


def _one_thread() -> Any:
    """A fit on one thread: the same bits on any machine, and no thread that waits busily beside other programs."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _sklearn() -> tuple[Any, Any]:
    try:
        from sklearn import ensemble, linear_model
    except ImportError:
        raise InputError("scikit-learn is not installed", "pip install 'sep-trader[research]'") from None
    return linear_model, ensemble
