"""The `sep` command: options of every command, and errors turned into one line and an exit code."""

import sys
from typing import Annotated

import typer

from sep_trader.cli.lazy import LazyGroup
from sep_trader.errors import SepError, StoreError
from sep_trader.version import __version__

app = typer.Typer(
    name="sep", cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sep-trader {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """SEP Trader: analyse, prove, sign, trade and account for forex, on your own machines."""
    if debug:
        from sep_trader.settings import turn_debug_on

        turn_debug_on()


def main() -> None:
    """Run the command line. Errors a person can act on end as one line on stderr and their own exit code."""
    try:
        app()
    except SepError as error:
        _fail(error)
    except Exception as error:
        refused = _refused_statement(error)
        if refused is None:
            raise
        _fail(refused)


def _refused_statement(error: Exception) -> StoreError | None:
    """The server's refusal of a statement as one line; None for any other error."""
    psycopg = sys.modules.get("psycopg")  # without the driver in memory no statement was sent
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    from sep_trader.store.database import first_line

    return StoreError(
        f"the database refused a statement: {first_line(error)}", "see the server's log; --debug shows where"
    )


def _wants_traceback() -> bool:
    from sep_trader.settings import debug_is_on

    return debug_is_on()


def _fail(error: SepError) -> None:
    if _wants_traceback():
        import traceback

        traceback.print_exc()
    else:
        sys.stderr.write(f"sep: {error}\n")
    sys.exit(error.exit_code)
