"""Does a pair have an edge? Labels, strategies, simulation, sweep, walk-forward, the verdict and the right to trade."""
