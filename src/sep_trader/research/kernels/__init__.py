"""Kernels of the sweep: plain scalar functions, and thin drivers that compile them for the CPU and for CUDA.

These modules import numpy and numba only, so that they run on a bare GPU machine.
"""
