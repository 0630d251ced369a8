"""A strategy that is known on whole series, candle by candle: it is asked on as many candles as it says that it needs.

That this gives what the whole series gives is proven by `needs_more` before a pair may be READY.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.rule_stream import Proposal
from sep_trader.research.strategies import Proposals


class WindowStream:
    """Takes complete candles, oldest first, and says at each close what `propose` does of the newest ones.

    least: candles that precede the first one that can propose. more: how many are kept beside these.
    """

    def __init__(
        self,
        propose: Callable[[Candles], Proposals],
        instrument: str,
        granularity: Granularity,
        least: int,
        *,
        more: int = 0,
    ) -> None:
        self._propose, self._instrument, self._granularity, self._least = propose, instrument, granularity, least
        self._rows: deque[tuple[float, ...]] = deque(maxlen=least + more + 1)
        self.time: int | None = None
        """Start of the newest candle taken, seconds since the epoch."""

    def update(
        self, time: int, open_: float, high: float, low: float, close: float, spread: float = np.nan, volume: int = 0
    ) -> Proposal | None:
        """Take the next candle; returns the proposal at its close, if there is one."""
        self.time = time
        self._rows.append((time, open_, high, low, close, spread, volume))
        if len(self._rows) <= self._least:
            return None
        found = self._propose(self._candles())
        if found.side[-1] == 0:
            return None
        return Proposal(
            side=int(found.side[-1]),
            confidence=float(found.confidence[-1]),
            stop=float(found.stop[-1]),
            target=float(found.target[-1]),
            metrics=None,
        )

    def _candles(self) -> Candles:
        rows = np.array(self._rows)
        opened, highs, lows, closes, spreads = rows[:, 1:6].T.copy()
        times, volumes = rows[:, 0].astype(np.int64), rows[:, 6].astype(np.int64)
        return Candles(self._instrument, self._granularity, times, opened, highs, lows, closes, spreads, volumes)
