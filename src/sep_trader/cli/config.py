"""`sep config show`: every setting, its value, and where it comes from. Secrets are never shown."""

from typing import Annotated

import typer
from pydantic import SecretStr

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.settings import Settings, load_settings, source_of

app = typer.Typer(no_args_is_help=True, help="Settings.")


@app.callback()
def main() -> None:
    """Keep `show` a command of its own."""


@app.command()
def show(
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are set somewhere.")] = False,
    json: Json = False,
) -> None:
    """Show every setting with its value and its source."""
    rows = [one for one in shown_settings(load_settings()) if not changed or one["source"] != "default"]
    if json:
        render.print_json(rows)
        return
    render.print_table(
        "Settings", ["Setting", "Meaning", "Source"], ((r["setting"], r["value"], r["source"]) for r in rows)
    )


def shown_settings(settings: Settings) -> list[dict[str, str | None]]:
    """Every setting: its name, its value in words, and where it comes from. A secret is not shown."""
    rows: list[dict[str, str | None]] = []
    for name, field in Settings.model_fields.items():
        alias, value = str(field.alias), getattr(settings, name)
        told = "set, not shown" if isinstance(value, SecretStr) else value
        rows.append({"setting": alias, "value": None if told is None else str(told), "source": source_of(alias)})
    return rows
