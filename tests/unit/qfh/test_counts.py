"""The whole numbers behind the shares: counted in windows, one by one, by definition."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sep_trader.qfh import WindowMetrics, window_metrics
from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.reference import reference_metrics


def series(n: int, seed: int) -> tuple[Bits, Bools]:
    """Random bits with session starts and a hole."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, n).astype(np.int8)
    starts = rng.random(n) < 4 / n
    starts[0] = True
    bits[starts] = -1
    bits[n // 2 : n // 2 + 3] = -1
    return bits, starts


def one_by_one(bits: list[int]) -> tuple[int, int, int, int, int]:
    """Null, flip, rupture, corrected and mismatched of one window, as the documentation defines them."""
    pairs = list(pairwise(bits))
    half = len(bits) // 2
    corrected = sum((sum(bits[i - 3 : i]) >= 2) != bits[i] for i in range(3, len(bits)))
    mismatched = sum(newer != older for newer, older in zip(bits[-half:], bits[-2 * half : -half], strict=True))
    return pairs.count((0, 0)), pairs.count((0, 1)) + pairs.count((1, 0)), pairs.count((1, 1)), corrected, mismatched


def rows_of(metrics: WindowMetrics) -> list[tuple[int, ...]]:
    counts = metrics.counts()
    columns = (counts.null, counts.flip, counts.rupture, counts.corrected, counts.mismatched)
    assert {column.dtype for column in columns} == {np.dtype(np.int16)}
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("window", [8, 9, 31, 64, 512])
def test_every_full_window_is_counted_by_definition(window: int) -> None:
    bits, starts = series(2600, window)
    metrics = window_metrics(bits, starts, window)
    assert metrics.valid.any()
    assert not metrics.valid.all()
    for at, row in enumerate(rows_of(metrics)):
        expected = one_by_one(bits[at - window + 1 : at + 1].tolist()) if metrics.valid[at] else (0,) * 5
        assert row == expected, at


def test_the_shares_are_the_counts_over_what_they_are_of() -> None:
    bits, starts = series(1500, 1)
    metrics = window_metrics(bits, starts, 33)
    counts, valid = metrics.counts(), metrics.valid
    exact = reference_metrics(bits, starts, 33)[0]
    for name, of in (("null", 32), ("flip", 32), ("rupture", 32)):
        assert np.array_equal(getattr(counts, name)[valid] / of, exact[name][valid]), name
    assert np.array_equal(1.0 - counts.corrected[valid] / 30, exact["stability"][valid])
    assert np.array_equal(counts.entropy()[valid], exact["entropy"][valid])


@pytest.mark.parametrize("n", range(8))
def test_a_series_shorter_than_the_window_counts_nothing(n: int) -> None:
    metrics = window_metrics(np.ones(n, np.int8), np.zeros(n, np.bool_), 8)
    assert rows_of(metrics) == [(0,) * 5] * n


def test_bits_before_the_rows_are_looked_at() -> None:
    bits, starts = np.random.default_rng(3).integers(0, 2, 100).astype(np.int8), np.zeros(100, np.bool_)
    whole = window_metrics(bits, starts, 16)
    last = replace(whole, valid=whole.valid[-1:])
    assert rows_of(last) == rows_of(whole)[-1:]
