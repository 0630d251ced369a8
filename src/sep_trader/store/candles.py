"""Candles in and out of the database: bulk loads, live batches, range and newest reads, coverage.

A stored candle never changes by itself. One that comes again with other values is a correction: all are returned with
old and new, the log has their number and the first of them, and they are applied only on request.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from sep_trader.errors import StoreError
from sep_trader.market.calendar import DAY
from sep_trader.market.candles import Candles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.gaps import Span
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.market.resample import resample
from sep_trader.store import presence
from sep_trader.store.candle_wire import COPY_IN, Unpacker, pack
from sep_trader.store.copy_stream import read_copy
from sep_trader.store.database import Connection, Database
from sep_trader.store.locks import SERIES_CLASS
from sep_trader.store.queries import queries

Corrections = Literal["report", "apply"]
VALUES = ("open", "high", "low", "close", "spread", "volume")
LOGGED = 20
"""Corrections of one load that the log shows; it has the number of all."""
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Correction:
    """A stored candle that came again with other values: open, high, low, close, spread, volume, each."""

    instrument: str
    granularity: Granularity
    time: int
    old: tuple[float, ...]
    new: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """As a JSON object, the form it is logged in."""
        return {
            "instrument": self.instrument,
            "granularity": self.granularity.value,
            "time": format_rfc3339(from_epoch(self.time)),
            "old": {name: _known(value) for name, value in zip(VALUES, self.old, strict=True)},
            "new": {name: _known(value) for name, value in zip(VALUES, self.new, strict=True)},
        }


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load found: new candles, candles that were there already, and those there with other values."""

    inserted: int = 0
    duplicates: int = 0
    corrections: tuple[Correction, ...] = ()

    def __add__(self, other: "LoadResult") -> "LoadResult":
        return LoadResult(
            self.inserted + other.inserted, self.duplicates + other.duplicates, self.corrections + other.corrections
        )


@dataclass(frozen=True, slots=True)
class _Upserted:
    """The first row of an upsert has `inserted` alone; the others are stored candles that came with other values."""

    inserted: int | None
    instrument_id: int
    granularity: int
    time: datetime
    old: list[float]
    new: list[float]


def instrument_id(connection: Connection, name: str) -> int:
    """The id of an instrument, which is made known with its standard terms if it is not yet."""
    found = queries.optional(connection, "instrument_id", int, name=name)
    if found is not None:
        return found
    terms = standard_instrument(name)
    queries.execute(
        connection,
        "add_instrument",
        name=name,
        pip_location=terms.pip_location,
        display_precision=terms.display_precision,
    )
    return queries.value(connection, "instrument_id", int, name=name)


def load(database: Database, candles: Candles, *, corrections: Corrections = "report") -> LoadResult:
    """Store candles in one transaction; loading the same ones again changes nothing.

    Candles go straight into the table where their range is empty, elsewhere only those that are missing do, through
    staging. Raises ValueError unless times increase strictly, StoreError when the server's disk is full.
    """
    if len(candles) == 0:
        return LoadResult()
    if not bool(np.all(np.diff(candles.time) > 0)):
        raise ValueError("candles to load must be in strictly increasing order of time")
    try:
        with database.transaction() as connection:
            return _load(connection, candles, corrections)
    except StoreError as error:
        if isinstance(error.__cause__, psycopg.errors.DiskFull):
            raise _disk_full(candles, error.__cause__) from error
        raise


def _load(connection: Connection, candles: Candles, corrections: Corrections) -> LoadResult:
    ident = instrument_id(connection, candles.instrument)
    key = {"instrument_id": ident, "granularity": candles.granularity.code}
    presence.noting(connection)
    span = {"first": from_epoch(int(candles.time[0])), "last": from_epoch(int(candles.time[-1]))}
    queries.lock(connection, "lock_series", lock_class=SERIES_CLASS, series=ident * 32 + candles.granularity.code)
    if candles.granularity is Granularity.M1:
        queries.execute(connection, "note_rollups", instrument_id=ident, **span)
    if not queries.value(connection, "candles_exist", bool, **key, **span):
        try:
            with connection.transaction():
                _copy_in(connection, "market_candles", candles, ident)
                presence.note(connection, ident, candles.granularity, candles.time)
            return LoadResult(inserted=len(candles))
        except psycopg.errors.UniqueViolation:
            pass  # a live candle arrived in the range while it was being filled
    end = int(candles.time[-1]) + 1
    stored = read(connection, candles.instrument, candles.granularity, int(candles.time[0]), end)
    position = np.searchsorted(stored.time, candles.time)
    known = np.zeros(len(candles), bool)
    inside = position < len(stored)
    known[inside] = stored.time[position[inside]] == candles.time[inside]
    inserted = _insert_missing(connection, candles.take(~known), ident)
    again, before = candles.take(known), stored.take(position[known])
    differing = _differing(before, again)
    found = _corrections(before.take(differing), again.take(differing))
    if found:
        if corrections == "apply":
            _apply(connection, again.take(differing), key, span)
        _log(connection, found, applied=corrections == "apply")
    return LoadResult(inserted, len(candles) - inserted - len(found), found)


