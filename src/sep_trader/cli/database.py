"""`sep db`: migrations, the address for psql, and the embedded server."""

from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url
from sep_trader.settings import load_settings
from sep_trader.store.database import Database
from sep_trader.store.migrations import Migration, pending
from sep_trader.store.migrations import migrate as run_migrations
from sep_trader.store.timescaledb.hypertables import ensure_hypertables

app = typer.Typer(no_args_is_help=True, help="The database.")


@app.command()
def migrate(
    plan: Annotated[bool, typer.Option("--plan", help="Show what would run, and run nothing.")] = False,
    json: Json = False,
) -> None:
    """Bring the schema up to date. Running it twice is harmless."""
    settings = load_settings()
    with Database(database_url(settings)) as database:
        if plan:
            _show_plan(pending(database), json)
            return
        ran = run_migrations(database)
        ensure_hypertables(database, settings.chunk_days)
    if json:
        render.print_json({"ran": ran})
        return
    render.console.print("\n".join(f"ran {name}" for name in ran) or "the schema is up to date")


def _show_plan(due: list[Migration], json: bool) -> None:
    """What would run, and whether programs of before go on with it."""
    breaking = [m.name for m in due if m.oldest is None]
    if json:
        render.print_json({"pending": [m.name for m in due], "older_programs_go_on": not breaking})
        return
    for one in due:
        typer.echo(f"{one.name}: {'programs of before do not work on it' if one.oldest is None else 'only adds'}")
    if not due:
        typer.echo("the schema is up to date")


@app.command()
def url(json: Json = False) -> None:
    """Print the database's address, for psql."""
    address = database_url(load_settings())
    if json:
        render.print_json({"url": address})
    else:
        typer.echo(address)


@app.command()
def stop(json: Json = False) -> None:
    """Stop the embedded server. The next command that needs it starts it again."""
    from sep_trader.store.embedded import stop_embedded

    stopped = stop_embedded(load_settings().home)
    if json:
        render.print_json({"stopped": stopped})
        return
    render.console.print("the embedded server is stopped" if stopped else "no embedded server runs")
