"""`sep logs`: the log of every component, as it was written into the database."""

import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.options import From, Json, To, span
from sep_trader.cli.wiring import open_database
from sep_trader.market.clock import from_epoch
from sep_trader.settings import load_settings
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

app = typer.Typer()
_COLOURS = {"warning": "yellow", "error": "red", "critical": "bold red"}


class Level(StrEnum):
    """From the least grave to the gravest."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@app.command()
def logs(
    component: Annotated[str | None, typer.Option("--component", help="trader, signals, ops, candles, ...")] = None,
    level: Annotated[Level, typer.Option("--level", help="This grave and graver.")] = Level.INFO,
    text: Annotated[str | None, typer.Option("--text", help="In the event or the message, whatever its case.")] = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="The newest so many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show the log: what was done, and what went wrong."""
    begin, stop = (None if at is None else from_epoch(at) for at in span(start, end))
    graver = [str(one) for one in list(Level)[list(Level).index(level) :]]
    asked: dict[str, Any] = {"component": component, "levels": graver, "text": text, "until": stop}
    with open_database(load_settings()) as database:
        found = _lines(database, asked, begin, None, limit)
        _print(found, json)
        newest = max((row["id"] for row in found), default=0)
        while follow:
            time.sleep(1)
            found = _lines(database, asked, None, newest, 10_000)
            _print(found, json)
            newest = max((row["id"] for row in found), default=newest)


def _lines(
    database: Database, asked: dict[str, Any], since: datetime | None, after: int | None, limit: int
) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        found = queries.many(connection, "log_lines", Row, since=since, before=None, after=after, limit=limit, **asked)
    return list(reversed(found))


def _print(rows: list[dict[str, Any]], json: bool) -> None:
    """A line a row: what reads it wants lines, as JSON too."""
    for row in rows:
        if json:
            render.print_json(row)
            continue
        colour = _COLOURS.get(row["level"], "")
        head = f"{row['time']:%Y-%m-%d %H:%M:%S} {row['level']:<8} {row['component']} {row['event']}:"
        render.console.print(head, row["message"] or "", style=colour or None, markup=False, highlight=False)
