"""Named statements that only a server with TimescaleDB understands, apart from those that every server does."""

from pathlib import Path

from sep_trader.store.queries import load_queries

statements = load_queries(Path(__file__).parent)
"""hypertables.sql: every build; columnstore.sql, continuous_aggregates.sql: the Community build only."""
