"""What only a server with TimescaleDB understands: named statements, hypertables, the Community build's extras."""

from pathlib import Path

from sep_trader.store.queries import NamedQueries

statements = NamedQueries(Path(__file__).parent)
"""hypertables.sql: every build; columnstore.sql, continuous_aggregates.sql: the Community build only."""
