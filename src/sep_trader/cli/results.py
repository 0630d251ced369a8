"""`sep results`: what happened on the trading machine comes home, for research, reports and decay."""

import json as jsonlib
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.handover.results import LARGEST, Receipt, export_results, receipt_for, take_results
from sep_trader.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="What happened on the trading machine comes home.")

Of = Annotated[
    Path, typer.Option("--of", help="What the trading machine said of itself (sep signals receipt --json, run there).")
]


@app.command()
def receipt(of: Of) -> None:
    """Print what is here of a trading machine, as JSON: what it has to bring is what came after."""
    with open_database(load_settings()) as database:
        render.print_json(asdict(receipt_for(database, _source(of))))


@app.command(name="export")
def export_command(
    receipt: Annotated[str, typer.Option("--receipt", help="What the other side has, or - for stdin.")],
    out: Annotated[str, typer.Option("--out", help="File for the answer, or - for stdout.")] = "-",
) -> None:
    """Write what happened here since a receipt: orders and trades, broker transactions, equity, decisions, rights."""
    try:
        asked = Receipt.from_json(sys.stdin.read(2**20) if receipt == "-" else Path(receipt).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{receipt} cannot be read: {error}") from None
    with open_database(load_settings()) as database:
        text = export_results(database, asked, datetime.now(UTC))
    if out == "-":
        sys.stdout.write(text)
    else:
        Path(out).write_text(text)


@app.command(name="import")
def import_command(
    file: Path,
    of: Of,
    news: Annotated[bool, typer.Option("--news", help="Say only what is new, as for a watch.")] = False,
    json: Json = False,
) -> None:
    """Check an answer and take it in, in one transaction. Exit code 6 where it is refused; nothing is changed then."""
    try:
        with file.open(encoding="utf-8") as answer:
            text = answer.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    with open_database(load_settings()) as database:
        taken = take_results(database, text, _source(of))
    if json:
        render.print_json(asdict(taken))
        return
    counts = {
        "orders and trades": taken.executions, "broker transactions": taken.transactions,
        "decided signals": taken.signals, "minutes of equity": taken.equity,
    }  # fmt: skip
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if told:
        typer.echo(f"home: {told}")
    if taken.left_out:
        typer.echo(f"home: {taken.left_out} orders are left out: the model of their signals is unknown here")
    for pair in taken.decayed:
        typer.echo(f"home: {pair} was found decayed; only candles after that count from now on")
    for one in taken.latched:
        if news and taken.since is not None and one.latched_at <= taken.since:
            continue
        typer.echo(
            f"home: {one.pair} is disabled there since {one.latched_at:%Y-%m-%d %H:%M} UTC by {one.changed_by} "
            f"({one.disabled_reason}); only `sep enable {one.pair}` run there lifts it"
        )
    if taken.more:
        typer.echo("home: there is more; ask again")


def _source(of: Path) -> str:
    try:
        return str(jsonlib.loads(of.read_text())["target"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{of} is no receipt of a trading machine: {error}", "sep signals receipt --json") from None
