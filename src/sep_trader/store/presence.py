"""Which candles are there, without reading them: a bit for each, kept day by day beside the candles.

Whoever writes candles here notes them in the same transaction. A change by anybody else turns `candle_days_state` off
(a trigger sees it), and dropped chunks show at the first candle: what is kept is then made again from the candles
before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from sep_trader.market.calendar import DAY, HOUR
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import GapRuns, Span, bits_of_days, expected_count, find_gap_runs, gaps_of_bits
from sep_trader.market.granularity import Granularity
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

Int = npt.NDArray[np.int64]
_EPOCH = date(1970, 1, 1)
Progress = Callable[[str, int, int], None]
"""Called with a series' name, how many series were read, and how many there are."""


@dataclass(frozen=True, slots=True)
class Series:
    """A stored series: its pair and length, with their ids in the tables."""

    id: int
    instrument: str
    code: int
    granularity: Granularity


@dataclass(frozen=True, slots=True)
class _Day:
    day: date
    present: str


def series(connection: Connection) -> list[Series]:
    """The series that are stored, by name and length."""
    return queries.many(connection, "noted_series" if believed(connection) else "stored_series", Series)


def note(connection: Connection, instrument_id: int, granularity: Granularity, time: Int) -> None:
    """Note candles as stored, in the transaction that stores them; `noting` came before.

    time: int64[N], their starts, increasing.
    """
    if len(time) == 0:
        return
    days, bits = bits_of_days(time, min(granularity.seconds, HOUR))
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a series: first and last candle (seconds), how many there are, how many the calendar expects
    between them, and the gaps."""

    first: int
    last: int
    candles: int
    expected: int
    gaps: GapRuns


def gaps_of(connection: Connection, one: Series, asked: list[Span]) -> Kept | None:
    """What is kept of a series; None where it does not fit the candles.

    asked: spans that the broker was asked for.
    """
    rows = queries.many(connection, "days_of_series", _Day, instrument_id=one.id, granularity=one.code)
    width = min(one.granularity.seconds, HOUR)
    days = np.array([(row.day - _EPOCH).days for row in rows], np.int64)
    text = "".join(row.present for row in rows)
    bits = np.frombuffer(text.encode(), np.uint8).reshape(len(rows), DAY // width) == ord("1")
    first, last = (int(days[at]) * DAY + int(np.flatnonzero(bits[at])[at]) * width for at in (0, -1))
    key = {"instrument_id": one.id, "granularity": one.code}
    if not all(
        queries.value(connection, "candle_is_there", bool, **key, time=from_epoch(time)) for time in (first, last)
    ):
        return None
    end = last + one.granularity.seconds
    if one.granularity.seconds <= HOUR:
        expected, found = gaps_of_bits(days, bits, one.granularity, first, end, asked)
    else:
        row, slot = np.nonzero(bits)
        time = days[row] * DAY + slot * width
        expected = expected_count(first, last + 1, one.granularity)
        found = find_gap_runs(time, one.granularity, first, end, asked)
    return Kept(first, last, int(np.count_nonzero(bits)), expected, found)


def believed(connection: Connection) -> bool:
    """Whether nobody changed candles without noting it."""
    return queries.value(connection, "days_complete", bool)


def make_again(database: Database, progress: Progress | None = None) -> None:
    """Make everything that is kept again from the candles. Nobody else writes candles meanwhile."""
    from sep_trader.store import candles

    with database.transaction() as connection:
        queries.lock(connection, "lock_candles")
        queries.execute(connection, "clear_days")
        every = queries.many(connection, "stored_series", Series)
        for number, one in enumerate(every):
            if progress:
                progress(f"{one.instrument} {one.granularity}", number, len(every))
            stored = candles.read(connection, one.instrument, one.granularity)
            note(connection, one.id, one.granularity, stored.time)
        queries.execute(connection, "days_are_complete")
