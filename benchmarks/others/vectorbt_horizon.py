"""The fixed-horizon sweep in vectorbt: `vectorbt_horizon.py GIVEN FOUND RUNS`, started by benchmarks/sweep.py.

GIVEN: open, close [N], side and latest [N, S], entries and exits of the trades, long and short [N, S]. FOUND, for the
numba engine and for the Rust engine: seconds of each run, trades and net [S]; the version.

The numba engine is given the proposals and finds the trades with a signal function. The Rust engine knows no such
function: it is given the bars of every entry and exit, which are computed beforehand and not timed.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.enums import SizeType


@njit
def signal(context, side, latest, due):  # type: ignore[no-untyped-def]
    """Enter at the open after a proposal, leave at the open when it is due; a trade at a time."""
    i, column = context.i, context.col
    if context.position_now != 0.0:
        leave = i >= due[column]
        return False, leave and context.position_now > 0.0, False, leave and context.position_now < 0.0
    proposed = side[i - 1, column] if i > 0 and latest[i - 1, column] > 0 else 0
    if proposed != 0:
        due[column] = i + latest[i - 1, column]
    return proposed > 0, False, proposed < 0, False


def timed(make: Callable[[], Any], runs: int) -> tuple[list[float], Any, Any]:
    """Seconds of a portfolio with its trades' count and sum, of runs after one that compiles."""
    seconds = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        trades = make().trades
        count, net = trades.count(), trades.pnl.sum()
        seconds.append(time.perf_counter() - begun)
    return seconds[1:], np.asarray(count), np.nan_to_num(np.asarray(net))


def main(given_path: str, found_path: str, runs: int) -> None:
    given = np.load(given_path)
    side, latest = given["side"], given["latest"]
    columns = side.shape[1]
    closes, opens = (np.repeat(given[name][:, None], columns, axis=1) for name in ("close", "open"))
    common = {"price": opens, "size": 1.0, "size_type": SizeType.Amount, "init_cash": 1e9, "freq": "1min"}

    def with_numba() -> Any:
        due = np.zeros(columns, np.int64)
        return vbt.Portfolio.from_signals(closes, signal_func_nb=signal, signal_args=(side, latest, due), **common)

    def with_rust() -> Any:
        return vbt.Portfolio.from_signals(
            closes, entries=given["long_entries"], exits=given["long_exits"], short_entries=given["short_entries"],
            short_exits=given["short_exits"], engine="rust", **common,
        )  # fmt: skip

    found: dict[str, Any] = {"version": vbt.__version__}
    for name, make in (("numba", with_numba), ("rust", with_rust)):
        found[f"{name}_seconds"], found[f"{name}_trades"], found[f"{name}_net"] = timed(make, runs)
    np.savez(found_path, **found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
