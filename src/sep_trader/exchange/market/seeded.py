"""A seeded market: quotes with regimes, fat tails and spreads that widen at rollover, the same for the same seed.

Model, an hour at a time: steps of a Student-t distribution with 4 degrees of freedom, scaled by a regime of four hours
(calm, normal, wild), by the hour of the day and by an annual volatility of 8 %, drawn back weakly to the reference
price. The spread is the pair's usual one, wider in a wild regime and up to four times as wide round 17:00 New York.
A planted edge makes the minutes continue: after two minutes in one direction the next goes on in it with probability
(1 + edge) / 2. Everything is a function of seed, pair and hour, so that history can be asked for at any time.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.sessions import Sessions, next_cutoff
from sep_trader.exchange.market.tape import NO_ROWS, Points, Rows
from sep_trader.exchange.market.terms import PAIRS, REFERENCE, offered
from sep_trader.market.instrument import parse_pair

HOUR = 3600
HISTORY_HOURS = 30 * 24
_SIGMA = 0.08 / math.sqrt(252 * 86_400)
_TAILS = 4
_REGIMES, _ODDS = (0.6, 1.0, 2.2), (0.35, 0.5, 0.15)
# Activity by hour of the day, UTC: Asia, London, New York.
_DAY = (0.6, 0.6, 0.7, 0.7, 0.6, 0.6, 0.8, 1.1, 1.2, 1.1, 1.0, 1.0, 1.3, 1.4, 1.4, 1.3, 1.1, 0.9, 0.8, 0.7, 0.6, 0.5)
_ACTIVITY = (*_DAY, 0.5, 0.5)
_PULL = 0.002
_ROLLOVER = 15 * 60


class SeededMarket:
    """A source of the tape that never ends. `anchor`: the second, start of an hour, at which prices are the usual."""

    chunk_seconds = HOUR

    def __init__(
        self,
        seed: int,
        anchor: int,
        pairs: Sequence[str] = PAIRS,
        *,
        sessions: Sessions | None = None,
        per_second: float = 1.0,
        edge: float = 0.0,
    ) -> None:
        """Make a market. `per_second`: quotes of each instrument. Raises InputError for figures that make none."""
        if not 0 <= edge <= 1:
            raise InputError(f"a planted edge of {edge}", "give a share from 0 to 1")
        if not 1 / 60 <= per_second <= 100:
            raise InputError(f"{per_second} quotes a second", "give 0.02 to 100")
        self.instruments = tuple(parse_pair(pair) for pair in pairs)
        self._index = {name: PAIRS.index(name) if name in PAIRS else 100 + i for i, name in enumerate(self.instruments)}
        self._seed, self._edge = seed, edge
        self._anchor = anchor // HOUR
        self._steps = max(60, round(HOUR * per_second / 60) * 60)
        self._sessions = sessions or Sessions()
        self._opens: dict[tuple[str, int], float] = {}
        self._shape = lru_cache(maxsize=64)(self._hour_shape)

    def following(self, number: int) -> int | None:
        """The next hour in which the market is open at all."""
        return next((n for n in range(number + 1, number + 200) if self._shape(n)[0].any()), None)

    def preceding(self, instrument: str, number: int) -> int | None:
        """The hour before in which the market is open, for thirty days before the anchor."""
        lowest = max(self._anchor - HISTORY_HOURS, number - 200)
        return next((n for n in range(number - 1, lowest - 1, -1) if self._shape(n)[0].any()), None)

    def hours(self, instrument: str) -> Rows:
        """There are no recorded hours."""
        return NO_ROWS

    def points(self, instrument: str, number: int) -> Points | None:
        """The quotes of an hour."""
        is_open, widening = self._shape(number)
        if not is_open.any() or number < self._anchor - HISTORY_HOURS:
            return None
        rng = self._rng(instrument, number, 2)
        steps = np.repeat(is_open, self._steps // 60)
        path = self._opening(instrument, number) + np.cumsum(self._returns(instrument, number))
        terms = offered(instrument)
        scale = 10.0**terms.display_precision
        pips = float(REFERENCE[instrument][1]) if instrument in REFERENCE else 3.0
        ticks = pips * 10.0 ** (terms.pip_location + terms.display_precision)
        regime = math.sqrt(max(self._regime(instrument, number), 1.0))
        wide = ticks * regime * np.repeat(widening, self._steps // 60) * rng.uniform(0.85, 1.25, self._steps)
        spread = np.maximum(np.rint(wide), 1).astype(np.int64)
        bid = np.floor(np.exp(path) * scale - spread / 2).astype(np.int64)
        offsets = (np.arange(self._steps) + rng.uniform(0, 1, self._steps)) * (HOUR / self._steps)
        time = number * HOUR * SECOND + (offsets * 1000).astype(np.int64) * 1_000_000
        return Points(time[steps], bid[steps], (bid + spread)[steps])

    def _rng(self, instrument: str, number: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._index[instrument], number, purpose])

    def _regime(self, instrument: str, number: int) -> float:
        return float(self._rng(instrument, number // 4, 1).choice(_REGIMES, p=_ODDS))

    def _hour_shape(self, number: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """For each minute of an hour: whether the market is open, and by what the spread is widened."""
        minutes = [number * HOUR + 60 * m for m in range(60)]
        is_open = np.array([self._sessions.is_open(s * SECOND) for s in minutes])
        cut = next_cutoff(number * HOUR * SECOND - 1) // SECOND
        away = np.array([min(abs(s - cut), abs(s - cut + 86_400)) for s in minutes])
        return is_open, 1.0 + 3.0 * np.clip(1.0 - away / _ROLLOVER, 0.0, 1.0)

    def _returns(self, instrument: str, number: int) -> npt.NDArray[np.float64]:
        """Log returns of an hour's steps; none while the market is closed."""
        rng = self._rng(instrument, number, 0)
        scale = _SIGMA * math.sqrt(HOUR / self._steps) * self._regime(instrument, number) * _ACTIVITY[number % 24]
        steps = np.clip(rng.standard_t(_TAILS, self._steps), -40, 40) * (scale / math.sqrt(_TAILS / (_TAILS - 2)))
        if self._edge:
            steps = self._planted(steps.reshape(60, -1), rng)
        moves: npt.NDArray[np.float64] = steps * np.repeat(self._shape(number)[0], self._steps // 60)
        return moves

    def _planted(self, minutes: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Turn minutes round so that after two in one direction the next continues more often than not."""
        goes_on = rng.uniform(size=60) < (1 + self._edge) / 2
        signs = np.sign(minutes.sum(axis=1))
        for k in range(2, 60):
            if signs[k - 1] == signs[k - 2] != 0 and signs[k] != (signs[k - 1] if goes_on[k] else -signs[k - 1]):
                minutes[k] *= -1
                signs[k] *= -1
        return minutes.ravel()

    def _opening(self, instrument: str, number: int) -> float:
        """Log price at the start of an hour, chained from the anchor in either direction."""
        home = math.log(float(REFERENCE[instrument][0]) if instrument in REFERENCE else 1.0)
        at = number
        while at != self._anchor and (instrument, at) not in self._opens:
            at += 1 if number < self._anchor else -1
        price = self._opens.get((instrument, at), home)
        while at < number:
            moved = float(self._returns(instrument, at).sum())
            price += moved - _PULL * (price - home)
            at += 1
            self._opens[instrument, at] = price
        while at > number:
            at -= 1
            price -= float(self._returns(instrument, at).sum())
            self._opens[instrument, at] = price
        return price
