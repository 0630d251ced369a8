"""What the books hold, read by somebody else than the trader, in one statement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sep_trader.states import ExecutionStatus, SignalStatus, TradingState
from sep_trader.store.database import Connection
from sep_trader.store.queries import NamedQueries

day_queries = NamedQueries(Path(__file__).parent / "queries")
"""What only a simulation asks of its database."""


@dataclass(frozen=True, slots=True)
class _Row:
    state: TradingState
    changed_by: str
    booked: int | None
    balance: Decimal | None
    nav_high: Decimal | None
    record: str
    entries: Decimal
    cash: Decimal
    unexplained: Decimal
    executions: str
    signals: str
    requests: int


@dataclass(frozen=True, slots=True)
class Booked:
    """An execution as the books hold it. deadline: seconds since the epoch."""

    id: int
    signal: str
    client: str
    pair: str
    status: ExecutionStatus
    units: Decimal
    open_units: Decimal
    trade: int | None
    late: bool
    deadline: float | None
    stop: Decimal | None
    quoted: float | None
    expected: Decimal
    net: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class Audit:
    """The books at one moment. record: how many transactions, the first and the last id.

    signals: status, reason and pair, by id.
    """

    state: TradingState
    changed_by: str
    booked: int | None
    balance: Decimal | None
    nav_high: Decimal | None
    record: tuple[int, int | None, int | None]
    entries: Decimal
    cash: Decimal
    unexplained: Decimal
    executions: Mapping[str, Booked]
    signals: Mapping[str, tuple[SignalStatus, str | None, str]]
    requests: int


def read_audit(connection: Connection) -> Audit:
    """Read the books."""
    row = day_queries.only(connection, "audit", _Row)
    count, first, last = json.loads(row.record)
    return Audit(
        state=row.state,
        changed_by=row.changed_by,
        booked=row.booked,
        balance=row.balance,
        nav_high=row.nav_high,
        record=(count, first, last),
        entries=row.entries,
        cash=row.cash,
        unexplained=row.unexplained,
        executions={item["client"]: _booked(item) for item in json.loads(row.executions)},
        signals={name: (SignalStatus(status), code, pair) for name, status, code, pair in json.loads(row.signals)},
        requests=row.requests,
    )


def _booked(item: dict[str, Any]) -> Booked:
    numbers = ("units", "open_units", "expected", "net", "gross")
    read = {name: Decimal(item[name]) for name in numbers}
    stop = None if item["stop"] is None else Decimal(item["stop"])
    return Booked(**{**item, **read, "stop": stop, "status": ExecutionStatus(item["status"])})
