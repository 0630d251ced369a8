"""The raw cache: pages come back as they were, the budget holds at every page, a full disk leaves nothing."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.history.cache import RawCache
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity

M1 = Granularity.M1
LENGTH = 60_000


def page(number: int) -> QuoteCandles:
    time = number * LENGTH + 60 * np.arange(1_000, dtype=np.int64)
    prices = np.random.default_rng(number).random((8, 1_000))
    return QuoteCandles("EUR_USD", M1, time, *prices, np.ones(1_000, np.int64))  # type: ignore[call-arg]


def put(cache: RawCache, number: int) -> None:
    cache.put(page(number), number * LENGTH, (number + 1) * LENGTH)


def test_a_page_comes_back_from_any_time_in_it(tmp_path: Path) -> None:
    cache = RawCache(tmp_path, 10**9)
    put(cache, 3)
    found = cache.get("EUR_USD", M1, 3 * LENGTH + 600)
    assert found is not None
    candles, through = found
    assert through == 4 * LENGTH
    assert np.array_equal(candles.ask_close, page(3).ask_close[10:])
    assert cache.get("EUR_USD", M1, 4 * LENGTH) is None
    assert cache.get("USD_JPY", M1, 3 * LENGTH) is None


def test_the_budget_holds_at_every_page_and_the_oldest_go(tmp_path: Path) -> None:
    put(RawCache(tmp_path, 10**9), 0)
    size = RawCache(tmp_path, 0).size()
    cache = RawCache(tmp_path, 5 * size)
    for number in range(1, 40):
        put(cache, number)
        assert cache.size() <= 5 * size
    assert cache.size() >= 2 * size
    assert cache.get("EUR_USD", M1, 39 * LENGTH) is not None
    assert cache.get("EUR_USD", M1, 20 * LENGTH) is None


def test_a_damaged_page_is_removed(tmp_path: Path) -> None:
    cache = RawCache(tmp_path, 10**9)
    put(cache, 0)
    [file] = tmp_path.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:1_000])
    assert cache.get("EUR_USD", M1, 0) is None
    assert not file.exists()


def test_a_full_disk_is_said_and_leaves_no_part_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, **_: Any) -> None:
        file.write(b"x" * 100)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(InputError, match=r"raw cache .* cannot be written: No space left on device"):
        put(RawCache(tmp_path, 10**9), 0)
    assert [f for f in tmp_path.rglob("*") if f.is_file()] == []


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"raw cache .* cannot be written: Not a directory"):
        put(RawCache(tmp_path / "file" / "raw_cache", 10**9), 0)