def upsert_live(connection: Connection, candles: Candles | Sequence[Candles]) -> LoadResult:
    """Store a small batch of newly completed candles, of any instruments, by one statement. Corrections are logged."""
    parts = [p for p in ([candles] if isinstance(candles, Candles) else candles) if len(p)]
    if not parts:
        return LoadResult()
    ids = {p.instrument: instrument_id(connection, p.instrument) for p in parts}
    times = np.concatenate([p.time for p in parts])
    rows = queries.many(
        connection,
        "upsert_live",
        _Upserted,
        **_arrays(parts),
        instrument_ids=[ids[p.instrument] for p in parts for _ in range(len(p))],
        granularities=[p.granularity.code for p in parts for _ in range(len(p))],
        first=from_epoch(int(times.min())),
        last=from_epoch(int(times.max())),
        minute=Granularity.M1.code,
    )
    inserted = next(row.inserted for row in rows if row.inserted is not None)
    names = {ident: name for name, ident in ids.items()}
    found = tuple(
        Correction(
            names[row.instrument_id],
            Granularity.from_code(row.granularity),
            int(row.time.timestamp()),
            tuple(row.old),
            tuple(row.new),
        )
        for row in rows
        if row.inserted is None
    )
    if found:
        _log(connection, found, applied=False)
    return LoadResult(inserted, len(times) - inserted - len(found), found)


def read(
    source: Connection | Database,
    instrument: str,
    granularity: Granularity,
    start: datetime | int | None = None,
    end: datetime | int | None = None,
) -> Candles:
    """The stored candles with start <= time < end, oldest first (aware datetimes or seconds since the epoch)."""
    return copy_out(source, "candles_between", instrument, granularity, span_of(start, end))


def span_of(start: datetime | int | None, end: datetime | int | None) -> dict[str, datetime]:
    """A query's start and end; None is without a bound."""
    return {"start": _moment(start) or _EVER[0], "end": _moment(end) or _EVER[1]}


def pairs_with(connection: Connection, granularity: Granularity) -> list[str]:
    """The pairs of which there are candles of this length, stored or made of stored M1 ones."""
    stored = {(one.instrument, one.granularity) for one in presence.series(connection)}
    return sorted({pair for pair, length in stored if length in (granularity, _made_of(granularity))})


def _made_of(granularity: Granularity) -> Granularity:
    """What candles of this length are made of where none are stored."""
    longer = granularity.seconds > Granularity.M1.seconds and granularity.seconds % Granularity.M1.seconds == 0
    return Granularity.M1 if longer else granularity


def read_or_make(
    source: Connection | Database,
    instrument: str,
    granularity: Granularity,
    start: datetime | int | None = None,
    end: datetime | int | None = None,
) -> Candles:
    """The stored candles as `read` gives them, and where there are none those made of the stored M1 candles.

    A made candle is given once an M1 candle says that its time is over.
    """
    stored = read(source, instrument, granularity, start, end)
    shorter = _made_of(granularity)
    if shorter is granularity:
        return stored
    return _with_made(stored, read(source, instrument, shorter, start, end))


def latest_or_make(source: Connection | Database, instrument: str, granularity: Granularity, count: int) -> Candles:
    """The newest `count` candles as `read_or_make` gives them, oldest first; fewer when there are no more."""
    stored = latest(source, instrument, granularity, count)
    shorter = _made_of(granularity)
    if shorter is granularity:
        return stored
    newest = latest(source, instrument, shorter, 1)
    if len(newest) == 0:
        return stored
    # Weekends and quiet minutes have no candles: three times the span holds the number where the market trades at all.
    begin = int(newest.time[-1]) - 3 * (count + 1) * granularity.seconds - 4 * DAY
    made = _with_made(stored, read(source, instrument, shorter, begin, None))
    return made.take(slice(max(0, len(made) - count), None))


