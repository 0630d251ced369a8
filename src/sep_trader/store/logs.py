"""The system log: every step as a row in system_logs, and as a structured line on stderr."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from psycopg.types.json import Jsonb

from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

_console = structlog.get_logger()


class Log:
    """The log of one component."""

    def __init__(self, component: str) -> None:
        self._component = component

    def write(
        self,
        connection: Connection | None,
        event: str,
        message: str = "",
        *,
        level: str = "info",
        broker_time: datetime | None = None,
        **context: Any,
    ) -> None:
        """Write one step, within the caller's transaction (it stands if that stands). Without one: console only."""
        getattr(_console, level)(event, component=self._component, message=message, **context)
        if connection is None:
            return
        queries.execute(
            connection,
            "insert_log",
            level=level,
            component=self._component,
            event=event,
            message=message,
            context=Jsonb({k: _plain(v) for k, v in context.items()}),
            broker_time=broker_time,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value
