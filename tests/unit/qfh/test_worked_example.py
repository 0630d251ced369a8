"""The documented example, with the expected values written as arithmetic."""

import math

import numpy as np
import pytest

from sep_trader.qfh import Encoder, QfhStream, encode_bits, session_starts, window_metrics
from sep_trader.qfh.reference import reference_metrics

BITS = (1, 1, 1, 0, 1, 1, 0, 0)
ENTROPY = -(1 / 7 * math.log(1 / 7) + 2 * (3 / 7) * math.log(3 / 7)) / math.log(3)
COHERENCE = ((3 - 1) / 4) ** 2
DAMPING = 0.3 * ENTROPY + 0.2 * (1 - COHERENCE)
SIGNS_NEWEST_FIRST = (-1, -1, 1, 1, -1, 1, 1, 1)
TREND = sum(s * math.exp(-DAMPING * k) for k, s in enumerate(SIGNS_NEWEST_FIRST)) / sum(
    math.exp(-DAMPING * k) for k in range(8)
)
EXPECTED = {
    "null": 1 / 7,
    "flip": 3 / 7,
    "rupture": 3 / 7,
    "up": 5 / 8,
    "entropy": ENTROPY,
    "coherence": COHERENCE,
    "stability": 1 - 3 / 5,
    "damping": DAMPING,
    "trend": TREND,
}


def _candles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    close = np.cumsum([100, *(2 * bit - 1 for bit in BITS)]) / 100
    time = np.arange(len(close), dtype=np.int64) * 60
    return time, close, close


def test_entropy_of_the_example_is_the_documented_figure() -> None:
    assert round(ENTROPY, 4) == 0.9141


@pytest.mark.parametrize("metric", EXPECTED)
def test_reference_gives_the_example(metric: str) -> None:
    time, open_, close = _candles()
    starts = session_starts(time, 60)
    bits = encode_bits(open_, close, starts, Encoder.parse("direction"))
    assert bits.tolist() == [-1, *BITS]
    values, collapse, valid = reference_metrics(bits, starts, 8)
    assert values[metric][8] == pytest.approx(EXPECTED[metric], abs=1e-14)
    assert np.isnan(values[metric][:8]).all()
    assert valid.tolist() == [False] * 8 + [True]
    assert collapse.tolist() == [False] * 8 + [3 / 7 >= 0.3]


@pytest.mark.parametrize("metric", EXPECTED)
def test_window_metrics_and_the_stream_give_the_example(metric: str) -> None:
    time, open_, close = _candles()
    starts = session_starts(time, 60)
    found = window_metrics(encode_bits(open_, close, starts, Encoder()), starts, 8)
    assert getattr(found, metric)[8] == pytest.approx(EXPECTED[metric], abs=1e-6)
    stream = QfhStream(Encoder(), (8,), 60)
    rows = [stream.update(int(t), float(o), float(c))[8] for t, o, c in zip(time, open_, close, strict=True)]
    assert rows[:8] == [None] * 8
    assert getattr(rows[8], metric) == float(getattr(found, metric)[8])


def test_collapse_includes_its_threshold() -> None:
    bits = np.array([1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0], dtype=np.int8)
    starts = np.zeros(11, dtype=bool)
    assert window_metrics(bits, starts, 11, theta=3 / 10).collapse[10]
    assert not window_metrics(bits, starts, 11, theta=0.31).collapse[10]
