"""`sep token`: who may use the API and the dashboard."""

import getpass
from typing import Annotated

import typer

from sep_trader.api.access import Role, hash_of, new_token
from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.settings import load_settings
from sep_trader.store.database import Connection
from sep_trader.store.queries import Row, queries

app = typer.Typer(no_args_is_help=True, help="Who may use the API and the dashboard.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: letters, digits, . _ -")]


@app.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="read, or operate: halt, close and the like as well.")],
    json: Json = False,
) -> None:
    """Make a token, and show it: this once, since only its hash is kept."""
    with open_database(load_settings()) as database, database.transaction() as connection:
        token = make(connection, name, role)
    if json:
        render.print_json({"name": name, "role": role, "token": token})
        return
    render.errors.print(f"sep: {name} may {role}; the token is shown only now:", markup=False)
    typer.echo(token)


def make(connection: Connection, name: str, role: Role) -> str:
    """Let somebody in, and return the token. Raises InputError for a name that is taken, or is none."""
    if not 1 <= len(name) <= 64 or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name):
        raise InputError(f"'{name[:70]}' is no name", "letters, digits, dots, underscores and dashes, at most 64")
    token = new_token()
    made = queries.execute(
        connection, "create_token", name=name, role=role, hash=hash_of(token), created_by=getpass.getuser()
    )
    if not made:
        raise InputError(f"{name} has a token already", f"sep token revoke {name}, or another name")
    return token


@app.command(name="list")
def list_command(json: Json = False) -> None:
    """Show who may use the API."""
    with open_database(load_settings()) as database, database.transaction() as connection:
        rows = queries.many(connection, "api_tokens", Row)
    shown = [{key: value for key, value in row.items() if key != "hash"} for row in rows]
    if json:
        render.print_json({"tokens": shown})
        return
    cells = ((r["name"], r["role"], r["created_at"], r["created_by"], r["revoked_at"]) for r in shown)
    render.print_table("Tokens", ["Name", "Role", "Made (UTC)", "By", "Revoked (UTC)"], cells, empty="none")


@app.command()
def revoke(name: Name, json: Json = False) -> None:
    """Shut somebody out, within two seconds; browsers that came in with it, too."""
    with open_database(load_settings()) as database, database.transaction() as connection:
        done = queries.execute(connection, "revoke_token", name=name)
    if not done:
        raise InputError(f"{name} has no token that holds", "see: sep token list")
    if json:
        render.print_json({"name": name, "revoked": True})
    else:
        render.console.print(f"{name} is shut out", markup=False)
