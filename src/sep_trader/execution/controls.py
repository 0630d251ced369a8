"""What people ask from afar: the switch, and a pair's right. One transaction does it and answers it."""

from datetime import datetime

from sep_trader.errors import SepError
from sep_trader.execution import switch
from sep_trader.execution.rows import Request
from sep_trader.research import rights
from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Connection
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries


def control(connection: Connection, request: Request, log: Log, *, live: bool, now: datetime | None) -> None:
    """Do what a request asks, and answer it; what is not allowed is answered with the reason. live: a live account."""
    try:
        with connection.transaction():
            text, status = _done(connection, request, live=live), RequestStatus.DONE
    except SepError as error:
        text, status = str(error), RequestStatus.REFUSED
    queries.execute(connection, "answer_request", id=request.id, status=status, answer=text)
    said = f"{request.kind} by {request.requested_by}: {text}"
    log.write(connection, "request_answered", said, broker_time=now, request=request.id, status=status)


def _done(connection: Connection, request: Request, *, live: bool) -> str:
    by, why, state = request.requested_by, request.reason, request.kind.turns_to
    if state is not None:
        switch.turn(connection, state, by=by, why=why)
        return f"trading is {state}"
    pair = request.pair or ""
    if request.kind is RequestKind.ENABLE:
        rights.enable(connection, pair, live=live, user=by, by=by, why=why)
        return f"{pair} may trade: its verdict is READY"
    changed = rights.disable(connection, pair, user=by, by=by, why=why)
    return f"{pair} may not trade" + ("" if changed else " (it was not enabled)")
