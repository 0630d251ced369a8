"""The hand-over between the two machines: export what is new as one signed bundle, import it in one transaction."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from sep_trader.errors import InputError, StoreError
from sep_trader.handover.format import FORMAT, Bundle, BundleRefused, Manifest, Refusal, write_bundle
from sep_trader.handover.rows import checked
from sep_trader.store.database import Connection, Database
from sep_trader.store.locks import Lock
from sep_trader.store.queries import queries
from sep_trader.version import __version__


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver accepted last. `sequence` 0 means nothing yet; the counts are those of that bundle."""

    target: str
    sequence: int = 0
    manifest_sha256: str = ""
    signals: int = 0
    models: int = 0
    pairs: int = 0
    candles: int = 0


_NO_LEDGER = "0" * 64


@dataclass(frozen=True, slots=True)
class _Head:
    """The newest row of the sender's ledger of research."""

    number: int
    hash: str


def last_receipt(database: Database) -> Receipt:
    """The receipt of the newest bundle accepted here, with this database's identity."""
    with database.transaction() as connection:
        return _last_receipt(connection)


def export_bundle(
    database: Database,
    folder: Path,
    receipt: Receipt,
    *,
    key: Path,
    now: datetime,
    valid_for: timedelta = timedelta(hours=24),
    candles: int = 0,
) -> Path | None:
    """Write the bundle that follows the receiver's receipt into `folder`; None when the receiver has everything.

    Signals that no acknowledged bundle carried, all pairs, their models and the runs behind them, and optionally the
    newest `candles` of each enabled pair. Raises InputError when the key cannot sign.
    """
    with database.transaction() as connection:
        queries.execute(
            connection,
            "acknowledge_bundle",
            target=receipt.target,
            sequence=receipt.sequence,
            manifest_sha256=receipt.manifest_sha256,
        )
        # What the receiver has is what its receipt says: a restored one lacks what came after.
        files = _contents(connection, receipt, candles)
        state = _sha256("".join(files[name] for name in ("trading_pairs.json", "models.json")))
        signals = json.loads(files["trading_signals.json"])
        if not signals and state == queries.optional(
            connection, "last_export_state", str, target=receipt.target, sequence=receipt.sequence
        ):
            return None
        manifest = Manifest(
            format=FORMAT,
            target=receipt.target,
            sequence=receipt.sequence + 1,
            follows=receipt.sequence,
            created_at=now,
            expires_at=now + valid_for,
            code_version=__version__,
            models=_data_hashes(files),
            files={name: _sha256(text) for name, text in files.items()},
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"bundle_{manifest.sequence:06d}.zip"
        write_bundle(path, manifest, files, key)
        queries.execute(
            connection,
            "insert_bundle_export",
            target=receipt.target,
            sequence=manifest.sequence,
            manifest_sha256=hashlib.sha256(manifest.to_json()).hexdigest(),
            state_sha256=state,
            created_at=now,
            expires_at=manifest.expires_at,
            signal_ids=[uuid.UUID(s["id"]) for s in signals],
        )
    return path


def import_bundle(database: Database, bundle: Bundle) -> Receipt:
    """Import a verified bundle in one transaction and return its receipt.

    Raises BundleRefused (WRONG_TARGET, REPLAYED, REORDERED, CONFLICT, LEDGER_SHORTER, LEDGER_FORKED, MALFORMED);
    nothing is changed then.
    """
    manifest, files = bundle.manifest, bundle.files
    ledger = _checked(bundle)["research_ledger.json"]
    try:
        with database.transaction() as connection:
            _wait_for_others(connection)
            check_order(connection, bundle)
            head = _check_ledger(connection, ledger)
            conflicts = queries.value(
                connection, "bundle_conflicts", int, signals=files["trading_signals.json"], models=files["models.json"]
            )
            if conflicts:
                raise BundleRefused(
                    Refusal.CONFLICT, f"{conflicts} of its signals or models exist here with another content"
                )
            queries.execute(connection, "import_runs", rows=files["research_runs.json"])
            models = queries.execute(connection, "import_models", rows=files["models.json"])
            pairs = queries.execute(connection, "import_pairs", rows=files["trading_pairs.json"])
            signals = queries.execute(connection, "import_signals", rows=files["trading_signals.json"])
            queries.execute(connection, "import_bundle_instruments", rows=files["candles.json"])
            candles = queries.value(connection, "import_bundle_candles", int, rows=files["candles.json"])
            queries.execute(
                connection,
                "insert_receipt",
                sequence=manifest.sequence,
                manifest_sha256=bundle.manifest_sha256,
                signer=bundle.signer,
                created_at=manifest.created_at,
                expires_at=manifest.expires_at,
                signals=signals,
                models=models,
                pairs=pairs,
                candles=candles,
                ledger_number=head.number,
                ledger_hash=head.hash,
            )
            return _last_receipt(connection)
    except psycopg.errors.LockNotAvailable:
        raise StoreError(
            "another import runs on this database", "it goes on by itself: try again in a minute"
        ) from None
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.ProgramLimitExceeded, KeyError, ValueError,
            TypeError) as error:  # fmt: skip
        first = str(error).splitlines()[0]
        raise BundleRefused(Refusal.MALFORMED, f"its rows do not fit this database: {first}") from None


