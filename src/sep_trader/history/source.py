"""What the readers of file formats share: where a file's candles belong, how its bytes are read, what comes out."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.history.sheet import Float, Int, Refused
from sep_trader.history.zones import Zone
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.granularity import Granularity


@dataclass(frozen=True, slots=True)
class Source:
    """A file and the series its candles belong to. ask: the file of the other side, where each has its own."""

    path: Path
    instrument: str
    granularity: Granularity
    ask: Path | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file where neither its format nor its header says it.

    columns: our column names to the file's (an empty name: the file's column of that name is not taken). timezone: of
    times that carry none. time_format: a strptime format, or s, ms, us, ns for numbers. price_scale: every price of the
    file is divided by it. delimiter, decimal: of a text file. crossed_pips: quotes whose ask is this far below the bid,
    at most, are stored with spread 0.
    """

    columns: dict[str, str] = field(default_factory=dict)
    timezone: Zone | None = None
    time_format: str | None = None
    price_scale: float = 1.0
    delimiter: str | None = None
    decimal: str | None = None
    crossed_pips: float = 2.0


@dataclass(frozen=True, slots=True)
class Parsed:
    """The rows of a file as they stand, unjudged: columns, the line of each row, and what no row came of.

    text_of: the text of the row at an index. problems: by row index, what could not be read in a row. left_out: rows
    that are no candles by a rule of the format, which docs/data.md states. contradictions: what the file says against
    what it was read as, a sentence each.
    """

    candles: Candles | QuoteCandles
    lines: Sequence[int] | Int
    text_of: Callable[[int], str]
    problems: dict[int, str]
    refused: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)

    def take(self, kept: npt.NDArray[np.bool_]) -> "Parsed":
        """The rows of a mask."""
        old = np.flatnonzero(kept)
        new = {int(at): number for number, at in enumerate(old.tolist())} if self.problems else {}
        return Parsed(
            self.candles.take(kept),
            np.asarray(self.lines)[kept],
            lambda at: self.text_of(int(old[at])),
            {new[at]: problem for at, problem in self.problems.items() if at in new},
            self.refused,
            self.left_out,
            self.contradictions,
        )


def mid_candles(source: Source, time: Int, prices: Sequence[Float], spread: Float, volume: Int) -> Candles:
    """Candles of a file that gives one price a time: open, high, low, close."""
    opening, high, low, close = prices
    return Candles(source.instrument, source.granularity, time, opening, high, low, close, spread, volume)


def quote_candles(source: Source, time: Int, bid: Sequence[Float], ask: Sequence[Float], volume: Int) -> QuoteCandles:
    """Candles of a file that gives both sides: open, high, low, close of each."""
    (bo, bh, bl, bc), (ao, ah, al, ac) = bid, ask
    return QuoteCandles(source.instrument, source.granularity, time, bo, bh, bl, bc, ao, ah, al, ac, volume)


def unknown(count: int) -> Float:
    """The spread of candles that came without one."""
    return np.full(count, np.nan)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, of the one member of a zip, or of a gz. Raises InputError for a missing or damaged file."""
    try:
        if path.suffix.lower() == ".gz":
            return gzip.decompress(path.read_bytes())
        if path.suffix.lower() != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            members = [
                m for m in archive.infolist() if not m.is_dir() and m.filename.lower().endswith((".csv", ".txt"))
            ]
            csv = [m for m in members if m.filename.lower().endswith(".csv")]
            members = csv or members  # HistData puts a report of its gaps beside the candles
            if len(members) != 1:
                raise InputError(f"{path} holds {len(members)} CSV files", "one is expected")
            return archive.read(members[0])
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        kind = path.suffix.lower().lstrip(".") or "file"
        raise InputError(f"{path} is a damaged or cut-off {kind}: {error}", "fetch it again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 where its first bytes say so. Raises InputError as `read_bytes`."""
    data = read_bytes(path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text: {error.reason} at byte {error.start}", "is it the right format?"
        ) from None
