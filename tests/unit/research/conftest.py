"""Series for the tests of research."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.candles import START, random_walk

from sep_trader.market.candles import Candles


@pytest.fixture
def random_candles() -> Callable[..., Candles]:
    """A maker of random walks of M1 candles with a weekend in the middle."""
    return _random_candles


def _random_candles(n: int, seed: int = 1) -> Candles:
    weekend = np.where(np.arange(n) == n // 2, 3 * 86_400, 60)
    return random_walk(START + np.cumsum(weekend), seed)
