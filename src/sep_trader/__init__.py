"""SEP Trader: a self-hosted forex trading system that its owner can trust with money."""

__version__ = "0.1.0"
