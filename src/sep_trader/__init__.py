"""SEP Trader: a self-hosted forex trading system that its owner can trust with money.

In a notebook: `import sep_trader as sep`, then `sep.load("EUR_USD", "M1")` and what `sep_trader.notebook` lists.
"""

from typing import TYPE_CHECKING, Any

from sep_trader.version import __version__

if TYPE_CHECKING:
    from sep_trader.notebook import backtest, load, metrics, report, resample, sweep, verdict, walk_forward
    from sep_trader.strategies import strategy

__all__ = [
    "__version__", "backtest", "load", "metrics", "report", "resample", "strategy", "sweep", "verdict", "walk_forward",
]  # fmt: skip
_FACES = frozenset(__all__) - {"__version__", "strategy"}


def __getattr__(name: str) -> Any:
    """A face brings much of the program with it: it is imported at its first use, so that `sep` starts at once."""
    if name == "strategy":
        from sep_trader.strategies import strategy

        return strategy
    if name in _FACES:
        from sep_trader import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'sep_trader' has no attribute '{name}'")
