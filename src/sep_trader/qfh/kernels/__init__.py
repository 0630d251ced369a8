"""Compiled kernels of the window metrics. They import numpy and numba (and its llvmlite) only.

What makes them fast: sixteen rows at a time in vector registers, from running sums to finished lines; blocks whose sums
stay in the first-level cache; counting that hides behind writing; 32-bit arithmetic and a table instead of logarithms;
stores that go past the cache, because nobody reads the results soon.
"""
