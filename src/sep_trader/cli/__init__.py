"""Typer commands, one module a group: the composition root, which alone builds Settings and wires adapters."""
