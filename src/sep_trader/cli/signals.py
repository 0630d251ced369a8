"""`sep signals`: the signed hand-over of signals, models and pairs to the machine that trades."""

import json as jsonlib
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.handover.bundle import Receipt, export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import BundleRefused, Refusal, read_bundle
from sep_trader.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Hand signals over to the trading machine, signed.")

Signers = Annotated[
    Path | None,
    typer.Option("--allowed-signers", help="Who may sign, in ssh's form (default SEP_ALLOWED_SIGNERS)."),
]


@app.command(name="export")
def export_command(
    receipt: Annotated[
        str, typer.Option("--receipt", help="The receiver's receipt (sep signals receipt --json), or - for stdin.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the bundle.")] = Path(),
    key: Annotated[
        Path | None, typer.Option("--key", help="The ssh private key that signs (default SEP_BUNDLE_KEY).")
    ] = None,
    valid_hours: Annotated[float, typer.Option("--valid-hours", min=0.01, help="It is refused after this.")] = 24.0,
    candles: Annotated[int, typer.Option("--candles", min=0, help="Newest candles of each enabled pair, too.")] = 0,
    json: Json = False,
) -> None:
    """Write the next signed bundle for a receiver, and print its path; print nothing when it has everything."""
    settings = load_settings(bundle_key=key)
    with open_database(settings) as database:
        path = export_bundle(
            database,
            out,
            _read_receipt(receipt),
            key=settings.bundle_key,
            now=datetime.now(UTC),
            valid_for=timedelta(hours=valid_hours),
            candles=candles,
        )
    if json:
        render.print_json({"bundle": None if path is None else str(path)})
    elif path is not None:
        typer.echo(path)


@app.command()
def verify(bundle: Path, allowed_signers: Signers = None, json: Json = False) -> None:
    """Check a bundle's signature, hashes and times. Needs no database; order is checked by the import."""
    settings = load_settings(allowed_signers=allowed_signers)
    checked = read_bundle(bundle, settings.allowed_signers, now=datetime.now(UTC))
    manifest = checked.manifest
    if json:
        render.print_json({**asdict(manifest), "signer": checked.signer, "manifest_sha256": checked.manifest_sha256})
        return
    counts = ", ".join(
        f"{len(jsonlib.loads(text))} {name.removesuffix('.json')}" for name, text in checked.files.items()
    )
    typer.echo(
        f"bundle {manifest.sequence} for {manifest.target}, signed by {checked.signer}, valid until "
        f"{manifest.expires_at:%Y-%m-%d %H:%M} UTC: {counts}"
    )


@app.command(name="import")
def import_command(bundle: Path, allowed_signers: Signers = None, json: Json = False) -> None:
    """Verify a bundle and import it in one transaction; print the receipt."""
    settings = load_settings(allowed_signers=allowed_signers)
    try:
        checked = read_bundle(bundle, settings.allowed_signers, now=datetime.now(UTC))
        with open_database(settings) as database:
            _print_receipt(import_bundle(database, checked), json)
    except MemoryError:
        # A droplet gives an import half a gigabyte (docs/security.md); the transaction is undone.
        raise BundleRefused(Refusal.MALFORMED, "it needs more memory than an import may take here") from None


@app.command()
def receipt(json: Json = False) -> None:
    """Show the receipt of the newest bundle accepted here: what the next one must follow."""
    with open_database(load_settings()) as database:
        _print_receipt(last_receipt(database), json)


def _print_receipt(receipt: Receipt, json: bool) -> None:
    if json:
        render.print_json(asdict(receipt))
    elif receipt.sequence == 0:
        typer.echo("no bundle was accepted here yet")
    else:
        typer.echo(
            f"bundle {receipt.sequence} accepted: {receipt.signals} new signals, {receipt.models} models, "
            f"{receipt.pairs} pairs changed, {receipt.candles} candles"
        )


def _read_receipt(source: str) -> Receipt:
    try:
        return Receipt(**jsonlib.loads(sys.stdin.read() if source == "-" else Path(source).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{source} is no receipt: {error}", "sep signals receipt --json, run at the receiver"
        ) from None
