"""Series for the tests of research."""

from collections.abc import Callable

import numpy as np
import pytest

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity


@pytest.fixture
def random_candles() -> Callable[..., Candles]:
    """A maker of random walks of M1 candles with a weekend in the middle."""
    return _random_candles


def _random_candles(n: int, seed: int = 1) -> Candles:
    rng = np.random.default_rng(seed)
    close = np.round(1.3 + np.cumsum(rng.normal(0, 1e-4, n)), 5)
    start = np.concatenate([[1.3], close[:-1]])
    high, low = np.maximum(start, close) + 5e-5, np.minimum(start, close) - 5e-5
    gap = np.where(np.arange(n) == n // 2, 3 * 86_400, 60)  # a weekend in the middle
    return Candles(
        "EUR_USD", Granularity.M1, 1_400_000_040 // 60 * 60 + np.cumsum(gap), start, high, low, close,
        np.full(n, 1.5e-4), np.ones(n, np.int64),
    )  # fmt: skip
