"""A release that is not well is taken back by itself, and a good one by a person. Runs last."""

import re
import time

import pytest

from .site import FIGURES, Site
from .test_rehearsal import open_trade, wait_until_up, wrong

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(900)]

BROKEN = "/etc/sep-trader/broken"


def runs(site: Site) -> str:
    """The release that the link, the trader's unit and its process agree on."""
    link = site.machine.ssh("basename $(readlink /opt/sep-trader/current)").stdout.strip()
    unit = site.machine.ssh("systemctl show -p ExecStart --value sep-trader").stdout
    process = site.machine.ssh("tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value sep-trader)/cmdline").stdout
    assert f"/releases/{link}/" in unit and f"/releases/{link}/" in process, (link, unit, process)
    return link


def test_a_release_that_is_not_well_is_taken_back(site: Site) -> None:
    """Its trader ends as soon as it starts, as long as a file is there."""
    before, trades = runs(site), open_trade(site)
    program = site.tree / "src/sep_trader/cli/trade_run.py"
    program.write_text(
        program.read_text().replace(
            "    settings = load_settings()\n",
            "    import pathlib\n\n    if pathlib.Path('/etc/sep-trader/broken').exists():\n"
            "        raise SystemExit('broken on purpose')\n    settings = load_settings()\n",
            1,
        )
    )
    site.machine.ssh(f"touch {BROKEN}")
    printed = site.deploy(check=False)
    said = re.search(r"(\S+) was taken back after (\d+) s: (.*?)\. (\S+) runs", printed)
    assert said, printed[-4000:]
    FIGURES["a release that fails is taken back after"] = f"{said[2]} s"
    assert int(said[2]) < 60
    assert "sep-trader.service ended and was started again" in said[3]
    assert said[4] == before == runs(site)
    wait_until_up(site)
    assert open_trade(site) == trades != ""


def test_a_good_release_takes_over_with_trades_open(site: Site) -> None:
    """The same one, without the file: what is handed over meanwhile is traded, and the trade that was open stays."""
    site.machine.ssh("sep trade state active --by rehearsal --reason 'looked at it'")
    before, trades = runs(site), open_trade(site)
    site.machine.ssh(f"rm {BROKEN}")
    (new,) = set(site.machine.ssh("ls /opt/sep-trader/releases").stdout.split()) - {before}
    site.add_signal(1)
    site.sync()
    printed = site.machine.ssh(f"/usr/local/lib/sep-trader/release switch {new}").stdout
    assert f"{new} runs; {before} is kept" in printed
    away = float(re.search(r"away for ([\d.]+) s", printed)[1])  # type: ignore[index]
    FIGURES["the trader was away for a release"] = f"{away:.1f} s"
    assert away < 10
    assert runs(site) == new
    assert site.get("/api/status")["trading_state"]["state"] == "ACTIVE"
    site.wait_for("no signal that waits", lambda: site.sql("SELECT id FROM trading_signals WHERE status = 'NEW'") == "")
    assert open_trade(site).startswith(trades)
    site.wait_for("good health", lambda: set(wrong(site)) <= {"restarts"}, 90)


def test_a_person_goes_back(site: Site) -> None:
    new = runs(site)
    start = time.monotonic()
    printed = site.roll_back()
    FIGURES["a person's rollback"] = f"{time.monotonic() - start:.0f} s"
    assert f"{new} is kept" in printed
    assert runs(site) != new
    wait_until_up(site)


def test_an_older_release_refuses_a_newer_schema(site: Site) -> None:
    site.sql("INSERT INTO schema_migrations (version, name, checksum) VALUES (9000, '9000_tomorrow', 'x')")
    try:
        refused = site.machine.ssh("/usr/local/lib/sep-trader/release rollback", check=False)
        assert refused.returncode == 1
        assert (
            "cannot run on this database: sep: the database schema is of a newer release (9000_tomorrow)"
            in refused.stderr
        )
    finally:
        site.sql("DELETE FROM schema_migrations WHERE version = 9000")
    wait_until_up(site)


@pytest.mark.full
def test_a_failed_migration_leaves_the_old_release_running(site: Site) -> None:
    before = runs(site)
    migration = site.tree / "src/sep_trader/store/migrations/9000_broken.sql"
    migration.write_text("ALTER TABLE nothing_of_this_name ADD COLUMN x integer;\n")
    try:
        printed = site.deploy(check=False)
    finally:
        migration.unlink()
    assert "a migration failed and changed nothing; what ran before runs on" in printed, printed[-3000:]
    assert runs(site) == before
    wait_until_up(site)
