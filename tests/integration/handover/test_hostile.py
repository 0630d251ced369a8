"""Hostile bundles, of somebody with the key or without: each is refused in one line with its code, and changes nothing.

The table below is the list."""

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sep_trader.handover.bundle import export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import MANIFEST, SIGNATURE, BundleRefused, Manifest, Refusal, read_bundle, write_bundle
from sep_trader.store.database import Database

from .test_hand_over import NOW, contents, keys, source, target

__all__ = ["keys", "source", "target"]
Files = dict[str, Any]
SIGNAL, PAIR, MODEL, RUN = "trading_signals.json", "trading_pairs.json", "models.json", "research_runs.json"
CANDLE, LEDGER = "candles.json", "research_ledger.json"


def put(file: str, **values: Any) -> Callable[[Files], None]:
    """Change fields of the first row of a file."""

    def change(files: Files) -> None:
        files[file][0] |= values

    return change


def whole(file: str, content: Any) -> Callable[[Files], None]:
    """Put something else in place of a file's rows."""

    def change(files: Files) -> None:
        files[file] = content

    return change


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


NAN, INF = float("nan"), float("inf")
ROWS: dict[str, Callable[[Files], None]] = {
    "stop NaN": put(SIGNAL, stop_distance=NAN),
    "stop NaN as text": put(SIGNAL, stop_distance="NaN"),
    "stop infinite": put(SIGNAL, stop_distance=INF),
    "stop infinite as text": put(SIGNAL, stop_distance="Infinity"),
    "stop 1e400": put(SIGNAL, stop_distance="1e400"),
    "stop zero": put(SIGNAL, stop_distance=0),
    "stop negative": put(SIGNAL, stop_distance=-0.001),
    "stop true": put(SIGNAL, stop_distance=True),
    "stop missing": put(SIGNAL, stop_distance=None),
    "stop a list": put(SIGNAL, stop_distance=[1]),
    "target NaN": put(SIGNAL, target_distance=NAN),
    "target negative": put(SIGNAL, target_distance=-1),
    "confidence NaN": put(SIGNAL, confidence=NAN),
    "confidence 2": put(SIGNAL, confidence=2),
    "side 0": put(SIGNAL, side=0),
    "side 2": put(SIGNAL, side=2),
    "side true": put(SIGNAL, side=True),
    "kind unknown": put(SIGNAL, kind="FLATTEN"),
    "pair with a script": put(SIGNAL, pair="<img src=x onerror=alert(1)>"),
    "pair lower case": put(SIGNAL, pair="eur_usd"),
    "pair a megabyte": put(SIGNAL, pair="E" * 1_000_000),
    "pair with a NUL": put(SIGNAL, pair="EUR_US\0"),
    "granularity unknown": put(SIGNAL, granularity="M7"),
    "id no UUID": put(SIGNAL, id="1; DROP TABLE models"),
    "horizon zero": put(SIGNAL, horizon="00:00:00"),
    "horizon negative": put(SIGNAL, horizon="-01:00:00"),
    "horizon of ages": put(SIGNAL, horizon="100000000 years"),
    "horizon of 61 days": put(SIGNAL, horizon="61 days"),
    "expires at infinity": put(SIGNAL, expires_at="infinity"),
    "expires in 2099": put(SIGNAL, expires_at="2099-01-01T00:00:00+00:00"),
    "expires before its candle": put(SIGNAL, expires_at="2020-01-01T00:00:00+00:00"),
    "expires without a zone": put(SIGNAL, expires_at="2026-03-04T05:09:07"),
    "candle at infinity": put(SIGNAL, candle_time="infinity"),
    "candle in the year 20000": put(SIGNAL, candle_time="20000-01-01T00:00:00+00:00"),
    "candle a number": put(SIGNAL, candle_time=1e18),
    "metrics deep": put(SIGNAL, metrics={"a": deep(200)}),
    "metrics infinite": put(SIGNAL, metrics={"a": INF}),
    "metrics with a NUL": put(SIGNAL, metrics={"a": "\0"}),
    "model id with a path": put(SIGNAL, model_id="../../etc/passwd"),
    "signals an object": whole(SIGNAL, {"id": 1}),
    "signals a number": whole(SIGNAL, 7),
    "signals of numbers": whole(SIGNAL, [1, 2]),
    "signals of null": whole(SIGNAL, [None]),
    "too many signals": whole(SIGNAL, [{}] * 20_001),
    "signals deep": whole(SIGNAL, deep(100_000 if sys.version_info < (3, 12) else 5_000)),
    "pair enabled as text": put(PAIR, enabled="yes"),
    "pair updated in 2099": put(PAIR, updated_at="2099-01-01T00:00:00+00:00"),
    "pair updated at infinity": put(PAIR, updated_at="infinity"),
    "pair verdict unknown": put(PAIR, verdict="MAYBE"),
    "pair READY, run NOT_READY": put(RUN, verdict="NOT_READY"),
    "pair account NaN": put(PAIR, account={"e_value": NAN, "threshold": 280}),
    "pair account negative": put(PAIR, account={"e_value": -1, "threshold": 280}),
    "pair account a list": put(PAIR, account=[1]),
    "pair reason of megabytes": put(PAIR, verdict_reason="x" * 3_000_000),
    "model artifact a text": put(MODEL, artifact="stop"),
    "model artifact deep": put(MODEL, artifact={"a": deep(100)}),
    "model run no UUID": put(MODEL, run_id="7"),
    "run verdict unknown": put(RUN, verdict=None),
    "candle upside down": put(CANDLE, low=9.0),
    "candle NaN": put(CANDLE, close=NAN),
    "candle negative": put(CANDLE, open=-1),
    "candle from the future": put(CANDLE, time="2099-01-01T00:00:00+00:00"),
    "candle spread negative": put(CANDLE, spread=-1e-4),
    "ledger of objects": whole(LEDGER, [{"number": 1}]),
    "ledger hash short": whole(LEDGER, [[1, "abc"]]),
    "ledger number text": whole(LEDGER, [["1", "0" * 64]]),
}  # fmt: skip
"""Each is signed by the right key, and MALFORMED."""


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


@pytest.mark.parametrize("name", ROWS)
def test_a_signed_row_that_cannot_be(name: str, good: Path, keys: dict[str, Path], target: Database) -> None:
    if name == "signals deep":
        text = {n: t.decode() for n, t in members(good).items() if n not in (MANIFEST, SIGNATURE)}
        text[SIGNAL] = "[" * 100_000 + "]" * 100_000
        import hashlib

        manifest = Manifest.from_json(members(good)[MANIFEST])
        hashes = {n: hashlib.sha256(t.encode()).hexdigest() for n, t in text.items()}
        write_bundle(good, replace(manifest, files=hashes), text, keys["ours"])
    else:
        files = {n: json.loads(t) for n, t in members(good).items() if n not in (MANIFEST, SIGNATURE)}
        ROWS[name](files)
        resigned(good, keys["ours"], files)
    assert refused(good, keys, target) is Refusal.MALFORMED


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
    code = (
        "import sys, resource; from pathlib import Path; from datetime import datetime, UTC;"
        "from sep_trader.handover.format import read_bundle, BundleRefused\n"
        "try:\n    read_bundle(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC))\n"
        "except BundleRefused as e:\n    print(e.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
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


@pytest.mark.parametrize("where", range(20, 1_500, 37))
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
