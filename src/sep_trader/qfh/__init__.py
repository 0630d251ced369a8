"""QFH: bits, transition states and window metrics of a price series. Pure.

Importing the package needs numpy only; numba is loaded at the first use of a compiled kernel, and where it is
not installed the exact reference does the work.
"""

from sep_trader.qfh.bits import encode_bits, session_starts
from sep_trader.qfh.counts import WindowCounts
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import MAX_WINDOW, MIN_WINDOW, WindowMetrics, metrics_by_window, window_metrics
from sep_trader.qfh.states import Run, State, StateClassifier, runs, states
from sep_trader.qfh.stream import QfhStream

__all__ = [
    "MAX_WINDOW",
    "MIN_WINDOW",
    "Encoder",
    "QfhStream",
    "Run",
    "State",
    "StateClassifier",
    "WindowCounts",
    "WindowMetrics",
    "encode_bits",
    "metrics_by_window",
    "runs",
    "session_starts",
    "states",
    "window_metrics",
]
