"""Profit and loss and performance statistics. Pure."""
