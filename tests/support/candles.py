"""The one builder of candles for tests: a seeded random walk, or a price that goes up and falls back."""

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity

START = 1_400_000_040
"""Tuesday, 2014-05-13 16:54:00 UTC, in seconds since the epoch: the market is open."""


def minutes(count: int, *, start: int = START) -> npt.NDArray[np.int64]:
    """Starts of so many minutes in a row."""
    return start + 60 * np.arange(count, dtype=np.int64)


def minutes_with_gaps(count: int, seed: int, *, start: int = START, share: float = 0.002) -> npt.NDArray[np.int64]:
    """Starts of minutes of which a share is followed by an hour without candles, which ends a session."""
    random = np.random.default_rng(seed)
    return start + 60 * np.cumsum(np.where(random.random(count) < share, 60, 1)).astype(np.int64)


def random_walk(
    time: int | npt.NDArray[np.int64],
    seed: int = 1,
    *,
    pair: str = "EUR_USD",
    granularity: Granularity = Granularity.M1,
    price: float = 1.3,
    jumps: float = 0.0,
) -> Candles:
    """A random walk with five decimals, spreads and volumes that differ.

    time: starts of the candles, or how many minutes in a row. jumps: share of the candles that open away from the
    last close.
    """
    starts = minutes(time) if isinstance(time, int) else time
    n = len(starts)
    # A row of numbers for each candle, so that a longer walk continues a shorter one.
    step, jump, up, down, spread, volume = np.random.default_rng(seed).random((n, 6)).T
    close = np.round(price * np.exp(np.cumsum((step - 0.5) * 3.4e-4)), 5)
    opening = np.concatenate(([price], close[:-1])) if n else close
    opening = np.round(opening + (jump < jumps) * 2e-4, 5)
    high = np.round(np.maximum(opening, close) + up * 1e-4, 5)
    low = np.round(np.minimum(opening, close) - down * 1e-4, 5)
    ticks = 1 + (volume * 499).astype(np.int64)
    return Candles(pair, granularity, starts, opening, high, low, close, np.round(1e-4 + spread * 5e-5, 5), ticks)


def sawtooth(count: int) -> Candles:
    """EUR_USD minutes whose four prices are one, which rises by a point a minute and falls back every 1,000."""
    price = np.round(1.3 + np.arange(count) % 1_000 * 1e-5, 5)
    ones = np.ones(count, np.int64)
    return Candles("EUR_USD", Granularity.M1, minutes(count), price, price, price, price, np.full(count, 1e-4), ones)
