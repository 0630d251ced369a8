"""Strategies of one's own: the port, and the rolling figures that strategies are often made of."""

from sep_trader.strategies.indicators import before, deviation, held, highest, lowest, mean
from sep_trader.strategies.port import Entries, View, strategy

__all__ = ["Entries", "View", "before", "deviation", "held", "highest", "lowest", "mean", "strategy"]
