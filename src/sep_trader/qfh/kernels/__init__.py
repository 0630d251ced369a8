"""Compiled kernels of the window metrics. They import numpy and numba (and its llvmlite) only.

docs/kernels.md explains how to read them. Five things make them fast:
- sixteen rows at a time stay in vector registers, from the running sums to the finished lines;
- the sums of a block stay in the first-level cache;
- the processor counts while it writes;
- arithmetic is 32 bits wide, and a table replaces logarithms;
- results are stored past the cache, because nobody reads them soon.
"""
