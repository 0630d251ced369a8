"""The switch: whether this system trades. One module turns it, each turn is one statement.

A person sets any state. A protection only turns down, and never touches what is HALTED: the person who halted keeps the
word. The database records every turn as a row of control_changes, in the same transaction.
"""

from decimal import Decimal

from sep_trader.errors import InputError
from sep_trader.execution.rows import Switch
from sep_trader.states import RequestKind, TradingState
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

__all__ = ["Switch", "ask", "halt", "read", "reduce", "turn"]


def read(connection: Connection) -> Switch:
    """The switch now. The table has one row since the first migration."""
    found = queries.one(connection, "trading_state", Switch)
    assert found is not None  # noqa: S101 - a CHECK and the first migration make it one row
    return found


def turn(connection: Connection, state: TradingState, *, by: str | None, why: str | None) -> None:
    """Set the switch for a person. Raises InputError without a name or a reason."""
    name, reason = signed(by, why)
    queries.execute(connection, "turn_switch", state=state, changed_by=name, reason=reason)


def signed(by: str | None, why: str | None) -> tuple[str, str]:
    """The name and the reason that a person gives. Raises InputError without one of them."""
    if not (by and by.strip() and why and why.strip()):
        raise InputError("the switch is turned with a name and a reason", "give --by NAME --reason TEXT")
    return by.strip(), why.strip()


def ask(
    connection: Connection,
    account_id: str,
    *,
    kind: RequestKind,
    by: str | None,
    why: str | None,
    pair: str | None = None,
    trade_id: int | None = None,
    everything: bool = False,
    setting: str | None = None,
    value: Decimal | None = None,
) -> int:
    """Ask the trader to close one trade, or those of a pair or all; return the request's id.

    everything: a person's own trades, too. Raises InputError without a name or a reason.
    """
    name, reason = signed(by, why)
    values = {"requested_by": name, "reason": reason, "pair": pair, "trade_id": trade_id, "everything": everything}
    limit = {"setting": setting, "value": value}
    return queries.value(connection, "new_request", int, kind=kind, account_id=account_id, **values, **limit)


def reduce(connection: Connection, *, by: str, why: str) -> bool:
    """Let a protection turn ACTIVE to REDUCING. False when the switch was not ACTIVE: nothing is changed then."""
    return queries.execute(connection, "reduce_trading", changed_by=by, reason=why) > 0


def halt(connection: Connection, *, by: str, why: str) -> bool:
    """Let a protection halt. False when the switch was HALTED already: the first words stay."""
    return queries.execute(connection, "halt_trading", changed_by=by, reason=why) > 0