def _with_made(stored: Candles, minutes: Candles) -> Candles:
    """Stored candles, and between them those made of shorter ones."""
    if len(minutes) == 0:
        return stored
    made = resample(minutes, stored.granularity)
    # The first period may have begun before the first minute that was read, the last may not be over.
    whole = made.time + made.granularity.seconds <= int(minutes.time[-1]) + minutes.granularity.seconds
    whole[0] &= int(made.time[0]) == int(minutes.time[0])
    made = made.take(whole & ~np.isin(made.time, stored.time))
    if len(stored) == 0:
        return made
    joined = Candles.join([stored, made])
    return joined.take(np.argsort(joined.time, kind="stable"))


def latest(source: Connection | Database, instrument: str, granularity: Granularity, count: int) -> Candles:
    """The newest `count` candles, oldest first; fewer when there are no more.

    The time of the oldest one is remembered with the connection and bounds the next call: the newest candles can only
    be newer then, and with a lower bound PostgreSQL skips older chunks.
    """
    if isinstance(source, Database):
        with _reading(source) as connection:
            return latest(connection, instrument, granularity, count)
    known = _OLDEST.setdefault(source, {})
    key = (instrument, granularity, count)
    found = _newest(source, instrument, granularity, count, known.get(key))
    if len(found) < count and key in known:  # some were deleted since
        found = _newest(source, instrument, granularity, count, None)
    if len(found) == count > 0:
        known[key] = int(found.time[0])
    else:
        known.pop(key, None)
    return found


# Per connection: the oldest of the newest `count` candles when they were last read.
_OLDEST: WeakKeyDictionary[Connection, dict[tuple[str, Granularity, int], int]] = WeakKeyDictionary()


