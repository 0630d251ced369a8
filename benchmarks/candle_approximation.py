"""How near a backtest on mid candles comes to one on the quotes themselves.

    python benchmarks/candle_approximation.py [--json]

Both backtests take the same proposals on the recorded minutes of SEP_TEST_DATA. The mid backtest has the mid prices and
the spread of each close, as the store keeps them; the other has bid and ask. Compared are the trades that both make:
how many leave in the same candle for the same reason, and by how much their net outcomes differ, without slippage.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sep_trader.history.lean import read, sources
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.simulate import simulate
from sep_trader.research.strategies import propose
from sep_trader.settings import load_settings

SETS = [replace(one, stop_ranges=s, target_ranges=1.5 * s) for one in Grid().sets()[::4] for s in (4.0, 8.0, 16.0)]


def measured(quotes: QuoteCandles) -> dict[str, float]:
    """The two backtests of every set, held against each other."""
    instrument = standard_instrument(quotes.instrument)
    candles = quotes.to_mid(instrument.display_precision)
    costs = CostModel(slippage_pips=0.0, pip=float(instrument.pip))
    pip, both, alike = float(instrument.pip), 0, 0
    counts, nets = [0, 0], [0.0, 0.0]
    differences: list[float] = []
    for one in SETS:
        found = propose(candles, one)
        told = (found.side, found.stop, found.target, one.horizon, costs)
        mid, quoted = simulate(candles, *told), simulate(quotes, *told)
        for number, trades in enumerate((mid, quoted)):
            counts[number] += len(trades)
            nets[number] += float(trades.net.sum()) / pip
        _, i, j = np.intersect1d(mid.entry, quoted.entry, return_indices=True)
        both += len(i)
        same = (mid.exit[i] == quoted.exit[j]) & (mid.reason[i] == quoted.reason[j])
        alike += int(same.sum())
        differences += ((mid.net[i] - quoted.net[j]) / pip).tolist()
    away = np.abs(np.array(differences))
    return {
        "trades_mid": counts[0],
        "trades_quoted": counts[1],
        "trades_in_both": both,
        "same_exit_share": alike / both,
        "mean_net_mid_pips": nets[0] / counts[0],
        "mean_net_quoted_pips": nets[1] / counts[1],
        "mean_difference_pips": float(np.mean(differences)),
        "median_distance_pips": float(np.median(away)),
        "p99_distance_pips": float(np.quantile(away, 0.99)),
    }


def main() -> None:
    """Measure each recorded pair, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = load_settings().test_data / "lean-oanda"
    results = {}
    for pair in sorted(p.name for p in (folder / "minute").iterdir()):
        name = f"{pair[:3]}_{pair[3:]}".upper()
        read_all = [read(source).candles for source in sources(Path(folder / "minute" / pair), name, Granularity.M1)]
        parts = [one for one in read_all if isinstance(one, QuoteCandles)]
        results[name] = measured(QuoteCandles.join(parts))
    if given.json:
        print(json.dumps(results))
        return
    for name, figures in results.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:24} {value:,.4g}" if isinstance(value, float) else f"  {key:24} {value:,}")


if __name__ == "__main__":
    main()
