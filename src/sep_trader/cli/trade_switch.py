"""`sep trade halt`, `reduce`, `resume`, `state`, `changes`: the switch and its history."""

from dataclasses import asdict
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import By, Json, OnePair, Why, states
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.execution import switch
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import load_settings
from sep_trader.states import TradingState
from sep_trader.store.queries import Row, queries


def halt(by: By = None, reason: Why = None, json: Json = False) -> None:
    """Send nothing any more. Stops and targets rest at the broker; what a person asks to close is closed."""
    _turn(TradingState.HALTED, by, reason, json)


def reduce(by: By = None, reason: Why = None, json: Json = False) -> None:
    """Open nothing any more; trades are closed and protected as before."""
    _turn(TradingState.REDUCING, by, reason, json)


def resume(by: By = None, reason: Why = None, json: Json = False) -> None:
    """Trade. What forbids it at the next look turns it down again."""
    _turn(TradingState.ACTIVE, by, reason, json)


def state(
    to: Annotated[
        str | None,
        typer.Argument(
            metavar="STATE", help="active, reducing or halted; nothing shows the present state.", autocompletion=states
        ),
    ] = None,
    by: By = None,
    reason: Why = None,
    json: Json = False,
) -> None:
    """Show or turn the switch: active trades, reducing only closes, halted sends no order. It stays as it is set."""
    _turn(None if to is None else _wanted_state(to), by, reason, json)


def _turn(to: TradingState | None, by: str | None, reason: str | None, json: bool) -> None:
    with open_database(load_settings()) as database, database.transaction() as connection:
        if to is not None:
            switch.turn(connection, to, by=by, why=reason)
        now = switch.read(connection)
    if json:
        render.print_json(asdict(now))
    else:
        since = render.shown(now.changed_at)
        render.console.print(f"Trading is [bold]{now.state}[/] since {since}: {now.reason} (by {now.changed_by})")


def _wanted_state(text: str) -> TradingState:
    try:
        return TradingState(text.upper())
    except ValueError:
        raise InputError(f"unknown trading state '{text}'", "active, reducing or halted") from None


def changes(
    pair: OnePair = None,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 50,
    json: Json = False,
) -> None:
    """Show who turned the switch, enabled, overrode or disabled, when and why; newest first."""
    name = parse_pair(pair) if pair else None
    with open_database(load_settings()) as database, database.transaction() as connection:
        found = queries.many(connection, "control_changes", Row, pair=name, limit=limit)
    if json:
        render.print_json({"changes": found})
        return
    rows = (
        (c["changed_at"], c["pair"] or "switch", f"{c['before']} -> {c['after']}", c["changed_by"], c["reason"])
        for c in found
    )
    render.print_table("Changes", ["When (UTC)", "What", "Change", "By", "Why"], rows, empty="none yet")
