"""The `sep` command: registers the groups and turns errors into one line and an exit code."""

import os
import sys
import traceback

import psycopg
import typer

from sep_trader.cli import (
    api,
    backup,
    data,
    database,
    demo,
    exchange,
    health,
    maintenance,
    qfh,
    signals,
    storage,
    trade,
    train,
)
from sep_trader.errors import SepError, StoreError
from sep_trader.settings import load_settings
from sep_trader.store.database import first_line

app = typer.Typer(name="sep", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
app.add_typer(train.app)
app.add_typer(api.app)
app.add_typer(demo.app)
app.add_typer(trade.app, name="trade")
app.add_typer(exchange.app, name="exchange")
app.add_typer(data.app, name="data")
app.add_typer(storage.app, name="storage")
app.add_typer(maintenance.app)
app.add_typer(qfh.app, name="qfh")
app.add_typer(database.app, name="db")
app.add_typer(signals.app, name="signals")
app.add_typer(backup.app, name="backup")
app.add_typer(health.app)


@app.callback()
def root(debug: bool = typer.Option(False, "--debug", help="Show tracebacks.")) -> None:
    """SEP Trader: analyse, prove, sign, trade and account for forex, on your own machines."""
    if debug:
        os.environ["SEP_DEBUG"] = "1"  # also for the processes that a command starts


def main() -> None:
    """Run the command line. Errors a person can act on end as one line on stderr and their own exit code."""
    try:
        app()
    except SepError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(
            StoreError(
                f"the database refused a statement: {first_line(error)}", "see the server's log; --debug shows where"
            )
        )


def _wants_traceback() -> bool:
    try:
        return load_settings().debug
    except SepError:  # settings that cannot be read: they are what the error is about
        return "SEP_DEBUG" in os.environ


def _fail(error: SepError) -> None:
    if _wants_traceback():
        traceback.print_exc()
    else:
        sys.stderr.write(f"sep: {error}\n")
    sys.exit(error.exit_code)
