from typing import Any

import numpy as np
import pytest

from sep_trader.broker.oanda.candle_wire import candles
from sep_trader.market.granularity import Granularity

START = 1703863320  # 2023-12-29T15:22:00Z


def candle(time: str, base: float = 1.1, complete: bool = True) -> dict[str, Any]:
    def side(shift: float) -> dict[str, str]:
        levels = {"o": 0.0, "h": 0.0002, "l": -0.0003, "c": 0.0001}
        return {name: f"{base + shift + step:.5f}" for name, step in levels.items()}

    return {"complete": complete, "volume": 18, "time": time, "bid": side(0.0), "ask": side(0.00015)}


def test_columns_of_bid_and_ask_without_the_open_candle() -> None:
    items = [
        candle("2023-12-29T15:22:00.000000000Z"),
        candle("2023-12-29T15:24:00.000000000Z", 1.2),
        candle("2023-12-29T15:25:00.000000000Z", complete=False),
    ]
    found = candles({"candles": items}, "EUR_USD", Granularity.M1)
    assert found.time.tolist() == [START, START + 120]
    assert found.time.dtype == np.int64
    assert found.bid_open.tolist() == [1.1, 1.2]
    assert found.bid_high[0] == 1.1002
    assert found.bid_low[0] == 1.0997
    assert found.ask_close[1] == 1.20025
    assert found.volume.tolist() == [18, 18]


@pytest.mark.parametrize("time", ["1703863320.000000000", "2023-12-29T10:22:00-05:00"])
def test_other_forms_of_time_give_the_same_seconds(time: str) -> None:
    assert candles({"candles": [candle(time)]}, "EUR_USD", Granularity.M1).time.tolist() == [START]


def test_no_candle_is_an_empty_table() -> None:
    found = candles({"candles": []}, "EUR_USD", Granularity.M1)
    assert len(found) == 0
    assert [str(column.dtype) for column in (found.time, found.bid_open, found.volume)] == ["int64", "float64", "int64"]


def test_an_answer_without_the_ask_is_refused() -> None:
    item = candle("2023-12-29T15:22:00.000000000Z")
    del item["ask"]
    with pytest.raises(KeyError):
        candles({"candles": [item]}, "EUR_USD", Granularity.M1)
