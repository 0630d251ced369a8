"""Compiled metrics against the exact reference, and the stream against the whole series."""

import csv
import io
import zipfile

import numpy as np
import pytest
from tests.support import recorded

from sep_trader.qfh import Encoder, QfhStream, encode_bits, metrics_by_window, session_starts, window_metrics
from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.reference import METRICS, reference_metrics

WINDOWS = (8, 9, 16, 31, 32, 100, 255, 511, 512)
ENCODERS = ("direction", "body", "magnitude(32)")


def real_eurusd() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, mid opens and mid closes of EUR_USD M1, May 2014; its weekends end sessions."""
    root = recorded.required()
    rows = []
    for path in sorted((root / "lean-oanda" / "minute" / "eurusd").glob("201405*.zip")):
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
        day = int(np.datetime64(f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}", "s").astype(np.int64))
        for row in csv.reader(io.StringIO(text)):
            bid_open, bid_close, ask_open, ask_close = (float(row[at]) for at in (1, 4, 6, 9))
            rows.append((day + int(row[0]) // 1000, (bid_open + ask_open) / 2, (bid_close + ask_close) / 2))
    table = np.array(rows)
    return table[:, 0].astype(np.int64), table[:, 1].copy(), table[:, 2].copy()


def check(bits: Bits, starts: Bools, *, theta: float = 0.3, k1: float = 0.3, k2: float = 0.2) -> None:
    """Hold the compiled metrics of all windows against the reference."""
    found = metrics_by_window(bits, starts, WINDOWS, theta=theta, k1=k1, k2=k2)
    for window in WINDOWS:
        exact, collapse, valid = reference_metrics(bits, starts, window, theta=theta, k1=k1, k2=k2)
        assert np.array_equal(found[window].valid, valid)
        assert np.array_equal(found[window].collapse, collapse)
        for name in METRICS:
            np.testing.assert_allclose(getattr(found[window], name), exact[name], rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_real_candles(encoder: str) -> None:
    time, open_, close = real_eurusd()
    starts = session_starts(time, 60)
    assert len(time) > 14_000
    assert starts.sum() >= 3
    check(encode_bits(open_, close, starts, Encoder.parse(encoder)), starts)


@pytest.mark.parametrize("seed", range(3))
def test_random_bits_with_breaks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = (rng.random(9000) < rng.choice([0.5, 0.7, 0.97])).astype(np.int8)
    starts = rng.random(9000) < 0.0008
    starts[0] = True
    bits[starts] = -1
    bits[4000:4030] = -1
    check(bits, starts)


@pytest.mark.parametrize("pattern", [[0], [1], [0, 1], [0, 0, 1, 1], [1, 1, 0]])
def test_regular_bits_reach_the_ends_of_every_range(pattern: list[int]) -> None:
    bits = np.resize(np.array(pattern, dtype=np.int8), 1500)
    starts = np.zeros(1500, dtype=bool)
    check(bits, starts)
    check(bits, starts, theta=1.0, k1=0.0, k2=0.0)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 4095, 4096, 4097])
def test_short_and_empty_series(n: int) -> None:
    bits = np.random.default_rng(n).integers(0, 2, n).astype(np.int8)
    check(bits, np.zeros(n, dtype=bool))


def test_threads_and_company_change_nothing() -> None:
    bits = np.random.default_rng(5).integers(0, 2, 20_000).astype(np.int8)
    starts = np.zeros(20_000, dtype=bool)
    starts[[0, 4096, 5000, 16_000]] = True
    bits[starts] = -1
    together = metrics_by_window(bits, starts, WINDOWS, threads=3)
    for window in WINDOWS:
        alone = window_metrics(bits, starts, window)
        for name in (*METRICS, "collapse", "valid"):
            assert np.array_equal(getattr(together[window], name), getattr(alone, name), equal_nan=True), name


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_stream_gives_exactly_the_batch(encoder: str) -> None:
    time, open_, close = (column[-9500:] for column in real_eurusd())
    starts = session_starts(time, 60)
    kind = Encoder.parse(encoder)
    bits = encode_bits(open_, close, starts, kind)
    batch = metrics_by_window(bits, starts, WINDOWS)
    stream = QfhStream(kind, WINDOWS, 60)
    rows = []
    for t, o, c in zip(time.tolist(), open_.tolist(), close.tolist(), strict=True):
        found = stream.update(t, o, c)
        rows.append([stream.bit, *(found[window] for window in WINDOWS)])
    assert [row[0] for row in rows] == bits.tolist()
    for at, window in enumerate(WINDOWS, start=1):
        assert [row[at] is not None for row in rows] == batch[window].valid.tolist()
        given = np.array([row[at] for row in rows if row[at] is not None])
        wanted = np.column_stack([getattr(batch[window], name) for name in (*METRICS, "collapse")])
        assert np.array_equal(given, wanted[batch[window].valid])
