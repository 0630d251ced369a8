"""`sep health`: what the health timer asks every few minutes."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url, questions_of
from sep_trader.ops import units
from sep_trader.ops.health import examine
from sep_trader.settings import load_settings
from sep_trader.store.database import Database

app = typer.Typer()


@app.command()
def health(
    backups: Annotated[
        Path | None, typer.Option("--backups", help="Backups to look at (default SEP_BACKUP_DIR; unset: not asked).")
    ] = None,
    volume: Annotated[
        Path | None, typer.Option("--volume", help="Volume to look at (default SEP_DATA_DIR; unset: not asked).")
    ] = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="Without the minutes of grace after a deployment or a boot.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what is wrong.")] = False,
    json: Json = False,
) -> None:
    """Check all that ought to run, and what the disks, the backups and the broker say; exit code 1 for a fault.

    Exit codes: 0 nothing is wrong; 1 something is, and each line that begins with WRONG says what.
    """
    settings = load_settings(backup_dir=backups, data_dir=volume)
    url = database_url(settings)
    now = datetime.now(UTC)
    hoped = units.expected(now)
    if settled:
        hoped = hoped.settled()
    findings = examine(lambda: Database(url, max_size=1), questions_of(settings), now=now, expected=hoped)
    findings += units.of_machine(now, hoped)
    good = all(f.ok for f in findings)
    if json:
        render.print_json({"ok": good, "findings": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            if not (quiet and finding.ok):
                typer.echo(f"{'ok   ' if finding.ok else 'WRONG'}  {finding.alert}: {finding.detail}")
    raise typer.Exit(0 if good else 1)
