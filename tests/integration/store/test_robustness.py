"""Loads that are disturbed: a second loader, a full disk, a server that goes away, a process that is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from tests.support.candles import sawtooth

from sep_trader.errors import StoreError, StoreUnavailable
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import EARLIEST, LATEST, Database, absent

M1 = Granularity.M1


def test_two_loaders_of_overlapping_candles(database: Database) -> None:
    whole = sawtooth(20_000)
    results: list[store.LoadResult] = []

    def loader(part: slice) -> None:
        results.append(store.load(database, whole.take(part)))

    threads = [threading.Thread(target=loader, args=(part,)) for part in (slice(0, 15_000), slice(5_000, 20_000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(r.inserted for r in results) == 20_000
    assert sum(r.duplicates for r in results) == 10_000
    assert np.array_equal(store.read(database, "EUR_USD", M1).time, whole.time)


def test_a_live_candle_that_arrives_during_a_load(database: Database) -> None:
    whole = sawtooth(20_000)
    done = threading.Event()

    def live() -> None:
        for index in range(0, 20_000, 100):
            with database.transaction() as connection:
                store.upsert_live(connection, whole.take(slice(index, index + 1)))
        done.set()

    thread = threading.Thread(target=live)
    thread.start()
    store.load(database, whole)
    thread.join()
    assert done.is_set()
    assert len(store.read(database, "EUR_USD", M1)) == 20_000


def test_a_full_disk_is_said_and_nothing_is_half_written(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.close > 1.309 THEN"
            " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END IF;"
            " RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER fill BEFORE INSERT ON market_candles FOR EACH ROW EXECUTE FUNCTION fill()")
    with pytest.raises(StoreError, match="disk is full; nothing of 3000 EUR_USD M1 candles was stored"):
        store.load(database, sawtooth(3_000))
    assert len(store.read(database, "EUR_USD", M1)) == 0
    with database.transaction() as connection:
        connection.execute("DROP TRIGGER fill ON market_candles")
    assert store.load(database, sawtooth(3_000)).inserted == 3_000


def test_the_server_goes_away_in_mid_load(database: Database) -> None:
    whole = sawtooth(300_000)
    failed: list[BaseException] = []

    def loader() -> None:
        try:
            store.load(database, whole)
        except StoreUnavailable as error:
            failed.append(error)

    thread = threading.Thread(target=loader)
    thread.start()
    with psycopg.connect(database.url, autocommit=True) as connection:
        killed = False
        while thread.is_alive() and not killed:
            rows = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'COPY %FROM STDIN%' AND pid <> pg_backend_pid()"
            ).fetchall()
            killed = bool(rows)
        thread.join()
    assert killed
    assert len(failed) == 1
    assert "does not answer" in str(failed[0])
    assert len(store.read(database, "EUR_USD", M1)) == 0
    assert store.load(database, whole).inserted == 300_000


def test_sigkill_in_mid_import_leaves_whole_files_only(database: Database, data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "lean-oanda" / "minute"
    environment = {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)}
    command: list[str | Path] = [Path(sys.executable).with_name("sep"), "data", "import", folder, "--format", "lean"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(store.read(database, "EUR_USD", M1)) == 0 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    stored = store.read(database, "EUR_USD", M1)
    assert 0 < len(stored) < 18_184
    # A file is a day: the candles end where a file does.
    assert int(stored.time[-1]) % 86_400 >= 86_400 - 600 or int(stored.time[-1]) % 86_400 // 3_600 == 20
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert len(store.read(database, "EUR_USD", M1)) == 18_184
    assert len(store.read(database, "NZD_USD", M1)) == 15_543


def test_a_read_whose_server_went_away_is_said(database: Database) -> None:
    store.load(database, sawtooth(10))
    with pytest.raises(StoreUnavailable, match="does not answer"), database.transaction() as connection:
        store.latest(connection, "EUR_USD", M1, 5)
        with psycopg.connect(database.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        store.latest(connection, "EUR_USD", M1, 5)
    assert len(store.latest(database, "EUR_USD", M1, 5)) == 5


def test_a_read_in_a_transaction_sees_it_and_leaves_it_open(database: Database) -> None:
    with database.transaction() as connection:
        assert len(store.read(connection, "EUR_USD", M1)) == 0
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        store.upsert_live(connection, sawtooth(3))
        assert len(store.read(connection, "EUR_USD", M1)) == 3
        connection.rollback()
    assert len(store.read(database, "EUR_USD", M1)) == 0


def test_a_server_that_turns_us_away_is_not_called_absent(server_kind: str, database: Database) -> None:
    url = urlsplit(database.url)
    nowhere = url._replace(path="/nothing_of_this_name").geturl()
    with pytest.raises(StoreError, match=r'turns us away: database "nothing_of_this_name" does not exist') as caught:
        Database(nowhere)
    assert not isinstance(caught.value, StoreUnavailable)
    gone = url._replace(netloc="nobody@127.0.0.1:1", query="").geturl()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        Database(gone)


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("connection failed: FATAL:  the database system is starting up", True),
        ("connection failed: FATAL:  sorry, too many clients already", True),
        ('connection failed: FATAL:  password authentication failed for user "x"', False),
        ("connection failed: FATAL:  pg_hba.conf rejects connection for host", False),
        ("server closed the connection unexpectedly", True),
    ],
)
def test_what_is_absence(words: str, gone: bool) -> None:
    assert absent(psycopg.OperationalError(words)) is gone


def test_a_time_that_python_has_not_is_read_as_the_nearest_that_it_has(database: Database) -> None:
    asked = (
        "SELECT 'infinity'::timestamptz AS a, '20000-01-01Z'::timestamptz AS b, '-infinity'::timestamptz AS c,"
        " '0005-01-01 BC'::timestamptz AS d, '170000000 years'::interval AS e, '-170000000 years'::interval AS f,"
        " '2026-03-04 05:06:07Z'::timestamptz AS g, '1 day'::interval AS h"
    )
    with database.transaction() as connection:
        row = connection.execute(asked).fetchone()
    assert row is not None
    assert row["a"] == row["b"] == LATEST
    assert row["c"] == row["d"] == EARLIEST
    assert row["e"] == row["f"] == timedelta(days=36_500)
    assert (row["g"], row["h"]) == (datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), timedelta(days=1))
