"""SEP Trader: a self-hosted forex trading system that its owner can trust with money.

`sep_trader.load("EUR_USD", "M1", start, end)` reads candles from the store; see `sep_trader.notebook`.
"""

from typing import TYPE_CHECKING, Any

from sep_trader.version import __version__

if TYPE_CHECKING:
    from sep_trader.notebook import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load` brings the whole program with it: it is imported at its first use, so that `sep` starts at once."""
    if name == "load":
        from sep_trader.notebook import load

        return load
    raise AttributeError(f"module 'sep_trader' has no attribute '{name}'")
