"""`sep research`: the ledger of what was tried, and a run of it again."""

import json as json_text
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.settings import load_settings

if TYPE_CHECKING:
    from sep_trader.research.ledger import Head

FOUND = 1
"""Exit code where something is wrong with what was checked."""
_SHOWN_OF_A_HASH = 16

app = typer.Typer(no_args_is_help=True, help="What was ever tried, and proofs of it.")
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger of research: a chain to which rows are only added.")
app.add_typer(ledger_app, name="ledger")


@ledger_app.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", help="NUMBER:HASH as it was printed before: the chain must still hold it.")
    ] = None,
    json: Json = False,
) -> None:
    """Check every hash of the chain, and that research_runs tells the same. Exit code 1 when something is wrong."""
    from sep_trader.research import ledger

    expected = None if head is None else _head(head)
    with open_database(load_settings()) as database, database.transaction() as connection:
        faults, newest = ledger.verify(connection, expected), ledger.head_of(connection)
    if json:
        render.print_json({"rows": newest.number, "head": newest.hash, "faults": faults, "ok": not faults})
    else:
        rows = ((one.number, one.text) for one in faults)
        if faults:
            render.print_table("What is wrong with the ledger", ["Row>", "It"], rows)
        else:
            render.console.print(f"{newest.number} rows, all of them as they were written.")
        render.console.print(f"Head, to note elsewhere: {newest.number}:{newest.hash}")
    if faults:
        raise typer.Exit(FOUND)


@ledger_app.command()
def show(
    pair: Annotated[str | None, typer.Option("--pair", help="Only this pair.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many of the newest rows.")] = 20,
    json: Json = False,
) -> None:
    """Show the newest rows of the ledger."""
    from sep_trader.market.instrument import parse_pair
    from sep_trader.research import ledger

    wanted = None if pair is None else parse_pair(pair)
    with open_database(load_settings()) as database, database.transaction() as connection:
        chain = [one for one in ledger.entries(connection) if wanted in (None, one.pair)][-limit:]
    if json:
        render.print_json([{**_columns(one), "body": json_text.loads(one.body)} for one in chain])
        return
    rows = (
        (one.number, one.at, one.kind, one.pair, one.design, one.run_id, one.hash[:_SHOWN_OF_A_HASH]) for one in chain
    )
    columns = ["Row>", "At (UTC)", "Kind", "Pair", "Design", "Run", "Hash"]
    render.print_table("Ledger of research", columns, rows, empty="nothing was tried yet")


@app.command()
def rerun(
    run_id: Annotated[str, typer.Argument(help="As `sep research ledger show` lists it.")], json: Json = False
) -> None:
    """Run a training of the ledger again, and compare. Exit code 1 when the trades or the candles differ."""
    from sep_trader.research.rerun import rerun as run_again

    try:
        wanted = uuid.UUID(run_id)
    except ValueError:
        raise InputError(f"not a run: '{run_id[:40]}'", "as `sep research ledger show` lists it") from None
    with open_database(load_settings()) as database:
        found = run_again(database, wanted)
    if json:
        columns = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
        render.print_json({**columns, "ok": found.ok})
    elif found.ok:
        render.console.print(f"{found.pair}: the same {found.trades} trades on the same candles, to the byte.")
    for one in [] if json else found.differing:
        render.console.print(f"{found.pair}: {one}")
    if not json and found.code != found.code_again:
        render.console.print(f"The code was {found.code}, it is {found.code_again}.")
    if not found.ok:
        raise typer.Exit(FOUND)


def _columns(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in type(entry).__dataclass_fields__}  # type: ignore[attr-defined]


def _head(text: str) -> "Head":
    from sep_trader.research.ledger import Head

    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise InputError(
            f"not a head of the ledger: '{text[:40]}'", "NUMBER:HASH, as `sep research ledger verify` prints"
        )
    return Head(int(number), digest)
