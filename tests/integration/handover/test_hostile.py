"""Hostile bundles, of somebody with the key or without: each is refused in one line with its code, and changes nothing.

The table below is the list."""

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.support.hostile import CANDLE, MODEL, PAIR, ROWS, RUN, SIGNAL, Files

from sep_trader.errors import StoreError
from sep_trader.handover.bundle import export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import MANIFEST, SIGNATURE, BundleRefused, Manifest, Refusal, read_bundle, write_bundle
from sep_trader.store.database import Database
from sep_trader.store.locks import Lock

from .test_hand_over import NOW, contents, keys, source, target

__all__ = ["keys", "source", "target"]


@pytest.fixture
def good(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> Iterator[Path]:
    """A bundle as it should be, with every kind of row."""
    made = export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW, candles=3)
    assert made is not None
    yield made


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def resigned(path: Path, key: Path, files: Files) -> None:
    """The same bundle with other rows, signed by the right key."""
    import hashlib

    texts = {name: json.dumps(rows) for name, rows in files.items()}
    manifest = Manifest.from_json(members(path)[MANIFEST])
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    write_bundle(path, replace(manifest, files=hashes), texts, key)


def refused(path: Path, keys: dict[str, Path], target: Database) -> Refusal:
    before = contents(target)
    with pytest.raises(BundleRefused) as caught:
        import_bundle(target, read_bundle(path, keys["signers"], now=NOW))
    assert contents(target) == before
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return caught.value.code


def test_the_bundle_that_they_are_made_of_is_good(good: Path, keys: dict[str, Path], target: Database) -> None:
    files = {name: json.loads(text) for name, text in members(good).items() if name not in (MANIFEST, SIGNATURE)}
    assert all(files[name] for name in (SIGNAL, PAIR, MODEL, RUN, CANDLE))
    resigned(good, keys["ours"], files)
    assert import_bundle(target, read_bundle(good, keys["signers"], now=NOW)).signals == 1


def test_a_signed_row_that_cannot_be(good: Path, keys: dict[str, Path], target: Database) -> None:
    """One after the other on one database: nothing of them stays."""
    import hashlib

    whole = {name: text.decode() for name, text in members(good).items() if name not in (MANIFEST, SIGNATURE)}
    for name, change in ROWS.items():
        files = {member: json.loads(text) for member, text in whole.items()}
        if name == "signals deep":
            text = whole | {SIGNAL: "[" * 100_000 + "]" * 100_000}
            hashes = {member: hashlib.sha256(one.encode()).hexdigest() for member, one in text.items()}
            manifest = Manifest.from_json(members(good)[MANIFEST])
            write_bundle(good, replace(manifest, files=hashes), text, keys["ours"])
        else:
            change(files)
            resigned(good, keys["ours"], files)
        assert refused(good, keys, target) is Refusal.MALFORMED, name


def bomb(path: Path, declared: int | None, mebibytes: int) -> None:
    """An unsigned zip whose manifest is huge when unpacked; its directory may say otherwise."""
    raw = io.BytesIO()
    with (
        zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(MANIFEST, "w", force_zip64=False) as member,
    ):
        for _ in range(mebibytes):
            member.write(b"\0" * 2**20)
    content = raw.getvalue()
    if declared is not None:
        # The directory's entry: the length after unpacking stands 24 bytes after its beginning.
        at = content.rindex(b"PK\x01\x02")
        content = content[: at + 24] + struct.pack("<I", declared) + content[at + 28 :]
    path.write_bytes(content)


@pytest.mark.parametrize("declared", [None, 10])
def test_a_bomb_is_not_unpacked(declared: int | None, tmp_path: Path, keys: dict[str, Path]) -> None:
    """In a process of its own, with its peak of memory."""
    path = tmp_path / "bomb.zip"
    bomb(path, declared, 600)
    code = """
import re, sys
from datetime import UTC, datetime
from pathlib import Path
from sep_trader.handover.format import BundleRefused, read_bundle
try:
    read_bundle(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC))
except BundleRefused as error:
    peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
    print(error.code, int(peak[1]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, path, keys["signers"]], capture_output=True, text=True, check=True
    )
    word, peak = done.stdout.split()
    print(f"a bomb of 600 MiB in {path.stat().st_size:,} bytes: {word}, peak {peak} MB")
    assert (word, int(peak) < 200) == ("MALFORMED", True)


def scrambled(path: Path, where: int) -> None:
    content = bytearray(path.read_bytes())
    for at in range(where, where + 3):
        content[at % len(content)] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("where", range(20, 1_500, 111))
def test_bytes_flipped_anywhere(where: int, good: Path, keys: dict[str, Path]) -> None:
    """Refused; or it was a byte that says nothing, such as the zip's time, and what arrives is what was signed."""
    signed = members(good)
    scrambled(good, where)
    try:
        bundle = read_bundle(good, keys["signers"], now=NOW)
    except BundleRefused:
        return
    assert {name: text.encode() for name, text in bundle.files.items()}.items() <= signed.items()


