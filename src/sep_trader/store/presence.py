"""Which candles are there, without reading them: a bit for each, kept day by day beside the candles.

Whoever writes candles here notes them in the same transaction. A change by anybody else turns `candle_days_state` off
(a trigger sees it), and dropped chunks show at the first candle: what is kept is then made again from the candles
before it is used. Granularities above H1 are not kept: their candles are few.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from sep_trader.market.calendar import DAY
from sep_trader.market.gaps import Gap, Span, bits_of_days, gaps_of_bits
from sep_trader.market.granularity import Granularity
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
LONGEST_KEPT_S = 3_600
_EPOCH = date(1970, 1, 1)
Progress = Callable[[str, int, int], None]
"""Called with a series' name, how many series were read, and how many there are."""


@dataclass(frozen=True, slots=True)
class Series:
    """A stored series: ids, names, and the starts of its first and last candle."""

    id: int
    instrument: str
    code: int
    granularity: Granularity
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Day:
    day: date
    present: str


def series(connection: Connection) -> list[Series]:
    """The series that are stored, by name and length."""
    return queries.many(connection, "candle_series", Series)


def note(connection: Connection, instrument_id: int, granularity: Granularity, time: Int) -> None:
    """Note candles as stored, in the transaction that stores them. time: int64[N], their starts, increasing."""
    queries.optional(connection, "candles_noted", str)
    if granularity.seconds > LONGEST_KEPT_S or len(time) == 0:
        return
    days, bits = bits_of_days(time, granularity)
    queries.execute(
        connection,
        "note_days",
        instrument_id=instrument_id,
        granularity=granularity.code,
        days=[_EPOCH + timedelta(days=day) for day in days.tolist()],
        present=[row.tobytes().decode() for row in bits.astype(np.uint8) + ord("0")],
    )


def forget(connection: Connection, before: datetime, granularity: Granularity | None = None) -> None:
    """Note that the candles before a time were dropped, in the transaction that drops them."""
    code = None if granularity is None else granularity.code
    queries.execute(connection, "forget_days", before=before, granularity=code)


def noting(connection: Connection) -> None:
    """Say that this transaction notes what it does to the candles. Call it before the first change."""
    queries.optional(connection, "candles_noted", str)


def gaps_of(connection: Connection, one: Series, asked: list[Span]) -> tuple[int, int, list[Gap]] | None:
    """How many candles a series has, how many the calendar expects, and its gaps; None where nothing is kept.

    asked: spans that the broker was asked for.
    """
    if one.granularity.seconds > LONGEST_KEPT_S:
        return None
    rows = queries.many(connection, "days_of_series", _Day, instrument_id=one.id, granularity=one.code)
    if not rows:
        return None
    days = np.array([(row.day - _EPOCH).days for row in rows], np.int64)
    text = "".join(row.present for row in rows)
    bits = np.frombuffer(text.encode(), np.uint8).reshape(len(rows), DAY // one.granularity.seconds) == ord("1")
    first, last = int(one.first.timestamp()), int(one.last.timestamp())
    if not (_edge(days, bits, one.granularity, 0) == first and _edge(days, bits, one.granularity, -1) == last):
        return None
    expected, found = gaps_of_bits(days, bits, one.granularity, first, last + one.granularity.seconds, asked)
    return int(np.count_nonzero(bits)), expected, found


def believed(connection: Connection) -> bool:
    """Whether nobody changed candles without noting it."""
    return queries.value(connection, "days_complete", bool)


def make_again(database: Database, progress: Progress | None = None) -> None:
    """Make everything that is kept again from the candles. Nobody else writes candles meanwhile."""
    from sep_trader.store import candles

    with database.transaction() as connection:
        queries.lock(connection, "lock_candles")
        queries.execute(connection, "clear_days")
        every = series(connection)
        for number, one in enumerate(every):
            if progress:
                progress(f"{one.instrument} {one.granularity}", number, len(every))
            stored = candles.read(connection, one.instrument, one.granularity)
            note(connection, one.id, one.granularity, stored.time)
        queries.execute(connection, "days_are_complete")


def _edge(days: Int, bits: Bool, granularity: Granularity, at: int) -> int:
    """Start of the first (0) or last (-1) candle that is noted; -1 without any."""
    slots = np.flatnonzero(bits[at])
    return int(days[at]) * DAY + int(slots[at]) * granularity.seconds if len(slots) else -1
