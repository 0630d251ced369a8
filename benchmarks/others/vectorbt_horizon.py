"""The fixed-horizon sweep in vectorbt: `vectorbt_horizon.py GIVEN FOUND RUNS`, started by benchmarks/sweep.py.

GIVEN: open, close [N], horizon [S], side [N, S]. FOUND: seconds of each run, trades and net [S], version.
"""

import sys
import time

import numpy as np
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.enums import SizeType


@njit
def signal(context, side, horizon, entered):  # type: ignore[no-untyped-def]
    """Enter at the open after a proposal, leave at the open `horizon` candles on; a trade at a time."""
    i, column = context.i, context.col
    if context.position_now != 0.0:
        leave = i - entered[column] >= horizon[column]
        return False, leave and context.position_now > 0.0, False, leave and context.position_now < 0.0
    proposed = side[i - 1, column] if i > 0 else 0
    if proposed != 0:
        entered[column] = i
    return proposed > 0, False, proposed < 0, False


def main(given_path: str, found_path: str, runs: int) -> None:
    given = np.load(given_path)
    opening, close, side, horizon = given["open"], given["close"], given["side"], given["horizon"]
    columns = side.shape[1]
    closes, opens = (np.repeat(one[:, None], columns, axis=1) for one in (close, opening))
    seconds = []
    for _ in range(runs + 1):  # the first one compiles
        entered = np.zeros(columns, np.int64)
        begun = time.perf_counter()
        portfolio = vbt.Portfolio.from_signals(
            closes, signal_func_nb=signal, signal_args=(side, horizon, entered), price=opens, size=1.0,
            size_type=SizeType.Amount, init_cash=1e9, freq="1min",
        )  # fmt: skip
        trades = portfolio.trades
        count, net = trades.count(), trades.pnl.sum()
        seconds.append(time.perf_counter() - begun)
    np.savez(found_path, seconds=seconds[1:], trades=np.asarray(count), net=np.nan_to_num(np.asarray(net)),
             version=vbt.__version__)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
