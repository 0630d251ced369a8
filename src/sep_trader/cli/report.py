"""`sep report` and `sep verify`: one HTML file of a run, a backtest or live trading, and the proof of its figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json, span
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.market.clock import format_rfc3339, from_epoch, parse_rfc3339
from sep_trader.settings import load_settings

if TYPE_CHECKING:
    from sep_trader.store.database import Database

app = typer.Typer()
FOUND = 1
_SHOWN = 20


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="A run or backtest of `sep research ledger show`, or a pair: its newest. Several: a portfolio."
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Of the closed trades of the books.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="With --live: closed from this time on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --live: closed before this time.")] = None,
) -> None:
    """Write a report as one HTML file that needs no network."""
    from sep_trader.reports.page import page_of

    if live == bool(targets):
        raise InputError("a report of something", "a pair, a run, several of them, or --live")
    begin, stop = span(start or "2000-01-01", end or "2100-01-01")
    first, last = (format_rfc3339(from_epoch(at or 0)) for at in (begin, stop))
    with open_database(load_settings()) as database:
        made = _built(database, f"live {first} {last}" if live else " ".join(targets or []))
    page = page_of(made)
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}", "another --out") from None
    trades = made["statistics"]["trades"]
    render.console.print(f"{out}: {trades:,} trades, {len(page.encode()) / 1000:.0f} kB. Prove it: sep verify {out}")


def _built(database: "Database", what: str) -> "dict[str, Any]":
    """The report of what its manifest calls `run`: ids or pairs, or `live FROM TO`."""
    from sep_trader.reports import live, portfolio, source

    words = what.split()
    if words[0] == "live":
        return live.build(database, parse_rfc3339(words[1]), parse_rfc3339(words[2]))
    targets = [source.find_target(database, one) for one in words]
    return source.build(database, targets[0]) if len(targets) == 1 else portfolio.build(database, targets)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file that `sep report` wrote.")],
    json: Json = False,
) -> None:
    """Compute every figure of a report again from the store. Exit code 1 where one differs."""
    from sep_trader.reports.figures import differences
    from sep_trader.reports.page import report_in
    from sep_trader.research.identity import code_identity

    stated = report_in(file)
    with open_database(load_settings()) as database:
        again = _built(database, stated["manifest"]["run"])
    found = differences(stated, again)
    if json:
        render.print_json({"file": str(file), "run": stated["manifest"]["run"], "differences": found, "ok": not found})
    else:
        for one in found[:_SHOWN]:
            render.console.print(one, markup=False)
        equal = "every figure is reproduced" if not found else f"{len(found)} figures differ"
        render.console.print(f"{file}: {equal}, by {code_identity()}")
    if found:
        raise typer.Exit(FOUND)
