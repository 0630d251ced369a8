"""From one major version of PostgreSQL to the next, and back, on a machine of its own."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import base_system
from .site import FIGURES, Site
from .test_rehearsal import open_trade, wait_until_up, wrong

pytestmark = [
    pytest.mark.droplet,
    pytest.mark.full,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        base_system.OLDER is None,
        reason="no older server beside this suite's: make test-droplet-full runs it on another",
    ),
]
OLD, NEW = (base_system.OLDER or ("", 0))[1], base_system.POSTGRES
UPGRADE = "/usr/local/lib/sep-trader/upgrade-postgres"


@pytest.fixture(scope="module")
def old_site() -> Iterator[Site]:
    """A droplet that runs the server of the suite before."""
    folder = Path(tempfile.mkdtemp(prefix="sep-upgrade-"))
    site = Site(folder)
    try:
        site.machine.build_root()
        base_system.add_older_suite(site.machine.root)
        site.machine.boot()
        site.start_exchange()
        site.train()
        site.options = [*site.always, "-e", "timescaledb=false"]
        site.deploy("-e", f"postgres_major={OLD}")
        site.machine.ssh("sep trade state active --by rehearsal --reason test")
        site.add_signal(1)
        site.sync()
        site.wait_for("an open trade", lambda: open_trade(site), 90)
        yield site
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)


def server(site: Site) -> str:
    return site.sql("SHOW server_version_num")[:2]


def books(site: Site) -> str:
    return site.sql(
        "SELECT (SELECT sum(hash_record_extended(t, 0)) FROM broker_transactions t),"
        " (SELECT count(*) FROM trading_signals), (SELECT count(*) FROM trade_executions)"
    )


def test_what_is_in_the_way_is_said(old_site: Site) -> None:
    assert server(old_site) == str(OLD)
    said = old_site.machine.ssh(f"{UPGRADE} check {OLD}", check=False)
    assert (said.returncode, said.stderr) == (1, f"upgrade: it is version {OLD} already\n")
    assert "apt knows no postgresql-99" in old_site.machine.ssh(f"{UPGRADE} check 99", check=False).stderr
    assert "nothing is in the way" in old_site.machine.ssh(f"{UPGRADE} check {NEW}").stdout


def test_the_next_major_version(old_site: Site) -> None:
    before, trades = books(old_site), open_trade(old_site)
    start = time.monotonic()
    said = old_site.machine.ssh(f"{UPGRADE} run {NEW}")
    FIGURES[f"PostgreSQL {OLD} to {NEW}, ours stopped"] = f"{time.monotonic() - start:.0f} s"
    assert f"version {NEW} runs" in said.stdout, said.stdout + said.stderr
    assert server(old_site) == str(NEW)
    old_site.deploy("-e", f"postgres_major={NEW}")
    wait_until_up(old_site)
    assert (books(old_site), open_trade(old_site)) == (before, trades)
    info = old_site.machine.ssh("runuser -u postgres -- pgbackrest --output=json info").stdout
    assert f'"version":"{NEW}"' in info
    old_site.wait_for("good health", lambda: not wrong(old_site), 120)
    # The new identity is another address for the hand-over.
    old_site.add_signal(-1)
    assert "accepted" in old_site.sync().stdout


def test_and_back(old_site: Site) -> None:
    trades = open_trade(old_site)
    said = old_site.machine.ssh(f"{UPGRADE} back {OLD}")
    assert f"version {OLD} runs again" in said.stdout, said.stdout + said.stderr
    old_site.deploy("-e", f"postgres_major={OLD}")
    wait_until_up(old_site)
    assert server(old_site) == str(OLD)
    assert open_trade(old_site) == trades
    old_site.wait_for("good health", lambda: not wrong(old_site), 120)


def test_for_good(old_site: Site) -> None:
    old_site.machine.ssh(f"rm -rf /mnt/sep_data/postgresql-left; {UPGRADE} run {NEW}")
    old_site.deploy("-e", f"postgres_major={NEW}")
    said = old_site.machine.ssh(f"{UPGRADE} finish {OLD}").stdout
    assert f"version {OLD} is gone" in said
    assert [line.split()[0] for line in old_site.machine.ssh("pg_lsclusters -h").stdout.splitlines()] == [str(NEW)]
    assert not old_site.machine.ssh("ls /mnt/sep_data/postgresql-before").stdout.strip()
    wait_until_up(old_site)