@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_LZMA, "lzma"), (zipfile.ZIP_BZIP2, "bzip2")], ids=["lzma", "bzip2"]
)
def test_packed_in_another_way(method: int, name: str, good: Path, keys: dict[str, Path], target: Database) -> None:
    found = members(good)
    with zipfile.ZipFile(good, "w", method) as archive:
        for member, content in found.items():
            archive.writestr(member, content)
    assert refused(good, keys, target) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{}", b"[]", b"7", b"null", b"\xff\xfe", b'{"files": 7}', b'{"format": 1, "files": {"a": 1}}',
     b"[" * 50_000 + b"]" * 50_000, b'{"format": NaN, "files": {}}'],
    ids=["empty", "no fields", "a list", "a number", "null", "no UTF-8", "files 7", "hash 1", "deep", "NaN"],
)  # fmt: skip
def test_a_signed_manifest_that_is_none(
    manifest: bytes, good: Path, keys: dict[str, Path], target: Database, tmp_path: Path
) -> None:
    signed = tmp_path / "m"
    signed.write_bytes(manifest)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", keys["ours"], "-n", "sep-trader-bundle", signed]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    found = members(good) | {MANIFEST: manifest, SIGNATURE: (tmp_path / "m.sig").read_bytes()}
    with zipfile.ZipFile(good, "w") as archive:
        for member, content in found.items():
            archive.writestr(member, content)
    assert refused(good, keys, target) is Refusal.MALFORMED


def test_the_same_signal_with_another_content_is_a_conflict(
    source: Database, target: Database, good: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    import_bundle(target, read_bundle(good, keys["signers"], now=NOW))
    for change in ("horizon = '1 hour'", "confidence = 0.7", "target_distance = 0.5", "side = -side"):
        with target.transaction() as connection:
            connection.execute(f"UPDATE trading_signals SET {change}")
        with source.transaction() as connection:
            connection.execute("UPDATE bundle_exports SET acknowledged_at = NULL, signal_ids = '{}'")
            connection.execute("UPDATE trading_pairs SET updated_at = now()")
        again = export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW)
        assert again is not None
        assert refused(again, keys, target) is Refusal.CONFLICT, change


def test_the_suite_is_as_long_as_it_should_be() -> None:
    assert len(ROWS) >= 60


def test_a_person_who_disables_here_is_not_overruled(
    source: Database, target: Database, good: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    """The droplet's own word is a latch: neither a retrain nor a clock at home lifts it."""
    from sep_trader.research import rights

    import_bundle(target, read_bundle(good, keys["signers"], now=NOW))
    with target.transaction() as connection:
        rights.disable(connection, "EUR_USD", user="me", by="me", why="3 a.m.")
    with source.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET updated_at = now(), judged_at = now()")
    again = export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW)
    assert again is not None
    import_bundle(target, read_bundle(again, keys["signers"], now=NOW))
    enabled = "SELECT enabled FROM trading_pairs"
    with target.transaction() as connection:
        assert connection.execute(enabled).fetchone() == {"enabled": False}
        rights.enable(connection, "EUR_USD", live=False, user="me")
        assert connection.execute(enabled).fetchone() == {"enabled": True}


def test_a_receiver_that_was_restored_gets_what_it_lacks(
    source: Database, target: Database, good: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    """What it acknowledged after the moment to which it was brought back is sent again; the disabling first of all."""
    from sep_trader.research import rights

    import_bundle(target, read_bundle(good, keys["signers"], now=NOW))
    then = last_receipt(target)
    with source.transaction() as connection:
        rights.disable(connection, "EUR_USD", user="me", by="me", why="no longer")
    second = export_bundle(source, tmp_path, then, key=keys["ours"], now=NOW + timedelta(minutes=1))
    assert second is not None
    import_bundle(target, read_bundle(second, keys["signers"], now=NOW))
    assert export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW) is None
    # Point-in-time restore of the receiver: the second bundle never came.
    with target.transaction() as connection:
        connection.execute("ALTER TABLE bundle_receipts DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM bundle_receipts WHERE sequence = 2")
        connection.execute("UPDATE trading_pairs SET enabled = true, latched_at = NULL, updated_at = '2026-01-01Z'")
    again = export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW + timedelta(minutes=2))
    assert again is not None
    import_bundle(target, read_bundle(again, keys["signers"], now=NOW))
    with target.transaction() as connection:
        assert connection.execute("SELECT enabled FROM trading_pairs").fetchone() == {"enabled": False}


def test_an_import_that_waits_for_another_says_so(good: Path, keys: dict[str, Path], target: Database) -> None:
    before = contents(target)
    with target.session() as other:
        other.execute("SELECT pg_advisory_lock(%s)", (Lock.BUNDLES,))
        # As the role of the import has it.
        name = conninfo_to_dict(target.url)["dbname"]
        other.execute(f"ALTER DATABASE {name} SET lock_timeout = 200".encode())
        with Database(target.url, max_size=1) as impatient, pytest.raises(StoreError, match="another import") as caught:
            import_bundle(impatient, read_bundle(good, keys["signers"], now=NOW))
    assert caught.value.hint == "try again"
    assert contents(target) == before
    assert import_bundle(target, read_bundle(good, keys["signers"], now=NOW)).signals == 1


def test_an_import_past_its_memory_is_refused_in_one_line(
    good: Path, keys: dict[str, Path], target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A droplet gives it half a gigabyte (tests/unit/scripts/test_handover.py); here it fails at once."""
    from sep_trader.cli import signals

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(signals, "import_bundle", exhausted)
    monkeypatch.setenv("SEP_DATABASE_URL", target.url)
    monkeypatch.setattr(signals, "read_bundle", lambda *_, **__: None)
    with pytest.raises(BundleRefused, match="MALFORMED: it needs more memory"):
        signals.import_command(good, keys["signers"])
