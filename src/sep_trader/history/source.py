"""What the readers of file formats share: where a file's candles belong, how its bytes are read, what comes out."""

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sep_trader.errors import InputError
from sep_trader.history.sheet import Float, Int, Refused
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair


@dataclass(frozen=True, slots=True)
class Source:
    """A file and the series its candles belong to."""

    path: Path
    instrument: str
    granularity: Granularity


def mid_candles(source: Source, time: Int, prices: Sequence[Float], spread: Float, volume: Int) -> Candles:
    """Candles of a file that gives one price a time: open, high, low, close."""
    opening, high, low, close = prices
    return Candles(source.instrument, source.granularity, time, opening, high, low, close, spread, volume)


def quote_candles(source: Source, time: Int, bid: Sequence[Float], ask: Sequence[Float], volume: Int) -> QuoteCandles:
    """Candles of a file that gives both sides: open, high, low, close of each."""
    (bo, bh, bl, bc), (ao, ah, al, ac) = bid, ask
    return QuoteCandles(source.instrument, source.granularity, time, bo, bh, bl, bc, ao, ah, al, ac, volume)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The rows of a file as they stand, unjudged: columns, the line and text of each row, and what no row came of.

    `problems` says by row index what could not be read in a row.
    """

    candles: Candles | QuoteCandles
    lines: list[int]
    texts: list[str]
    problems: dict[int, str]
    refused: list[Refused] = field(default_factory=list)


def read_text(path: Path) -> str:
    """The text of a file, or of the one member of a zip. Raises InputError for a missing or damaged file."""
    try:
        if path.suffix.lower() != ".zip":
            return path.read_text("utf-8-sig")
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and m.filename.lower().endswith(".csv")]
            if len(members) != 1:
                raise InputError(f"{path} holds {len(members)} CSV files", "one is expected")
            return archive.read(members[0]).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path} is a damaged or cut-off zip: {error}", "fetch it again") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text: {error.reason} at byte {error.start}", "is it the right format?"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def pair_in(text: str) -> str | None:
    """The currency pair that a file or folder name begins with or contains as a word, or None."""
    for word in re.findall(r"[A-Za-z]{3}_?[A-Za-z]{3}(?![A-Za-z])", text):
        try:
            return parse_pair(word)
        except InputError:
            continue
    return None
