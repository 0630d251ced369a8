"""What people ask from afar: the switch, and a pair's right. One transaction does it and answers it."""

from datetime import datetime

from sep_trader.errors import InputError, NotAllowed, SepError
from sep_trader.execution import switch
from sep_trader.execution.rows import Request
from sep_trader.research import rights
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.overrides import MAY_TIGHTEN
from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Connection
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries


def control(
    connection: Connection, request: Request, log: Log, *, live: bool, limits: RiskLimits, now: datetime | None
) -> None:
    """Do what a request asks, and answer it; what is not allowed is answered with the reason.

    live: a live account. limits: the owner's own, which nothing from afar goes beyond.
    """
    try:
        with connection.transaction():
            text, status = _done(connection, request, live, limits), RequestStatus.DONE
    except SepError as error:
        text, status = str(error), RequestStatus.REFUSED
    queries.execute(connection, "answer_request", id=request.id, status=status, answer=text)
    said = f"{request.kind} by {request.requested_by}: {text}"
    log.write(connection, "request_answered", said, broker_time=now, request=request.id, status=status)


def _done(connection: Connection, request: Request, live: bool, limits: RiskLimits) -> str:
    by, why, state = request.requested_by, request.reason, request.kind.turns_to
    if state is not None:
        switch.turn(connection, state, by=by, why=why)
        return f"trading is {state}"
    if request.kind is RequestKind.LIMIT:
        return _tighten(connection, request, limits)
    pair = request.pair or ""
    if request.kind is RequestKind.ENABLE:
        rights.enable(connection, pair, live=live, user=by, by=by, why=why)
        return f"{pair} may trade: its verdict is READY"
    changed = rights.disable(connection, pair, user=by, by=by, why=why)
    return f"{pair} may not trade" + ("" if changed else " (it was not enabled)")


def _tighten(connection: Connection, request: Request, limits: RiskLimits) -> str:
    """Keep a limit that is stricter than the owner's; the owner's own value lifts it."""
    name, value = request.setting or "", request.value
    if name not in MAY_TIGHTEN or value is None:
        raise InputError(f"'{name[:40]}' is no limit that can be tightened from afar", ", ".join(MAY_TIGHTEN))
    own = getattr(limits, name)
    if value > own:
        raise NotAllowed(f"{name} is {own} by the trader's settings", "from afar it can only be stricter")
    if isinstance(own, int) and value != int(value):
        raise InputError(f"{name} is a whole number", f"not {value}")
    by, why = request.requested_by, request.reason
    queries.execute(connection, "tighten_limit", name=name, value=value, set_by=by, reason=why)
    return f"{name} is {value} now" + (
        ", as the trader's settings say" if value == own else f" (the settings say {own})"
    )
