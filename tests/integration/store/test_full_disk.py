"""A disk that is really full: a file system of a few megabytes under the database, or under the whole server."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from psycopg import sql
from tests.support.candles import sawtooth

from sep_trader.errors import StoreError
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate
from sep_trader.store.timescaledb.hypertables import ensure_hypertables

M1 = Granularity.M1
CLUSTER = str(Path(__file__).parents[3] / "scripts" / "timescaledb_cluster.sh")


class Volume:
    """A file system in memory, of a size that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: str) -> None:
        """Give it another size."""
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def leave(self, free: int) -> None:
        """Take all room but some bytes."""
        found = os.statvfs(self.folder)
        with (self.folder / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, found.f_bfree * found.f_frsize - free)


@pytest.fixture
def volume() -> Iterator[Volume]:
    """A volume of 256 MB. Mounting needs root: where that is not to be had the test fails on CI and is skipped else."""
    folder = Path(tempfile.mkdtemp(prefix="sep-volume."))
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=755", "sep-volume", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        reason = f"a small file system cannot be mounted here: {mounted.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield Volume(folder)
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@contextmanager
def database_on(volume: Volume, server: str) -> Iterator[Database]:
    """A migrated database whose every file lies on the volume."""
    name = f"small_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        row = connection.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
        assert row is not None
        owner = Path(row[0]).stat()
        os.chown(volume.folder, owner.st_uid, owner.st_gid)
        place = sql.Identifier(name)
        statement = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
        connection.execute(statement.format(place, sql.Literal(str(volume.folder))))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 TABLESPACE {}")
        connection.execute(statement.format(place, place))
        try:
            with Database(urlsplit(server)._replace(path=f"/{name}").geturl()) as database:
                migrate(database)
                ensure_hypertables(database, chunk_days=1)
                yield database
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(place))
            connection.execute(sql.SQL("DROP TABLESPACE {}").format(place))


def test_a_full_volume_under_the_database(database: Database, volume: Volume) -> None:
    with database_on(volume, database.url) as small:
        store.load(small, sawtooth(1_000))
        volume.leave(2_000_000)
        with pytest.raises(StoreError, match="disk is full; nothing of 60000 EUR_USD M1 candles was stored") as told:
            store.load(small, sawtooth(60_000))
        assert told.value.exit_code == 4
        assert len(store.read(small, "EUR_USD", M1)) == 1_000
        (volume.folder / "ballast").unlink()
        assert store.load(small, sawtooth(60_000)) == store.LoadResult(inserted=59_000, duplicates=1_000)


def test_an_import_goes_on_once_there_is_room(
    database: Database, volume: Volume, data_dir: Path, tmp_path: Path
) -> None:
    with database_on(volume, database.url) as small:
        volume.leave(2_000_000)
        environment = {**os.environ, "SEP_DATABASE_URL": small.url, "SEP_HOME": str(tmp_path)}
        sep = str(Path(sys.executable).with_name("sep"))
        folder = str(data_dir / "lean-oanda" / "minute")
        command = [sep, "data", "import", folder, "--format", "lean"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 4, done.stderr
        [line] = done.stderr.strip().splitlines()
        assert "the server's disk is full; nothing of" in line
        assert "sep storage" in line
        stored = store.read(small, "EUR_USD", M1)
        assert 0 < len(stored) < 18_184
        last = int(stored.time[-1])  # a file is a day: the candles end where a file does
        assert last % 86_400 >= 86_400 - 600 or last % 86_400 // 3_600 == 20
        volume.resize("512m")
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
        assert len(store.read(small, "EUR_USD", M1)) == 18_184
        assert len(store.read(small, "NZD_USD", M1)) == 15_543


@pytest.mark.timescaledb
@pytest.mark.parametrize(
    ("first", "free", "message"),
    [
        pytest.param(0, 10_000_000, "disk is full; nothing of 200000", id="a table cannot grow"),
        # A segment of the log of changes is 16 MB: a server that cannot make the next one stops at once.
        pytest.param(2_000, 15_000_000, "does not answer", id="the log cannot grow"),
    ],
)
def test_a_full_volume_under_the_whole_server(
    servers: Callable[[str], object], volume: Volume, first: int, free: int, message: str
) -> None:
    servers("timescaledb")  # which says so where it is not installed
    volume.folder.chmod(0o1777)
    environment = {**os.environ, "TMPDIR": str(volume.folder)}
    command = [CLUSTER, "start", "timescaledb.max_background_workers=0", "max_wal_size=32MB", "min_wal_size=32MB"]
    started = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    folder, url = started.stdout.split()
    whole = sawtooth(first + 200_000)
    coming = whole.take(slice(first, None))
    try:
        with Database(url) as database:
            migrate(database)
            ensure_hypertables(database, chunk_days=1)
            store.load(database, whole.take(slice(0, 1_000)))
            volume.leave(free)
            with pytest.raises(StoreError, match=message):
                store.load(database, coming)
        (volume.folder / "ballast").unlink()
        subprocess.run([CLUSTER, "restart", folder], check=True, capture_output=True)
        with Database(url) as database:
            assert len(store.read(database, "EUR_USD", M1)) == 1_000
            again = store.load(database, coming)
            assert again.inserted + again.duplicates == 200_000
            assert len(store.read(database, "EUR_USD", M1)) == len(np.union1d(whole.time[:1_000], coming.time))
    finally:
        subprocess.run([CLUSTER, "stop", folder], check=True)
