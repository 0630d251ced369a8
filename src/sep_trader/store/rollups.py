"""Longer candles in the database, made of the stored M1 ones in SQL: equal to `market.resample`, and never mixed with
candles that the broker or a file gave.

On the Community build TimescaleDB keeps them as continuous aggregates; elsewhere they are rows of candle_rollups. Who
writes M1 candles notes the span; a refresh makes what was noted and the newest days again, in whole trading days.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.calendar import DAY, HOUR, candle_start
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import Span
from sep_trader.market.granularity import Granularity
from sep_trader.store.candles import copy_out, span_of
from sep_trader.store.database import Connection, Database
from sep_trader.store.locks import Lock
from sep_trader.store.queries import queries
from sep_trader.store.timescaledb import community
from sep_trader.store.timescaledb.hypertables import state

M1, D = Granularity.M1, Granularity.D
# Each is made of the one before it, the first of M1.
GRANULARITIES = (Granularity.M5, Granularity.M15, Granularity.M30, Granularity.H1, Granularity.H4, D)
# What is made in one transaction: a month of a pair.
_PART_S = 31 * DAY


@dataclass(frozen=True, slots=True)
class _Due:
    """A noted span of M1 candles, from its first to its last (seconds)."""

    id: int
    instrument_id: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Edge:
    """An instrument's first and last M1 candle, and the newest D rollup that was made (seconds)."""

    instrument_id: int
    first: int
    last: int
    made: int | None


def refresh(database: Database, *, everything: bool = False) -> int:
    """Bring the rollups up to date with the stored M1 candles; return how many were made (0 by continuous aggregates).

    everything: also where nothing was noted, such as after candles were changed by hand.
    """
    with database.session() as lock:
        queries.lock(lock, "lock_session", key=Lock.ROLLUPS)
        if everything:
            queries.execute(lock, "note_all_rollups", minute=M1.code)
        due = queries.many(lock, "due_rollups", _Due)
        if state(lock).columnstore:  # the server keeps notes of its own
            community.refresh(lock)
            queries.execute(lock, "clear_due_rollups", ids=[row.id for row in due])
            return 0
        spans: dict[int, list[Span]] = defaultdict(list)
        for row in due:
            spans[row.instrument_id].append((row.first, row.last))
        for edge in queries.many(lock, "rollup_edges", _Edge, minute=M1.code, day=D.code):
            # A live candle is not noted: it may be a day late, and belong to the day before the newest that was made.
            begin = edge.first if edge.made is None else edge.made - DAY
            spans[edge.instrument_id].append((begin, edge.last))
        made = sum(
            _remake(database, instrument, part)
            for instrument, found in sorted(spans.items())
            for span in whole_days(found)
            for part in _parts(span)
        )
        queries.execute(lock, "clear_due_rollups", ids=[row.id for row in due])
        return made


def read(
    source: Connection | Database,
    instrument: str,
    granularity: Granularity,
    start: datetime | int | None = None,
    end: datetime | int | None = None,
) -> Candles:
    """The rollups with start <= time < end, oldest first, as of the last refresh."""
    if granularity not in GRANULARITIES:
        raise InputError(f"there are no {granularity} rollups", f"one of {', '.join(GRANULARITIES)}")
    bounds = {**span_of(start, end), "length": granularity.value}
    return copy_out(source, "candles_rolled_up", instrument, granularity, bounds)


def whole_days(spans: list[Span]) -> list[Span]:
    """Spans from a first to a last M1 candle as spans of whole trading days, joined where they touch, in order."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        begin = _day(first)
        # A day with a change of clocks has 25 hours.
        end = _day(_day(max(first, last)) + 26 * HOUR)
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _parts(span: Span) -> list[Span]:
    cuts = [_day(cut) for cut in range(span[0] + _PART_S, span[1], _PART_S)]
    return list(zip([span[0], *cuts], [*cuts, span[1]], strict=True))


def _day(time: int) -> int:
    return int(candle_start(np.array([time]), D)[0])


def _remake(database: Database, instrument: int, part: Span) -> int:
    where = {"instrument_id": instrument, "start": from_epoch(part[0]), "end": from_epoch(part[1])}
    made = 0
    with database.transaction() as connection:
        queries.execute(connection, "delete_rollups", **where)
        for source, target in zip((M1, *GRANULARITIES), GRANULARITIES, strict=False):
            made += queries.execute(
                connection,
                "roll_up",
                source=source.code,
                granularity=target.code,
                seconds=target.seconds,
                minute=M1.code,
                **where,
            )
    return made
