"""The signed hand-over between two databases on a real server, and everything that must be refused."""

import hashlib
import json
import subprocess
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sep_trader.errors import InputError
from sep_trader.handover.bundle import Receipt, export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import MANIFEST, SIGNATURE, Bundle, BundleRefused, Refusal, read_bundle
from sep_trader.research import ledger
from sep_trader.store.database import Database

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TABLES = ("research_runs", "models", "trading_pairs", "trading_signals", "bundle_receipts", "market_candles")


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """A key that may sign, one that may not, and the allowed signers."""
    paths = {name: tmp_path / name for name in ("ours", "foreign")}
    for path in paths.values():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    signers = tmp_path / "allowed_signers"
    kind, key = paths["ours"].with_suffix(".pub").read_text().split()[:2]
    signers.write_text(f"trainer {kind} {key}\n")
    return {**paths, "signers": signers}


@pytest.fixture
def source(new_database: Any) -> Iterator[Database]:
    """A training machine with one enabled pair and one signal."""
    with new_database() as database:
        run = uuid.uuid4()
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO research_runs VALUES (%s, 'EUR_USD', 'M1', now(), now(), 10, 'data', 'v', '{}', 1, 1,"
                " 'READY', 'because', '{}')",
                [run],
            )
            connection.execute(
                "INSERT INTO models VALUES ('model-1', 'EUR_USD', 'M1', %s, %s)", [run, '{"stop": 0.10000000000000001}']
            )
            connection.execute(
                "INSERT INTO trading_pairs (pair, enabled, model_id, verdict)"
                " VALUES ('EUR_USD', true, 'model-1', 'READY')"
            )
            connection.execute(
                "INSERT INTO instruments (name, pip_location, display_precision) VALUES ('EUR_USD', -4, 5)"
            )
            connection.execute(
                "INSERT INTO market_candles SELECT '2014-05-01Z'::timestamptz + n * interval '1 minute', 1.1, 1.2, 1.0,"
                " 1.1 + n / 3e5, 0.0001, 7, id, 5 FROM instruments, generate_series(0, 9) n"
            )
        add_signal(database, 1)
        yield database


@pytest.fixture
def target(new_database: Any) -> Iterator[Database]:
    """A trading machine that knows nothing yet."""
    with new_database() as database:
        yield database


def add_signal(database: Database, minute: int, side: int = 1) -> uuid.UUID:
    signal = uuid.uuid5(uuid.NAMESPACE_OID, str(minute))
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
            " stop_distance, horizon, expires_at) VALUES (%s, 'EUR_USD', 'model-1', 'M1', %s, %s, 0.6,"
            " '{\"flip\": 0.123456}', 0.00123, '30 minutes', %s)",
            [signal, NOW + timedelta(minutes=minute), side, NOW + timedelta(minutes=minute + 2)],
        )
    return signal


def contents(database: Database) -> dict[str, list[Any]]:
    with database.transaction() as connection:
        return {
            t: [r["row"] for r in connection.execute(f"SELECT to_jsonb(t) AS row FROM {t} t ORDER BY t::text")]
            for t in TABLES
        }


def exported(source: Database, target: Database, keys: dict[str, Path], folder: Path, **options: Any) -> Path:
    made = export_bundle(source, folder, last_receipt(target), key=options.pop("key", keys["ours"]), now=NOW, **options)
    assert made is not None
    return made


def read(path: Path, keys: dict[str, Path], now: datetime = NOW) -> Bundle:
    return read_bundle(path, keys["signers"], now=now)


def rewrite(path: Path, **changes: bytes | None) -> None:
    """Change members of the zip by name; None leaves one out."""
    names = {"manifest": MANIFEST, "signature": SIGNATURE, "signals": "trading_signals.json", "extra": "candles.json2"}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, content in changes.items():
        if content is None:
            members.pop(names[name])
        else:
            members[names[name]] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(code: Refusal, target: Database, path: Path, keys: dict[str, Path], now: datetime = NOW) -> None:
    """Reading and importing the bundle is refused with the code, and the target is as it was."""
    before = contents(target)
    with pytest.raises(BundleRefused) as caught:
        import_bundle(target, read(path, keys, now))
    assert caught.value.code == code
    assert str(caught.value).startswith(f"bundle refused, {code}: ")
    assert contents(target) == before


