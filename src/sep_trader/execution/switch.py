"""The switch: whether this system trades. One module turns it, each turn is one statement.

A person sets any state. A protection only turns down, and never touches what is HALTED: the person who halted keeps the
word. The database records every turn as a row of control_changes, in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sep_trader.errors import InputError
from sep_trader.states import TradingState
from sep_trader.store.database import Connection
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries


@dataclass(frozen=True, slots=True)
class Switch:
    """The state, who set it, when and why."""

    state: TradingState
    reason: str
    changed_by: str
    changed_at: datetime


def read(connection: Connection) -> Switch:
    """The switch now. The table has one row since the first migration."""
    found = queries.one(connection, "trading_state", Switch)
    assert found is not None  # noqa: S101 - a CHECK and the first migration make it one row
    return found


def turn(connection: Connection, state: TradingState, *, by: str | None, why: str | None) -> None:
    """Set the switch for a person. Raises InputError without a name or a reason."""
    if not (by and by.strip() and why and why.strip()):
        raise InputError("the switch is turned with a name and a reason", "give --by NAME --reason TEXT")
    queries.execute(connection, "turn_switch", state=state, changed_by=by.strip(), reason=why.strip())


def reduce(connection: Connection, *, by: str, why: str) -> bool:
    """Let a protection turn ACTIVE to REDUCING. False when the switch was not ACTIVE: nothing is changed then."""
    return queries.execute(connection, "reduce_trading", changed_by=by, reason=why) > 0


def reduce_and_tell(connection: Connection, log: Log, *, by: str, why: str, broker_time: datetime) -> None:
    """Let a protection turn ACTIVE to REDUCING, and write that it did."""
    if reduce(connection, by=by, why=why):
        text = f"{TradingState.REDUCING}: {why}"
        log.write(connection, "trading_state", text, level="error", broker_time=broker_time)


def halt(connection: Connection, *, by: str, why: str) -> bool:
    """Let a protection halt. False when the switch was HALTED already: the first words stay."""
    return queries.execute(connection, "halt_trading", changed_by=by, reason=why) > 0
