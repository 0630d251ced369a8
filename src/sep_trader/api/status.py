"""The state of the house at a glance, computed at most twice a second however many ask."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from anyio import to_thread

from sep_trader.api import models
from sep_trader.api.parts import Parts
from sep_trader.states import ComponentState
from sep_trader.store.database import Connection
from sep_trader.store.queries import Row, queries
from sep_trader.store.storage import Usage
from sep_trader.version import __version__

ALIVE_S = 30.0
"""A trader that has not reported for so long counts as gone."""
FRESH_S = 0.5
_STORAGE_S = 60.0


def status_of(connection: Connection, storage: Usage) -> models.Status:
    """Version, database, broker, switch, enabled pairs, what is newest, open trades, age of the trader's report."""
    components = queries.many(connection, "component_status", Row)
    trader = next((c for c in components if c["component"] == "trader"), None)
    details = trader["details"] if trader else {}
    streams = details.get("streams", {})
    return models.Status(
        version=__version__,
        notice=queries.optional(connection, "notice", str),
        database=models.DatabaseStatus.model_validate(queries.only(connection, "database_info", Row)),
        broker=models.BrokerStatus(
            connected=is_alive(trader) and bool(streams) and all(streams.values()),
            account=details.get("account"),
            environment=details.get("environment"),
            broker_time=trader["broker_time"] if trader else None,
            last_transaction_id=details.get("last_transaction_id"),
        ),
        trading_state=models.TradingStatus.model_validate(queries.only(connection, "trading_state", Row)),
        enabled_pairs=[row["pair"] for row in queries.many(connection, "active_pairs", Row)],
        last=models.Newest.model_validate(queries.only(connection, "newest", Row)),
        open_trades=len(queries.many(connection, "open_trades", Row)),
        stream_age_s=_stream_age(trader),
        components=models.rows(models.ComponentStatus, components),
        storage=models.Storage.model_validate(storage.as_dict()),
        statements=models.rows(models.LiveStatement, queries.many(connection, "newest_statements", Row)),
    )


def is_alive(trader: dict[str, Any] | None) -> bool:
    """Whether a trader's report is new enough to believe that it runs."""
    return trader is not None and trader["state"] == ComponentState.RUNNING and trader["age_s"] < ALIVE_S


def _stream_age(trader: dict[str, Any] | None) -> float | None:
    """What the trader reported, plus the time since it did."""
    reported = trader["details"].get("stream_age_s") if trader else None
    return None if trader is None or reported is None else round(reported + trader["age_s"], 3)


class Storage:
    """How the volume is used, measured once a minute. Safe between threads."""

    def __init__(self, measure: Callable[[Connection], Usage]) -> None:
        self._measure, self._lock = measure, threading.Lock()
        self._known: tuple[float, Usage] | None = None

    def usage(self, connection: Connection) -> Usage:
        """The newest measurement."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] >= _STORAGE_S:
                self._known = (time.monotonic(), self._measure(connection))
            return self._known[1]


@dataclass(slots=True)
class Kept:
    """Something that many ask for and that costs queries: made in a thread, one at a time, and kept half a second."""

    make: Callable[[], bytes]
    _value: bytes = b""
    _made_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def value(self) -> bytes:
        """The newest, at most half a second old. Raises what making it raises."""
        if time.monotonic() - self._made_at >= FRESH_S:
            async with self._lock:
                if time.monotonic() - self._made_at >= FRESH_S:
                    self._value = await to_thread.run_sync(self.make)
                    self._made_at = time.monotonic()
        return self._value


def status_bytes(parts: Parts, storage: Storage) -> bytes:
    """GET /api/status as it is sent."""
    with parts.database.transaction() as connection:
        return status_of(connection, storage.usage(connection)).model_dump_json().encode()


def alive(ok: bool) -> models.Alive:
    """The answer of the probes."""
    return models.Alive(ok=ok, time=datetime.now(UTC))