def _checked(bundle: Bundle) -> dict[str, list[Any]]:
    """The rows of a bundle. Raises BundleRefused for one that cannot be, or a verdict that is not its run's."""
    now = max(bundle.manifest.created_at, datetime.now(UTC))
    try:
        rows = {name: checked(name, text, now) for name, text in bundle.files.items()}
    except InputError as error:
        raise BundleRefused(Refusal.MALFORMED, error.message) from None
    runs = {run["id"]: run["verdict"] for run in rows["research_runs.json"]}
    models = {model["id"]: runs.get(model["run_id"]) for model in rows["models.json"]}
    for pair in rows["trading_pairs.json"]:
        told = models.get(pair.get("model_id"))
        if pair.get("verdict") == "READY" and told not in (None, "READY"):
            raise BundleRefused(Refusal.MALFORMED, f"{pair['pair']} is READY, and the run behind its model says {told}")
    return rows


def check_order(connection: Connection, bundle: Bundle) -> None:
    """Raise BundleRefused unless the bundle is for this database and follows the last one accepted here."""
    manifest, last = bundle.manifest, _last_receipt(connection)
    if manifest.target != last.target:
        raise BundleRefused(Refusal.WRONG_TARGET, f"it is for database {manifest.target}, this is {last.target}")
    if queries.optional(connection, "receipt_of", int, manifest_sha256=bundle.manifest_sha256) is not None:
        raise BundleRefused(Refusal.REPLAYED, f"number {manifest.sequence} was accepted already", "nothing to do")
    if manifest.follows != last.sequence or manifest.sequence != last.sequence + 1:
        raise BundleRefused(
            Refusal.REORDERED,
            f"number {manifest.sequence} follows {manifest.follows}, the last accepted here is {last.sequence}",
            "export again with this machine's receipt",
        )


def _check_ledger(connection: Connection, chain: list[list[Any]]) -> _Head:
    """The head of the sender's ledger. Raises BundleRefused unless it holds what the last bundle brought."""
    known = queries.one(connection, "ledger_received", _Head) or _Head(0, "")
    hashes = {int(number): str(digest) for number, digest in chain}
    newest = max(hashes, default=0)
    if newest < known.number:
        text = f"its ledger of research has {newest} rows, it had {known.number}"
        raise BundleRefused(Refusal.LEDGER_SHORTER, text, "on the training machine: sep research ledger verify")
    if known.number and hashes.get(known.number) != known.hash:
        text = f"row {known.number} of its ledger of research is not what it was"
        raise BundleRefused(Refusal.LEDGER_FORKED, text, "on the training machine: sep research ledger verify")
    return _Head(newest, hashes.get(newest, _NO_LEDGER))


def _contents(connection: Connection, receipt: Receipt, candles: int) -> dict[str, str]:
    signals = queries.value(connection, "bundle_new_signals", str, target=receipt.target, sequence=receipt.sequence)
    models = queries.value(connection, "bundle_models", str, signals=signals)
    return {
        "trading_signals.json": signals,
        "models.json": models,
        "research_runs.json": queries.value(connection, "bundle_runs", str, models=models),
        "trading_pairs.json": queries.value(connection, "bundle_pairs", str),
        "candles.json": queries.value(connection, "bundle_candles", str, limit=candles),
        "research_ledger.json": queries.value(connection, "bundle_ledger", str),
    }


def _data_hashes(files: dict[str, str]) -> dict[str, str]:
    runs: dict[str, Any] = {run["id"]: run["data_hash"] for run in json.loads(files["research_runs.json"])}
    return {model["id"]: runs[model["run_id"]] for model in json.loads(files["models.json"])}


def _wait_for_others(connection: Connection) -> None:
    """One bundle is imported at a time; whoever waited too long is told for whom."""
    try:
        queries.lock(connection, "lock_transaction", key=Lock.BUNDLES)
    except psycopg.errors.LockNotAvailable:
        raise StoreError(
            "another import runs on this database, and did not end while this one waited", "try again"
        ) from None


def _last_receipt(connection: Connection) -> Receipt:
    target = queries.value(connection, "bundle_target", str)
    return queries.one(connection, "last_receipt", Receipt, target=target) or Receipt(target)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