def test_everything_arrives_exactly(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    receipt = import_bundle(target, read(exported(source, target, keys, tmp_path, candles=6), keys))
    assert (receipt.sequence, receipt.signals, receipt.models, receipt.pairs, receipt.candles) == (1, 1, 1, 1, 6)
    sent, arrived = contents(source), contents(target)
    for table in ("research_runs", "models", "trading_pairs", "trading_signals"):
        assert arrived[table] == sent[table]
    newest = sorted(sent["market_candles"], key=lambda c: c["time"])[-6:]
    assert sorted(arrived["market_candles"], key=lambda c: c["time"]) == newest


def test_only_what_is_new_is_sent_and_a_lost_bundle_is_made_again(
    source: Database, target: Database, keys: dict[str, Path], tmp_path: Path
) -> None:
    lost = exported(source, target, keys, tmp_path)
    lost.unlink()
    import_bundle(target, read(exported(source, target, keys, tmp_path), keys))
    assert export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW) is None
    second = add_signal(source, 2)
    bundle = read(exported(source, target, keys, tmp_path), keys)
    assert [s["id"] for s in json.loads(bundle.files["trading_signals.json"])] == [str(second)]
    assert import_bundle(target, bundle).sequence == 2
    with source.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = false, updated_at = now() + interval '1 second'")
    assert import_bundle(target, read(exported(source, target, keys, tmp_path), keys)).pairs == 1
    assert contents(target)["trading_pairs"][0]["enabled"] is False


def test_what_was_disabled_at_the_target_later_stays_disabled(
    source: Database, target: Database, keys: dict[str, Path], tmp_path: Path
) -> None:
    import_bundle(target, read(exported(source, target, keys, tmp_path), keys))
    with target.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = false, updated_at = now() + interval '1 hour'")
    add_signal(source, 2)
    assert import_bundle(target, read(exported(source, target, keys, tmp_path), keys)).pairs == 0
    assert contents(target)["trading_pairs"][0]["enabled"] is False


