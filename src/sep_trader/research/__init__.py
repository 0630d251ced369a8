"""Does a pair have an edge? Labels, strategies, backtest, walk-forward and the verdict."""
