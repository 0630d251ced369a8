"""`sep trade equity`: what the account was worth over time, as a line and as a table by day."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sep_trader.cli import render
from sep_trader.cli.options import From, Json, To, span
from sep_trader.cli.wiring import open_database
from sep_trader.market.clock import from_epoch
from sep_trader.settings import load_settings
from sep_trader.store.queries import Row, queries

_DAYS = timedelta(days=30)
_LEVELS = "▁▂▃▄▅▆▇█"
_POINTS = 60


def equity(start: From = None, end: To = None, json: Json = False) -> None:
    """Show what each account was worth over time: 30 days where no span is given."""
    begin, stop = (None if at is None else from_epoch(at) for at in span(start, end))
    until = stop or datetime.now(UTC)
    since = begin or until - _DAYS
    step = max(60.0, (until - since).total_seconds() / 20_000)
    with open_database(load_settings()) as database, database.transaction() as connection:
        rows = queries.many(connection, "equity", Row, since=since, until=until, step_s=step)
    if json:
        render.print_json({"equity": rows})
        return
    if not rows:
        render.console.print("No trader has seen an account in this span.")
    for account, points in groupby(rows, key=lambda row: row["account_id"]):
        _show(account, list(points))


def _show(account: str, points: Sequence[dict[str, Any]]) -> None:
    navs = [float(one["nav"]) for one in points]
    render.console.print(f"{account}: {navs[0]:,.2f} to {navs[-1]:,.2f}  {line(navs)}", markup=False, highlight=False)
    rows = []
    for day, of_day in groupby(points, key=lambda one: one["time"].date()):
        found = list(of_day)
        low, high = min(one["nav"] for one in found), max(one["nav"] for one in found)
        change = found[-1]["nav"] - found[0]["nav"]
        rows.append((day, f"{found[-1]['nav']:,.2f}", render.signed(change), f"{low:,.2f}", f"{high:,.2f}"))
    render.print_table("By UTC day", ["Day", "NAV at its end>", "Change>", "Lowest>", "Highest>"], rows)


def line(values: Sequence[float]) -> str:
    """A line of text that goes up and down as the values do, at most 60 characters."""
    step = max(1, -(-len(values) // _POINTS))
    kept = list(values[::step])
    low, high = min(kept), max(kept)
    width = high - low or 1.0
    return "".join(_LEVELS[min(7, int((one - low) / width * 8))] for one in kept)
