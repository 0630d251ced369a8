"""What a person may change from afar: a row that the trader's next pass acts on and answers. It knows no broker."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from sep_trader.api.access import Caller
from sep_trader.api.models import Answer, LimitWanted, Reason
from sep_trader.api.parts import Parts
from sep_trader.api.reads import clean
from sep_trader.errors import InputError
from sep_trader.market.instrument import parse_pair
from sep_trader.states import RequestKind, RequestStatus, TradingState
from sep_trader.store.queries import Row, queries

PairPath = Annotated[str, Path(max_length=20, description="As EUR_USD.")]
LimitName = Annotated[str, Path(max_length=40, pattern="^[a-z_]+$", description="As max_open_trades.")]
TradeId = Annotated[int, Path(ge=1, le=2**62, description="The broker's trade id.")]


def control_routes(parts: Parts) -> APIRouter:
    """The routes that change something: each needs a token of the role `operate`."""
    router = APIRouter(tags=["control"], responses={202: {"model": Answer, "description": "No trader has acted yet."}})
    _trading(router, parts)
    _rights(router, parts)
    return router


def _ask(parts: Parts, request: Request, response: Response, kind: RequestKind, body: Reason, **what: Any) -> Answer:
    """Ask for who calls, and say what came of it."""
    caller: Caller = request.state.caller
    why = (clean(body.reason) or "").strip()
    if not why:
        raise InputError("a reason is recorded with each request", "say why")
    number, status, text = parts.ask(kind, by=caller.name, why=why, everything=body.everything, **what)
    response.status_code = 202 if status is RequestStatus.NEW else 200
    return Answer(request_id=number, status=status, answer=text)


def _trading(router: APIRouter, parts: Parts) -> None:
    asked = partial(_ask, parts)

    @router.post("/api/trading/halt")
    def halt(request: Request, response: Response, body: Reason) -> Answer:
        """Send nothing any more; stops and targets rest at the broker."""
        return asked(request, response, RequestKind.HALT, body)

    @router.post("/api/trading/reduce")
    def reduce(request: Request, response: Response, body: Reason) -> Answer:
        """Open nothing any more; trades are closed and protected as before."""
        return asked(request, response, RequestKind.REDUCE, body)

    @router.post("/api/trading/resume")
    def resume(request: Request, response: Response, body: Reason) -> Answer:
        """Trade. What forbids it at the next look turns it down again."""
        return asked(request, response, RequestKind.RESUME, body)

    @router.post("/api/trading/flatten")
    def flatten(request: Request, response: Response, body: Reason) -> Answer:
        """Open nothing any more, and close every trade of ours, or those of one pair."""
        pair = parse_pair(body.pair) if body.pair else None
        if pair is None and _trades(parts):
            # First, so that nothing is opened while all is closed. What is HALTED stays so.
            asked(request, response, RequestKind.REDUCE, body)
        return asked(request, response, RequestKind.FLATTEN, body, pair=pair)

    @router.post("/api/trades/{trade_id}/close")
    def close(request: Request, response: Response, body: Reason, trade_id: TradeId) -> Answer:
        """Close one trade."""
        return asked(request, response, RequestKind.CLOSE, body, trade_id=trade_id)


def _rights(router: APIRouter, parts: Parts) -> None:
    asked = partial(_ask, parts)

    @router.post("/api/limits/{name}")
    def limit(request: Request, response: Response, body: LimitWanted, name: LimitName) -> Answer:
        """Tighten a limit; it never goes beyond the trader's own settings, and their value lifts it."""
        return asked(request, response, RequestKind.LIMIT, body, setting=name, value=body.value)

    @router.post("/api/pairs/{pair}/enable")
    def enable(request: Request, response: Response, body: Reason, pair: PairPath) -> Answer:
        """Let a pair trade by its READY verdict; there is no override from afar."""
        return asked(request, response, RequestKind.ENABLE, body, pair=parse_pair(pair))

    @router.post("/api/pairs/{pair}/disable")
    def disable(request: Request, response: Response, body: Reason, pair: PairPath) -> Answer:
        """Take a pair's right to trade; its open trade keeps its stop, target and horizon."""
        return asked(request, response, RequestKind.DISABLE, body, pair=parse_pair(pair))


def _trades(parts: Parts) -> bool:
    """Whether the switch lets trades be opened."""
    with parts.database.transaction() as connection:
        return bool(queries.only(connection, "trading_state", Row)["state"] == TradingState.ACTIVE)