def _newest(source: Connection, instrument: str, granularity: Granularity, count: int, start: int | None) -> Candles:
    query = "candles_latest" if start is None else "candles_latest_since"
    bounds = {"count": count, **({} if start is None else {"start": from_epoch(start)})}
    return copy_out(source, query, instrument, granularity, bounds).take(slice(None, None, -1))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of a series: first and last candle, how many there are, and what the calendar misses.

    expected: candles that the calendar expects between first and last. missing: of those, how many are not there, in so
    many gaps. unasked: of those, in gaps that the broker was not asked for.
    """

    instrument: str
    granularity: Granularity
    first: datetime
    last: datetime
    candles: int
    expected: int
    gaps: int
    missing: int
    unasked: int


def coverage(database: Database, progress: presence.Progress | None = None) -> list[Coverage]:
    """What is stored, per pair and granularity. Counts that are kept beside the candles save reading the candles.

    progress: called with a series' name and how far the work is, where candles must be read after all.
    """
    with database.transaction() as connection:
        believed, every = presence.believed(connection), presence.series(connection)
    found = _kept_coverage(database, every) if believed else None
    if found is None:
        presence.make_again(database, progress)
        with database.transaction() as connection:
            every = presence.series(connection)
        found = _kept_coverage(database, every)
    if found is None:
        raise StoreError("candles change too fast to be counted", "try again")
    return found


def _kept_coverage(database: Database, every: list[presence.Series]) -> list[Coverage] | None:
    """None where what is kept does not fit the candles."""
    out = []
    for one in every:
        with database.transaction() as connection:
            kept = presence.gaps_of(connection, one, downloaded(connection, one.instrument, one.granularity))
        if kept is None:
            return None
        first, last = from_epoch(kept.first), from_epoch(kept.last)
        out.append(
            Coverage(
                one.instrument,
                one.granularity,
                first,
                last,
                kept.candles,
                kept.expected,
                len(kept.gaps),
                int(kept.gaps.missing.sum()),
                int(kept.gaps.missing[~kept.gaps.asked].sum()),
            )
        )
    return out


@dataclass(frozen=True, slots=True)
class _Downloaded:
    start: int
    through: int


def downloaded(connection: Connection, instrument: str, granularity: Granularity) -> list[Span]:
    """The spans of a series that the broker was asked for."""
    rows = queries.many(
        connection, "downloaded_spans", _Downloaded, instrument=instrument, granularity=granularity.code
    )
    return [(row.start, row.through) for row in rows]


def _copy_in(connection: Connection, table: str, candles: Candles, ident: int) -> None:
    statement = sql.SQL(COPY_IN).format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in pack(candles, ident):
            copy.write(block)


@contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    """A pooled connection for single reads: without a transaction, which would cost two more round trips."""
    with database.transaction() as connection:
        connection.autocommit = True
        try:
            yield connection
        finally:
            if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
                connection.autocommit = False


def copy_out(
    source: Connection | Database, query: str, instrument: str, granularity: Granularity, bounds: dict[str, Any]
) -> Candles:
    """The candles that a named query of this table family gives, by binary COPY."""
    if isinstance(source, Database):
        with _reading(source) as connection:
            return copy_out(connection, query, instrument, granularity, bounds)
    parameters = {"instrument": instrument, "granularity": granularity.code, **bounds}
    statement = psycopg.ClientCursor(source).mogrify(_COPY_OUT[query], parameters)
    if not source.autocommit and source.info.transaction_status == TransactionStatus.IDLE:
        source.execute("")  # the driver's own BEGIN comes first
    unpacker = Unpacker()
    read_copy(source.pgconn, statement.encode(), unpacker.take)
    return unpacker.candles(instrument, granularity)


_COPY_OUT = {
    name: f"COPY ({query.text}) TO STDOUT (FORMAT BINARY)"
    for name, query in queries.all.items()
    if name.startswith("candles_")
}


def _insert_missing(connection: Connection, missing: Candles, ident: int) -> int:
    if len(missing) == 0:
        return 0
    queries.execute(connection, "create_candle_staging")
    _copy_in(connection, "candle_staging", missing, ident)
    return queries.value(connection, "insert_staged_candles", int)


def _differing(old: Candles, new: Candles) -> npt.NDArray[np.bool_]:
    """Where candles came again with other values. What the newer one does not know (its spread, its volume) is no other
    value."""
    differing = np.zeros(len(new), bool)
    for name in VALUES:
        was, now = getattr(old, name), getattr(new, name)
        unknown = np.isnan(now) if name == "spread" else now == 0 if name == "volume" else np.zeros(len(new), bool)
        differing |= (was != now) & ~unknown
    return differing


def _corrections(old: Candles, new: Candles) -> tuple[Correction, ...]:
    before = zip(*(getattr(old, name).tolist() for name in VALUES), strict=True)
    after = zip(*(getattr(new, name).tolist() for name in VALUES), strict=True)
    return tuple(
        Correction(new.instrument, new.granularity, time, was, now)
        for time, was, now in zip(new.time.tolist(), before, after, strict=True)
    )


def _apply(connection: Connection, new: Candles, key: dict[str, int], span: dict[str, datetime]) -> None:
    queries.execute(connection, "correct_candles", **_arrays([new]), **key, **span)


def _log(connection: Connection, found: tuple[Correction, ...], *, applied: bool) -> None:
    outcome = "replaced" if applied else "kept as they were"
    message = f"{len(found)} stored {found[0].instrument} candles came again with other values; {outcome}"
    times = [c.time for c in found]
    context = {
        "candles": len(found),
        "applied": applied,
        "first": format_rfc3339(from_epoch(min(times))),
        "last": format_rfc3339(from_epoch(max(times))),
        "differing": [c.as_dict() for c in found[:LOGGED]],
    }
    queries.execute(connection, "log_corrections", message=message, context=Jsonb(context))


def _arrays(parts: Sequence[Candles]) -> dict[str, list[Any]]:
    joined = {f"{name}s": np.concatenate([getattr(p, name) for p in parts]).tolist() for name in VALUES}
    return {"times": [from_epoch(t) for p in parts for t in p.time.tolist()], **joined}


def _known(value: float) -> float | None:
    """A value as JSON can hold it: None where it was not recorded."""
    return None if value != value else value


def _moment(when: datetime | int | None) -> datetime | None:
    return from_epoch(when) if isinstance(when, int) else when


def _disk_full(candles: Candles, error: Exception) -> StoreError:
    return StoreError(
        f"the server's disk is full; nothing of {len(candles)} {candles.instrument} {candles.granularity} candles was "
        f"stored ({str(error).splitlines()[0]})",
        "free space, see: sep storage",
    )
