"""Is the promised edge still there? Asked after each closed trade of a pair that trades by its verdict.

The pair is disabled where the detector says no; its account begins anew at that moment (see docs/qfh.md).
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from sep_trader.errors import StoreError
from sep_trader.research.decay import LEAST_RUN_LENGTH, DecayDetector
from sep_trader.store.database import Connection
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a pair's READY verdict promised. edge_r: mean outcome, R."""

    edge_r: float | None
    trades_a_year: int | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A closed trade in R, and the most that it could have brought."""

    outcome: float
    most: float


def outcomes_of(connection: Connection, pair: str, since: datetime) -> list[Outcome]:
    """The closed trades of a pair's signals that were opened since a time, oldest first."""
    return queries.many(connection, "live_outcomes", Outcome, pair=pair, since=since)


def watch_edge(connection: Connection, pair: str, when: datetime, log: Log) -> bool:
    """Look at a pair's closed trades since its promise; disable it where the edge is gone, and tell. when: the broker's
    time of the newest one.

    Rows that cannot be read are told and keep nothing from being booked.
    """
    try:
        with connection.transaction():
            return _watch(connection, pair, when, log)
    except (psycopg.DataError, StoreError, ValueError, TypeError, ArithmeticError) as error:
        text = f"{pair}: its edge cannot be watched: {type(error).__name__}: {error}"
        log.write(connection, "edge_unwatched", text, level="error", broker_time=when, pair=pair)
        return False


def _watch(connection: Connection, pair: str, when: datetime, log: Log) -> bool:
    promise = queries.one(connection, "edge_promised", _Promise, pair=pair)
    if promise is None or promise.edge_r is None or promise.since is None or promise.edge_r <= 0:
        return False
    # Half of it: what was chosen for being good was lucky, too.
    detector = DecayDetector(promise.edge_r / 2, max(LEAST_RUN_LENGTH, promise.trades_a_year or 0))
    found = outcomes_of(connection, pair, promise.since)
    if not any(detector.take(one.outcome, max(one.most, promise.edge_r)) for one in found):
        return False
    mean = sum(one.outcome for one in found) / len(found)
    text = (
        f"its edge is gone: {mean:+.2f} R a trade on {len(found)} live trades, {promise.edge_r:+.2f} R promised; "
        "it must reach its threshold anew on candles from now on"
    )
    queries.execute(connection, "edge_gone", pair=pair, reason=text, when=when)
    log.write(connection, "edge_gone", f"{pair}: {text}", level="critical", broker_time=when, pair=pair)
    return True
