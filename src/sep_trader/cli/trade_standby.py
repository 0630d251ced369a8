"""`sep trade standby`: closes what a person asked to be closed while no trader acts. It opens nothing."""

import signal
import threading
from typing import Annotated

import typer

from sep_trader.broker.port import Broker, BrokerTrade
from sep_trader.cli import render
from sep_trader.cli.wiring import database_url, open_broker
from sep_trader.errors import SepError
from sep_trader.execution.person import Closed, close_by_hand, wanted
from sep_trader.execution.rows import Request
from sep_trader.settings import load_settings
from sep_trader.states import ExitReason, RequestKind, RequestStatus
from sep_trader.store.database import Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_LOG = Log("standby")


def standby(
    after: Annotated[float, typer.Option("--after", min=1, help="Seconds that the trader has to act.")] = 10.0,
    poll: Annotated[float, typer.Option("--poll", min=0.1, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
) -> None:
    """Close what a person asked to be closed while no trader acts on it. Nothing is ever opened."""
    settings = load_settings()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with open_broker(settings, requests_per_s=5) as broker:
        while not stopping.is_set():
            try:
                with Database(database_url(settings), max_size=1) as database:
                    look(database, broker, after)
            except SepError as error:
                render.errors.print(f"sep: {error}; looking again", markup=False)
            if once:
                return
            stopping.wait(poll)


def look(database: Database, broker: Broker, after_s: float) -> list[Closed]:
    """Do what was asked more than `after_s` ago and is not done. Raises SepError where the broker cannot be read."""
    with database.transaction() as connection:
        left = queries.many(connection, "requests_left", Request, account_id=broker.account_id, after_s=after_s)
        database_id = queries.value(connection, "database_id", str)
    done: list[Closed] = []
    for request in left:
        done += _close(database, broker, request, database_id)
    return done


def _close(database: Database, broker: Broker, request: Request, database_id: str) -> list[Closed]:
    def choose(trades: tuple[BrokerTrade, ...]) -> list[BrokerTrade]:
        return wanted(trades, database_id, pair=request.pair, trade_id=request.trade_id, everything=request.everything)

    results = close_by_hand(broker, choose, lambda one: None)
    closed = [one for one in results if one.done]
    text = f"{len(closed)} of {len(results)} trades closed directly at the broker: no trader has acted"
    cause = ExitReason.FLATTENED if request.kind is RequestKind.FLATTEN else ExitReason.REQUESTED
    with database.transaction() as connection:
        for one in closed:
            if one.order_id is not None:
                queries.execute(
                    connection, "note_closing", account_id=broker.account_id, trade_id=one.trade.trade_id,
                    order_id=one.order_id, cause=cause,
                )  # fmt: skip
        if len(closed) == len(results):
            queries.execute(connection, "answer_request", id=request.id, status=RequestStatus.DONE, answer=text)
        said = f"{request.kind} by {request.requested_by}: {text}"
        _LOG.write(connection, "closed_by_standby", said, level="critical", request=request.id)
    return results
