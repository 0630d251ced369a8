"""Compiled kernels of the window metrics. They import numpy and numba only.

What makes them fast: blocks that stay in the first-level cache, loops over slices that start at 0, 32-bit arithmetic, a
table instead of logarithms, and stores that go past the cache because nobody reads the results soon.
"""
