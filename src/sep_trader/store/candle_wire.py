"""Candle columns to and from PostgreSQL's binary COPY format, all rows at once by numpy.

The format: a 19-byte head; per row a field count and per field its length and big-endian value; a field count of -1 as
the end (PostgreSQL documentation, COPY, "Binary Format"). No column is ever null, so every row has the same length.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity

COPY_IN = (
    "COPY {} (time, open, high, low, close, spread, volume, instrument_id, granularity) FROM STDIN (FORMAT BINARY)"
)
HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TAIL = b"\xff\xff"
# PostgreSQL counts microseconds from 2000-01-01 UTC.
EPOCH_OFFSET_S = 946_684_800
_BLOCK_ROWS = 20_000
_PRICES = ("open", "high", "low", "close", "spread")

Field = tuple[str, str]


def _row(fields: list[Field]) -> np.dtype[np.void]:
    parts: list[Field] = [("fields", ">i2")]
    for name, kind in fields:
        parts += [(f"{name}_length", ">i4"), (name, kind)]
    return np.dtype(parts)


_OUT: list[Field] = [("time", ">i8"), *((name, ">f8") for name in _PRICES), ("volume", ">i4")]
_IN: list[Field] = [*_OUT, ("instrument_id", ">i2"), ("granularity", ">i2")]
_OUT_ROW, _IN_ROW = _row(_OUT), _row(_IN)


def pack(candles: Candles, instrument_id: int) -> Iterator[bytes]:
    """The candles as the blocks of one COPY_IN stream. Raises OverflowError for a volume beyond four bytes."""
    if len(candles) and int(candles.volume.max()) > np.iinfo(np.int32).max:
        raise OverflowError("volume does not fit in four bytes")
    yield HEAD
    for begin in range(0, len(candles), _BLOCK_ROWS):
        part = candles.take(slice(begin, begin + _BLOCK_ROWS))
        rows = np.zeros(len(part), _IN_ROW)
        rows["fields"] = len(_IN)
        for name, kind in _IN:
            rows[f"{name}_length"] = int(kind[2:])
        rows["time"] = (part.time - EPOCH_OFFSET_S) * 1_000_000
        for name in (*_PRICES, "volume"):
            rows[name] = getattr(part, name)
        rows["instrument_id"] = instrument_id
        rows["granularity"] = part.granularity.code
        yield rows.tobytes()
    yield TAIL


class Unpacker:
    """Collects a binary COPY of (time, open, high, low, close, spread, volume) piece by piece."""

    def __init__(self) -> None:
        self._columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name, _ in _OUT}

    def take(self, piece: bytes) -> None:
        """Take the next piece; pieces end where rows do."""
        begin = len(HEAD) if piece.startswith(HEAD) else 0
        rows = np.frombuffer(piece, _OUT_ROW, (len(piece) - begin) // _OUT_ROW.itemsize, begin)
        for name, column in self._columns.items():
            column.append(rows[name].astype(_OUT_ROW[name].newbyteorder("=")))

    def candles(self, instrument: str, granularity: Granularity) -> Candles:
        """What was taken."""
        columns = {name: np.concatenate(column) for name, column in self._columns.items()}
        time = columns.pop("time") // 1_000_000 + EPOCH_OFFSET_S
        volume = columns.pop("volume").astype(np.int64)
        return Candles(instrument=instrument, granularity=granularity, time=time, volume=volume, **columns)


def unpack(stream: bytes, instrument: str, granularity: Granularity) -> Candles:
    """The candles of a whole such COPY."""
    unpacker = Unpacker()
    unpacker.take(stream)
    return unpacker.candles(instrument, granularity)


def empty(instrument: str, granularity: Granularity) -> Candles:
    """No candles."""
    return unpack(HEAD + TAIL, instrument, granularity)
