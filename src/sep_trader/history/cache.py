"""The raw cache: pages of bid and ask candles as the broker gave them, in files, within a budget of bytes.

The database keeps mid candles only; from the cache they can be loaded again without asking the broker. A file holds
one page and says in its name which span was asked for.
"""

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity

_COLUMNS = (
    "time", "bid_open", "bid_high", "bid_low", "bid_close", "ask_open", "ask_high", "ask_low", "ask_close", "volume",
)  # fmt: skip


class RawCache:
    """Pages under a folder. Writing is atomic; when the budget is passed, the pages written longest ago go first."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self.folder = folder
        self.budget_bytes = budget_bytes
        self._known_size: int | None = None

    def put(self, candles: QuoteCandles, start: int, through: int) -> None:
        """Keep the page that answered start <= time < through. Raises InputError where it cannot be written."""
        folder = self.folder / candles.instrument / candles.granularity.value
        target = folder / f"{start}-{through}.npz"
        partial = target.with_suffix(f".{os.getpid()}.partial")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez_compressed(file, **{name: getattr(candles, name) for name in _COLUMNS})
            partial.replace(target)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            reason = f"the raw cache {self.folder} cannot be written: {error.strerror or error}"
            raise InputError(reason, "free space, or set SEP_DATA_DIR") from None
        # All files are measured once, not at every page; a quarter goes at a time for the same reason.
        self._known_size = self.size() if self._known_size is None else self._known_size + target.stat().st_size
        if self._known_size > self.budget_bytes:
            self.trim(self.budget_bytes * 3 // 4)

    def get(self, instrument: str, granularity: Granularity, start: int) -> tuple[QuoteCandles, int] | None:
        """The kept candles from `start` on and the time they reach, or None. A damaged page is removed."""
        for file in (self.folder / instrument / granularity.value).glob("*.npz"):
            begin, _, through = file.stem.partition("-")
            if not int(begin) <= start < int(through):
                continue
            try:
                with file.open("rb") as raw, np.load(raw) as page:
                    columns = [page[name] for name in _COLUMNS]
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                file.unlink(missing_ok=True)
                continue
            candles = QuoteCandles(instrument, granularity, *columns)
            return candles.between(start, int(through)), int(through)
        return None

    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self._files())

    def trim(self, budget_bytes: int | None = None) -> int:
        """Remove the oldest files until the budget holds; return the bytes freed."""
        budget = self.budget_bytes if budget_bytes is None else budget_bytes
        files = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in self._files()), key=lambda item: item[0])
        excess = sum(size for _, size, _ in files) - budget
        freed = 0
        for _, size, file in files:
            if freed >= excess:
                break
            file.unlink(missing_ok=True)
            freed += size
        self._known_size = None
        return freed

    def _files(self) -> list[Path]:
        return [f for f in self.folder.rglob("*") if f.is_file()] if self.folder.is_dir() else []
