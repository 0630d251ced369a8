"""The five classics' trades against those of backtesting.py, on random candles at equal rules.

    python -m venv /tmp/others && /tmp/others/bin/pip install backtesting==0.6.6 -e .[research]
    /tmp/others/bin/python benchmarks/others/classics.py [--candles 1000000]

Equal rules: no spread, no slippage, no financing, one unit, one position at a time; entry at the next open; stop and
target at levels counted from that open; a horizon in candles. backtesting.py must be told the next open when it orders,
since its stops are prices, not distances. It prints JSON: trades of each, how many are the same in entry, exit, side
and exit price, and what the others differ in.
"""

import argparse
import json
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.backtest import backtest
from sep_trader.research.costs import CostModel
from sep_trader.research.function_rule import parameters_of
from sep_trader.research.pricing import priced_on

FREE = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)
CLASSICS = ("sma_cross", "rsi_reversal", "donchian_breakout", "bollinger_fade", "london_open_range")


def random_candles(n: int) -> Candles:
    """Minutes without a gap, prices of five decimals, opens at the last close."""
    rng = np.random.default_rng(7)
    close = np.round(1.3 + np.cumsum(rng.normal(0.0, 1.5e-4, n)) * 0.2, 5)
    opened = np.concatenate([[1.3], close[:-1]])
    up, down = np.abs(rng.normal(0.0, 8e-5, (2, n)))
    high = np.round(np.maximum(opened, close) + up, 5)
    low = np.round(np.minimum(opened, close) - down, 5)
    time = np.arange(n, dtype=np.int64) * 60 + 1_388_620_800
    return Candles("EUR_USD", Granularity.M1, time, opened, high, low, close, np.zeros(n), np.ones(n, np.int64))


def theirs(candles: Candles, name: str) -> pd.DataFrame:
    """Trades of backtesting.py on the same sides and distances."""
    parameters = parameters_of(name, {})
    found = priced_on(parameters.propose(candles), candles)
    horizon, opened = parameters.horizon, candles.open

    class Same(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.at = -1

        def next(self) -> None:
            i = len(self.data) - 1
            if self.position:
                if i - self.trades[-1].entry_bar >= horizon - 1:
                    self.position.close()
                return
            side = found.side[i]
            if side and i + 1 < len(opened):
                fill = opened[i + 1]
                stop = round(fill - side * found.stop[i], 5)
                target = round(fill + side * found.target[i], 5)
                (self.buy if side > 0 else self.sell)(size=1, sl=stop, tp=target)

    frame = pd.DataFrame(
        {"Open": opened, "High": candles.high, "Low": candles.low, "Close": candles.close},
        index=pd.to_datetime(candles.time, unit="s"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trades: pd.DataFrame = Backtest(frame, Same, cash=1e9, finalize_trades=False).run()._trades
    return trades


def compare(candles: Candles, name: str) -> dict[str, Any]:
    """How many trades are the same."""
    mine = backtest(candles, parameters_of(name, {}), FREE).trades
    step, begin = 60, int(candles.time[0])
    reasons = np.array(mine.exit_reason)
    ended = reasons != "END"
    ours = {
        (int(t - begin) // step, int(s)): (int(x - begin) // step, round(float(p), 5), r)
        for t, s, x, p, r, e in zip(
            mine.entry_time, mine.side, mine.exit_time, mine.exit_price, reasons, ended, strict=True
        ) if e
    }  # fmt: skip
    others = {
        (int(row.EntryBar), 1 if row.Size > 0 else -1): (int(row.ExitBar), round(float(row.ExitPrice), 5))
        for row in theirs(candles, name).itertuples()
    }
    same = sum(key in ours and ours[key][:2] == value for key, value in others.items())
    odd: dict[str, int] = {}
    for key in {*ours, *others}:
        if key not in ours or key not in others:
            kind = "only one has the entry"
        elif ours[key][:2] == others[key]:
            continue
        elif ours[key][0] == others[key][0]:
            kind = f"same candle, other price ({ours[key][2]})"
        else:
            kind = f"other candle ({ours[key][2]})"
        odd[kind] = odd.get(kind, 0) + 1
    return {"strategy": name, "ours": len(ours), "theirs": len(others), "same": same, "differences": odd}


def main() -> None:
    """Print the comparison."""
    options = argparse.ArgumentParser()
    options.add_argument("--candles", type=int, default=1_000_000)
    candles = random_candles(options.parse_args().candles)
    found = [compare(candles, name) for name in CLASSICS]
    json.dump({"candles": len(candles), "classics": found}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
