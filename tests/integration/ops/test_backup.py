"""Dumps and restores on a real server, with its own programs and a scratch cluster of its own."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sep_trader.errors import InputError, StoreError
from sep_trader.ops.backup import (
    Backup,
    create_backup,
    delete_backup,
    find_backup,
    kept_while_reading,
    list_backups,
    manifest_path,
    record_verification,
    send_off_site,
)
from sep_trader.ops.programs import compressor, decompressor
from sep_trader.ops.restore import restore_dump, verify_backup
from sep_trader.store.database import Database

NOW = datetime(2026, 3, 4, 2, 0, 5, tzinfo=UTC)


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with candles, a model, a pair and an open trade."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO instruments OVERRIDING SYSTEM VALUE VALUES (1, 'EUR_USD', -4, 5, now())")
        connection.execute(
            "INSERT INTO market_candles SELECT '2014-05-01Z'::timestamptz + n * interval '1 minute', 1.1 + n / 3e5,"
            " 1.2, 1, 1.1, 0.0001, 7, 1, 5 FROM generate_series(0, 4999) n"
        )
        connection.execute(
            "INSERT INTO research_runs VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 10, 'd', 'v', '{}',"
            " 1, 1, 'READY', 'it''s', '{}')"
        )
        connection.execute("INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{}' FROM research_runs")
        connection.execute(
            "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
            " stop_distance, horizon, expires_at) VALUES (gen_random_uuid(), 'EUR_USD', 'm', 'M1', now(), 1, 0.5, '{}',"
            " 0.001, '1 hour', now())"
        )
        connection.execute(
            "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,"
            " intent_transaction_id, expected_price, trade_id, entry_price)"
            " SELECT id, 'a', pair, 'c', 'OPEN', 100, now(), 1, 1.1, 5, 1.1 FROM trading_signals"
        )
    return database


def rewritten(backup: Backup, old: bytes, new: bytes) -> None:
    """Change the text inside the dump, and the manifest's SHA-256 with it: only a restore can tell."""
    text = subprocess.run(decompressor(backup.path), capture_output=True, check=True).stdout
    assert old in text
    packed = subprocess.run(compressor()[0], input=text.replace(old, new), capture_output=True, check=True).stdout
    backup.path.write_bytes(packed)
    import hashlib

    manifest = json.loads(manifest_path(backup.path).read_text())
    manifest["sha256"] = hashlib.sha256(packed).hexdigest()
    manifest_path(backup.path).write_text(json.dumps(manifest))


def test_a_backup_says_what_it_holds_and_restores_to_it(filled: Database, tmp_path: Path) -> None:
    made = create_backup(filled, tmp_path, now=NOW)
    assert made.name in ("sep_trading_20260304.sql.zst", "sep_trading_20260304.sql.gz")
    assert made.census["market_candles"].rows == 5000
    assert made.census["v_open_trades"].rows == 1
    assert list_backups(tmp_path) == [made]
    assert verify_backup(made) is None
    record_verification(made, at=NOW, seconds=1.0, fault=None)
    assert list_backups(tmp_path)[0].verified_at == NOW
    assert delete_backup(made)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_being_read_is_not_pruned(filled: Database, tmp_path: Path) -> None:
    made = create_backup(filled, tmp_path, now=NOW)
    with kept_while_reading(made), kept_while_reading(made):
        assert not delete_backup(made)
    assert verify_backup(made) is None
    assert delete_backup(made)
    with pytest.raises(InputError, match="was pruned a moment ago"):
        verify_backup(made)


def test_what_is_written_while_it_dumps_is_in_neither(filled: Database, tmp_path: Path) -> None:
    """Census and dump see one snapshot: deleting after the backup does not change what it restores to."""
    made = create_backup(filled, tmp_path, now=NOW)
    with filled.transaction() as connection:
        connection.execute("DELETE FROM market_candles")
    later = create_backup(filled, tmp_path, now=NOW)
    assert later.name.startswith("sep_trading_20260304_020005.sql.")
    assert later.census["market_candles"].rows == 0
    # The form that a droplet has: a socket and a user, and nothing between the slashes.
    known = conninfo_to_dict(filled.url)
    server = f"postgresql:///{known['dbname']}?host={quote(str(known['host']), safe='')}&user={known['user']}"
    restored = restore_dump(made, server, "restored_from_test")
    try:
        assert restored == made.census
        with pytest.raises(InputError, match="exists already"):
            restore_dump(made, filled.url, "restored_from_test")
    finally:
        with psycopg.connect(filled.url, autocommit=True) as connection:
            connection.execute("DROP DATABASE restored_from_test")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"it's", b"its not", "research_runs has 1 rows as it should, with other content"),
        (b"\t1.1\t5\t", b"\t1.2\t5\t", None),
        (b"CREATE TABLE public.system_logs", b"CREATE TABEL public.system_logs", "syntax error"),
    ],
)
def test_a_dump_that_differs_is_found(
    filled: Database, tmp_path: Path, old: bytes, new: bytes, said: str | None
) -> None:
    made = create_backup(filled, tmp_path, now=NOW)
    if said is None:  # a candle was lost
        text = subprocess.run(decompressor(made.path), capture_output=True, check=True).stdout
        line = next(row for row in text.splitlines(keepends=True) if row.startswith(b"2014-05-01 00:07:00"))
        old, new, said = line, b"", "market_candles has 4999 rows, not 5000"
    rewritten(made, old, new)
    fault = verify_backup(find_backup(tmp_path, made.name))
    assert fault is not None
    assert said in fault


def test_a_damaged_file_is_found(filled: Database, tmp_path: Path) -> None:
    made = create_backup(filled, tmp_path, now=NOW)
    content = bytearray(made.path.read_bytes())
    content[len(content) // 2] ^= 1
    made.path.write_bytes(content)
    assert "SHA-256 differs" in str(verify_backup(made))
    made.path.unlink()
    assert verify_backup(made) == "the file is gone"


def test_a_dump_that_fails_leaves_nothing(filled: Database, tmp_path: Path) -> None:
    """A column that this role may not read: pg_dump fails in the middle."""
    with filled.transaction() as connection:
        connection.execute("CREATE ROLE no_reader LOGIN")
        connection.execute("GRANT CONNECT ON DATABASE postgres TO no_reader")
    try:
        url = urlsplit(filled.url)
        address = url._replace(netloc=url.netloc.replace("postgres", "no_reader", 1)).geturl()
        with Database(address, max_size=1) as database, pytest.raises((StoreError, psycopg.Error)):
            create_backup(database, tmp_path, now=NOW)
        assert list(tmp_path.iterdir()) == []
    finally:
        with filled.transaction() as connection:
            connection.execute("DROP OWNED BY no_reader")
            connection.execute("DROP ROLE no_reader")


def test_a_copy_for_the_second_place(filled: Database, tmp_path: Path) -> None:
    made = create_backup(filled, tmp_path / "here", now=NOW)
    (tmp_path / "there").mkdir()
    send_off_site(made, f"{tmp_path / 'there'}/")
    assert list_backups(tmp_path / "there")[0].sha256 == made.sha256
    with pytest.raises(StoreError, match="rsync failed"):
        send_off_site(made, str(tmp_path / "no" / "such" / "folder") + "/")


def test_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no backup in"):
        find_backup(tmp_path, None)


def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "sep_trading_20260101.manifest.json").write_text('{"path": 3}')
    with pytest.raises(InputError, match=r"sep_trading_20260101\.manifest\.json is no manifest"):
        list_backups(tmp_path)
