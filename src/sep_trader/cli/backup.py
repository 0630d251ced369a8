"""`sep backup`: dumps with manifests, restore tests, restores."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url
from sep_trader.errors import InputError, StoreError
from sep_trader.ops import backup as dumps
from sep_trader.ops.restore import restore_cluster, restore_dump, verify_backup
from sep_trader.settings import load_settings
from sep_trader.store.database import Database

app = typer.Typer(no_args_is_help=True, help="Back up, prove the backups, restore.")

Folder = Annotated[Path | None, typer.Option("--dir", help="Where backups lie (default SEP_BACKUP_DIR).")]
Name = Annotated[str | None, typer.Argument(help="File name; the newest by default.")]


@app.command()
def create(
    folder: Folder = None,
    budget_gb: Annotated[
        float | None, typer.Option("--budget-gb", help="What all backups may take (default SEP_BACKUP_BUDGET_GB).")
    ] = None,
    copy_to: Annotated[
        str | None, typer.Option("--copy-to", help="rsync target of a second place (default SEP_BACKUP_COPY_TO).")
    ] = None,
    age_recipient: Annotated[
        str | None,
        typer.Option("--age-recipient", help="Encrypt what is sent for this key (default SEP_BACKUP_AGE_RECIPIENT)."),
    ] = None,
    json: Json = False,
) -> None:
    """Dump the database with a manifest, then delete what is beyond 14 days, 8 weeks and the budget."""
    settings = load_settings(
        backup_dir=folder,
        backup_budget_gb=budget_gb,
        backup_copy_to=copy_to,
        backup_age_recipient=age_recipient,
    )
    with Database(database_url(settings), max_size=1) as database:
        made = dumps.create_backup(database, settings.backup_folder, now=datetime.now(UTC))
    kept = dumps.list_backups(settings.backup_folder)
    for old in dumps.to_prune(kept, budget=int(settings.backup_budget_gb * 2**30)):
        dumps.delete_backup(old)
    if settings.backup_copy_to:
        dumps.send_off_site(made, settings.backup_copy_to, settings.backup_age_recipient)
    if json:
        render.print_json(_row(made))
    else:
        rows = sum(count.rows for count in made.census.values())
        typer.echo(f"{made.path}: {made.bytes / 1e6:.1f} MB, {len(made.census)} tables, {rows} rows")


@app.command()
def verify(
    name: Name = None,
    folder: Folder = None,
    scratch: Annotated[
        Path | None,
        typer.Option("--scratch", help="Where the scratch cluster may lie (default SEP_BACKUP_SCRATCH)."),
    ] = None,
    json: Json = False,
) -> None:
    """Restore a backup into a scratch cluster and compare counts, hashes and open trades with its manifest."""
    settings = load_settings(backup_dir=folder, backup_scratch=scratch)
    backup = dumps.find_backup(settings.backup_folder, name)
    start = time.monotonic()
    fault = verify_backup(backup, settings.backup_scratch)
    seconds = time.monotonic() - start
    dumps.record_verification(backup, at=datetime.now(UTC), seconds=seconds, fault=fault)
    if json:
        render.print_json({"name": backup.name, "ok": fault is None, "fault": fault, "seconds": round(seconds, 1)})
    if fault is not None:
        raise StoreError(
            f"{backup.name} does not restore to what was dumped: {fault}", "docs/runbook.md, backup_verified"
        )
    if not json:
        typer.echo(f"{backup.name} restores to what was dumped ({seconds:.1f} s)")


@app.command(name="list")
def list_command(folder: Folder = None, json: Json = False) -> None:
    """Show the backups, newest first."""
    rows = [_row(b) for b in dumps.list_backups(load_settings(backup_dir=folder).backup_folder)]
    if json:
        render.print_json(rows)
        return
    columns = ["Backup", "Created (UTC)", "MB>", "Schema>", "TimescaleDB", "Restore tested (UTC)", "Found"]
    shown = (
        [r["name"], r["created_at"], f"{r['bytes'] / 1e6:.1f}", r["schema_version"], r["timescaledb"], r["verified_at"],
         r["fault"] or ("equal" if r["verified_at"] else None)]
        for r in rows
    )  # fmt: skip
    render.print_table("Backups", columns, shown, empty="none; sep backup create makes one")


@app.command()
def restore(
    name: Name = None,
    at: Annotated[
        datetime | None,
        typer.Option("--at", formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"], help="Point in time, UTC (droplet)."),
    ] = None,
    into: Annotated[
        str, typer.Option("--into", help="Name of the new database a dump is restored as.")
    ] = "sep_restored",
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Restore a dump as a new database, or with --at the whole cluster to a point in time (as root, on the droplet)."""
    if at is not None:
        if name is not None:
            raise InputError("a dump has its own point in time", "give a file name or --at, not both")
        target = restore_cluster(at.replace(tzinfo=UTC))
        if json:
            render.print_json({"restored_to": target, "database": None, "rows": None})
            return
        typer.echo(f"restored to {target}; trading is HALTED until: sep trade state active --by NAME --reason TEXT")
        return
    settings = load_settings(backup_dir=folder)
    backup = dumps.find_backup(settings.backup_folder, name)
    if fault := dumps.check_file(backup):
        raise StoreError(f"{backup.name}: {fault}", "take another: sep backup list")
    census = restore_dump(backup, database_url(settings), into)
    rows = sum(c.rows for c in census.values())
    if json:
        render.print_json({"restored_to": None, "database": into, "rows": rows})
        return
    typer.echo(f"{backup.name} is restored as database {into}: {rows} rows")


def _row(backup: dumps.Backup) -> dict[str, Any]:
    return {
        "name": backup.name,
        "created_at": backup.created_at,
        "bytes": backup.bytes,
        "sha256": backup.sha256,
        "schema_version": backup.server.schema_version,
        "timescaledb": backup.server.timescaledb,
        "verified_at": backup.verified_at,
        "fault": backup.fault,
    }