def test_replayed(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    import_bundle(target, read(path, keys))
    refused(Refusal.REPLAYED, target, path, keys)


def test_reordered(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    first = exported(source, target, keys, tmp_path / "first")
    ahead = replace(last_receipt(target), sequence=1)
    later = export_bundle(source, tmp_path, ahead, key=keys["ours"], now=NOW)
    assert later is not None
    refused(Refusal.REORDERED, target, later, keys)
    other = exported(source, target, keys, tmp_path / "other", valid_for=timedelta(hours=2))
    import_bundle(target, read(other, keys))
    refused(Refusal.REORDERED, target, first, keys)


def test_expired_and_from_the_future(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path, valid_for=timedelta(hours=1))
    refused(Refusal.EXPIRED, target, path, keys, NOW + timedelta(hours=1))
    refused(Refusal.NOT_YET_VALID, target, path, keys, NOW - timedelta(minutes=6))
    import_bundle(target, read(path, keys, NOW + timedelta(minutes=59)))


def test_altered_signals(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    with zipfile.ZipFile(path) as archive:
        signals = archive.read("trading_signals.json")
    assert b'"side": 1' in signals
    rewrite(path, signals=signals.replace(b'"side": 1', b'"side": -1'))
    refused(Refusal.ALTERED, target, path, keys)


def test_altered_manifest(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    """Hashes made to fit the altered files do not help: the manifest is what is signed."""
    path = exported(source, target, keys, tmp_path)
    with zipfile.ZipFile(path) as archive:
        signals = archive.read("trading_signals.json").replace(b'"side": 1', b'"side": -1')
        manifest = json.loads(archive.read(MANIFEST))
    manifest["files"]["trading_signals.json"] = hashlib.sha256(signals).hexdigest()
    rewrite(path, signals=signals, manifest=json.dumps(manifest).encode())
    refused(Refusal.ALTERED, target, path, keys)


def test_files_added_or_left_out(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    rewrite(path, extra=b"[]")
    refused(Refusal.ALTERED, target, path, keys)
    rewrite(path, extra=None, signals=None)
    refused(Refusal.ALTERED, target, path, keys)


def test_unsigned(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    rewrite(path, signature=b"not a signature")
    refused(Refusal.UNSIGNED, target, path, keys)
    rewrite(path, signature=None)
    refused(Refusal.UNSIGNED, target, path, keys)


def test_foreign_signature(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    refused(Refusal.FOREIGN_SIGNATURE, target, exported(source, target, keys, tmp_path, key=keys["foreign"]), keys)


def test_signed_for_another_purpose(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    with zipfile.ZipFile(path) as archive:
        manifest = archive.read(MANIFEST)
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(keys["ours"])]
    rewrite(path, signature=subprocess.run(sign, input=manifest, capture_output=True, check=True).stdout)
    refused(Refusal.ALTERED, target, path, keys)


def test_for_another_machine(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = export_bundle(source, tmp_path, Receipt("another"), key=keys["ours"], now=NOW)
    assert path is not None
    refused(Refusal.WRONG_TARGET, target, path, keys)


def test_conflicting_signal(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    import_bundle(target, read(exported(source, target, keys, tmp_path), keys))
    add_signal(source, 2, side=1)
    add_signal(target, 2, side=-1)
    refused(Refusal.CONFLICT, target, exported(source, target, keys, tmp_path), keys)


def test_rows_that_break_a_rule_change_nothing(
    source: Database, target: Database, keys: dict[str, Path], tmp_path: Path
) -> None:
    """The last statement of the import fails: what the earlier ones wrote is gone, too."""
    with target.transaction() as connection:
        connection.execute("ALTER TABLE bundle_receipts ADD CHECK (signals = 0)")
    refused(Refusal.MALFORMED, target, exported(source, target, keys, tmp_path), keys)


def test_cut_off_transfer(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    path = exported(source, target, keys, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(Refusal.MALFORMED, target, path, keys)
    path.write_bytes(whole)
    assert import_bundle(target, read(path, keys)).sequence == 1


def test_what_is_missing_is_named(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle at"):
        read(tmp_path / "nothing.zip", keys)
    with pytest.raises(InputError, match="no signing key"):
        exported(source, target, keys, tmp_path, key=tmp_path / "nothing")
    path = exported(source, target, keys, tmp_path)
    with pytest.raises(InputError, match="no allowed signers"):
        read_bundle(path, tmp_path / "nothing", now=NOW)


def tried(database: Database, times: int) -> None:
    with database.transaction() as connection:
        for number in range(times):
            ledger.add(connection, ledger.Kind.BEGUN, uuid.uuid4(), "EUR_USD", "-", {"trials": number})


def test_the_ledger_of_research_only_grows_at_the_receiver(
    source: Database, target: Database, keys: dict[str, Path], tmp_path: Path
) -> None:
    for number in (1, 2):
        tried(source, number)
        import_bundle(target, read(exported(source, target, keys, tmp_path), keys))
        add_signal(source, 5 + number)
    assert [one["ledger_number"] for one in contents(target)["bundle_receipts"]] == [1, 3]


@pytest.mark.parametrize(("again", "code"), [(1, Refusal.LEDGER_SHORTER), (4, Refusal.LEDGER_FORKED)])
def test_a_ledger_that_was_shortened_or_made_anew_is_refused(
    source: Database, target: Database, keys: dict[str, Path], tmp_path: Path, again: int, code: Refusal
) -> None:
    tried(source, 3)
    import_bundle(target, read(exported(source, target, keys, tmp_path), keys))
    with source.transaction() as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("DELETE FROM research_ledger")
    tried(source, again)
    add_signal(source, 5)
    refused(code, target, exported(source, target, keys, tmp_path), keys)
