"""`sep report` and `sep verify`: one HTML file of a run, a backtest or live trading, and the proof of its figures."""

from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.settings import load_settings

app = typer.Typer()
FOUND = 1
_SHOWN = 20


@app.command()
def report(
    target: Annotated[
        str, typer.Argument(help="A run or backtest of `sep research ledger show`, or a pair: its newest.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
) -> None:
    """Write a report as one HTML file that needs no network.

    For example: sep report EUR_USD --out EUR_USD.html
    """
    from sep_trader.reports.page import page_of
    from sep_trader.reports.source import build, find_target

    with open_database(load_settings()) as database:
        made = build(database, find_target(database, target))
    page = page_of(made)
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}", "another --out") from None
    trades = made["statistics"]["trades"]
    render.console.print(f"{out}: {trades:,} trades, {len(page.encode()) / 1000:.0f} kB. Prove it: sep verify {out}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file that `sep report` wrote.")],
    json: Json = False,
) -> None:
    """Compute every figure of a report again from the store. Exit code 1 where one differs."""
    from sep_trader.reports.figures import differences
    from sep_trader.reports.page import report_in
    from sep_trader.reports.source import build, find_target
    from sep_trader.research.identity import code_identity

    stated = report_in(file)
    with open_database(load_settings()) as database:
        again = build(database, find_target(database, stated["manifest"]["run"]))
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
