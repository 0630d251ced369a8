"""OANDA's candles read as columns: 5,000 bid/ask candles in one go, without an object a candle."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.broker.oanda.times import parse_ns
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity


def candles(body: dict[str, Any], instrument: str, granularity: Granularity) -> QuoteCandles:
    """Read the complete bid/ask candles of an answer, oldest first; the newest, still open candle is left out.

    Raises KeyError, ValueError or TypeError for an answer that holds no bid or ask.
    """
    items = [item for item in body["candles"] if item["complete"]]
    bids = [item["bid"] for item in items]
    asks = [item["ask"] for item in items]
    return QuoteCandles(
        instrument=instrument,
        granularity=granularity,
        time=_times([item["time"] for item in items]),
        bid_open=_column(bids, "o"),
        bid_high=_column(bids, "h"),
        bid_low=_column(bids, "l"),
        bid_close=_column(bids, "c"),
        ask_open=_column(asks, "o"),
        ask_high=_column(asks, "h"),
        ask_low=_column(asks, "l"),
        ask_close=_column(asks, "c"),
        volume=np.array([item["volume"] for item in items], dtype=np.int64),
    )


def _column(sides: list[dict[str, str]], name: str) -> npt.NDArray[np.float64]:
    return np.array([float(side[name]) for side in sides], dtype=np.float64)


def _times(texts: list[str]) -> npt.NDArray[np.int64]:
    """Candle starts in whole seconds. The usual form, to the second and in Z, is read by numpy all at once."""
    if all(text[10:11] == "T" and text[-1] == "Z" for text in texts):
        return np.array([text[:19] for text in texts], dtype="datetime64[s]").astype(np.int64)
    return np.array([parse_ns(text) // 1_000_000_000 for text in texts], dtype=np.int64)
