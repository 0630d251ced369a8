"""`sep trade flatten`, `close` and `adopt`: what a person does by hand, through the trader or, when it does not answer,
directly at the broker."""

import time
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import psycopg
import typer

from sep_trader.broker.port import Broker, BrokerTrade
from sep_trader.cli import render
from sep_trader.cli.options import By, Json, OnePair, Why
from sep_trader.cli.wiring import database_url, open_broker, open_database
from sep_trader.errors import InputError, SepError
from sep_trader.execution import switch
from sep_trader.execution.adoption import adopt_trade
from sep_trader.execution.person import Closed, close_by_hand, wanted
from sep_trader.execution.rows import Answered
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import Settings, load_settings
from sep_trader.states import ExitReason, RequestKind, RequestStatus
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds that the running trader has to answer.")]
_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person asks for."""

    kind: RequestKind
    by: str
    why: str
    pair: str | None = None
    trade_id: int | None = None
    everything: bool = False


def flatten(
    pair: OnePair = None,
    everything: Annotated[bool, typer.Option("--all", help="A person's own trades, too.")] = False,
    by: By = None,
    reason: Why = None,
    wait: Wait = 3.0,
    json: Json = False,
) -> None:
    """Close every trade of ours now, and open none after it. Works without streams, and while the trader hangs."""
    name, why = switch.signed(by, reason)
    _do(_Asked(RequestKind.FLATTEN, name, why, parse_pair(pair) if pair else None, None, everything), wait, json)


def close(
    trade: Annotated[int, typer.Argument(help="The broker's trade id, as `sep trade trades` shows it.")],
    everything: Annotated[bool, typer.Option("--all", help="Even if it is a person's own.")] = False,
    by: By = None,
    reason: Why = None,
    wait: Wait = 3.0,
    json: Json = False,
) -> None:
    """Close one trade now."""
    name, why = switch.signed(by, reason)
    _do(_Asked(RequestKind.CLOSE, name, why, None, trade, everything), wait, json)


def adopt(
    trade: Annotated[int, typer.Argument(help="The broker's trade id.")],
    stop_pips: Annotated[float, typer.Option("--stop-pips", min=0.1, help="Stop distance from its entry.")],
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="Minutes from now after which it is closed.")],
    by: By = None,
    reason: Why = None,
    json: Json = False,
) -> None:
    """Take over a trade that a person opened: it is marked as ours, protected, and closed at its horizon."""
    name, why = switch.signed(by, reason)
    settings = load_settings()
    with open_broker(settings) as broker, open_database(settings) as database:
        taken = adopt_trade(
            database, broker, trade, stop_pips=Decimal(str(stop_pips)), horizon=timedelta(minutes=horizon),
            by=name, why=why,
        )  # fmt: skip
    if json:
        render.print_json({"trade_id": trade, "signal_id": taken.signal_id, "horizon_at": taken.horizon_at})
    else:
        until = render.shown(taken.horizon_at)
        render.console.print(f"Trade {trade} is ours now: stop {stop_pips:g} pips from its entry, closed at {until}.")


def _do(asked: _Asked, wait_s: float, json: bool) -> None:
    """Ask the trader; when it does not answer in time, or there is no database, do it directly."""
    settings = load_settings()
    with open_broker(settings) as broker:
        answer, database_id = _through_trader(settings, broker.account_id, asked, wait_s)
        results: list[Closed] = []
        if answer is None:
            results = _directly(settings, broker, asked, database_id)
    left = [one for one in results if not one.done]
    if json:
        render.print_json(
            {
                "by": "trader" if answer is not None else "hand",
                "answer": answer,
                "closed": [one.trade.trade_id for one in results if one.done],
                "open": [{"trade_id": one.trade.trade_id, "why": one.text} for one in left],
            }
        )
    elif answer is not None:
        render.console.print(f"The trader: {answer}")
    elif results:
        render.console.print(
            f"{len(results) - len(left)} of {len(results)} trades closed, by hand: no trader answered."
        )
    else:
        render.console.print("Nothing to close is open.")
    if left:
        raise SepError(f"{len(left)} trades are still open", "; ".join(one.text for one in left))


def _through_trader(settings: Settings, account_id: str, asked: _Asked, wait_s: float) -> tuple[str | None, str | None]:
    """Write the request and wait for its answer, None where nobody answers; and the database's id, if it is there."""
    try:
        with Database(database_url(settings), timeout_s=2.0, deadline_s=2.0) as database:
            with database.transaction() as connection:
                database_id = queries.value(connection, "database_id", str)
                number = _ask(connection, account_id, asked)
            end = time.monotonic() + wait_s
            while time.monotonic() < end:
                with database.transaction() as connection:
                    row = queries.only(connection, "request", Answered, id=number)
                if row.status is RequestStatus.REFUSED:
                    raise InputError(str(row.answer))
                if row.status is RequestStatus.DONE:
                    return str(row.answer), database_id
                time.sleep(_EVERY_S)
            return None, database_id
    except InputError:
        raise
    except (SepError, psycopg.Error) as error:
        render.errors.print(f"sep: {error}; going to the broker directly")
        return None, None


def _ask(connection: "psycopg.Connection[dict[str, object]]", account_id: str, asked: _Asked) -> int:
    number = switch.ask(
        connection, account_id, kind=asked.kind, by=asked.by, why=asked.why, pair=asked.pair,
        trade_id=asked.trade_id, everything=asked.everything,
    )  # fmt: skip
    if asked.kind is RequestKind.FLATTEN and asked.pair is None:
        switch.reduce(connection, by=asked.by, why=f"flatten: {asked.why}")
    return number


def _directly(settings: Settings, broker: Broker, asked: _Asked, database_id: str | None) -> list[Closed]:
    """Close at the broker from here, and keep why where the database takes it."""

    def choose(trades: tuple[BrokerTrade, ...]) -> list[BrokerTrade]:
        return wanted(trades, database_id, pair=asked.pair, trade_id=asked.trade_id, everything=asked.everything)

    def tell(one: Closed) -> None:
        render.errors.print(f"sep: trade {one.trade.trade_id} ({one.trade.units} {one.trade.instrument}): {one.text}")

    results = close_by_hand(broker, choose, tell)
    if asked.kind is RequestKind.CLOSE and not results:
        raise InputError(f"no trade {asked.trade_id} of ours is open", "with --all, a person's own is closed, too")
    cause = ExitReason.FLATTENED if asked.kind is RequestKind.FLATTEN else ExitReason.REQUESTED
    if database_id is not None:
        _keep(settings, broker.account_id, results, cause)
    return results


def _keep(settings: Settings, account_id: str, results: list[Closed], cause: ExitReason) -> None:
    try:
        with (
            Database(database_url(settings), timeout_s=2.0, deadline_s=2.0) as database,
            database.transaction() as connection,
        ):
            for one in results:
                if one.order_id is not None:
                    values = {"account_id": account_id, "trade_id": one.trade.trade_id}
                    queries.execute(connection, "note_closing", order_id=one.order_id, cause=cause, **values)
    except (SepError, psycopg.Error) as error:
        render.errors.print(f"sep: why the trades were closed could not be kept: {error}")
