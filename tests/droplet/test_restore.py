"""What a droplet comes back from: a dump, a point in time, a lost machine. Runs after test_rehearsal.py."""

import json
import re
import time

import pytest

from .machine import ELSEWHERE
from .site import FIGURES, REPOSITORY, Site
from .test_rehearsal import handed_over, open_trade, wait_until_up, wrong

RUNBOOK = REPOSITORY / "docs/runbook.md"

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(900)]


def test_backup_and_its_restore_test(site: Site) -> None:
    """Both at once: the test waits for the dump, and no pruning takes away what it reads."""
    start = time.monotonic()
    site.machine.ssh("systemctl start sep-backup.service sep-backup-verify.service")
    FIGURES["dump and its restore test"] = f"{time.monotonic() - start:.0f} s"
    newest = json.loads(site.machine.ssh("sep backup list --json").stdout)[0]
    assert newest["fault"] is None
    assert newest["verified_at"].startswith("20")
    health = site.machine.ssh("sep health", check=False)
    assert health.returncode == 0, health.stdout
    used = json.loads(site.machine.ssh("sep storage --json").stdout)["areas"]
    (area,) = (area for area in used if area["area"] == "backups")
    archive = int(site.machine.ssh("du -sb /mnt/sep_data/backups/pgbackrest | cut -f1").stdout)
    assert area["used_bytes"] > archive / 2 > 0  # what pgBackRest keeps counts, too


def test_the_archive_is_restored_on_trial(site: Site) -> None:
    """From the second place, into a cluster that nobody else reaches; what it finds is what the health check says."""
    start = time.monotonic()
    done = site.machine.ssh("systemctl start sep-archive-drill.service", check=False)
    assert done.returncode == 0, _journal(site, "-5min", "-u sep-archive-drill")
    FIGURES["restore drill of the archive"] = f"{time.monotonic() - start:.0f} s"
    found = json.loads(site.machine.ssh("cat /mnt/sep_data/drill/last.json").stdout)
    assert (found["fault"], found["how"], found["repository"]) == (None, "restored", 2)
    assert found["behind_s"] < 180
    assert "archive_verified" not in wrong(site)
    assert site.machine.ssh("ls /mnt/sep_data/drill").stdout.split() == ["last.json"]
    # A row that the archive has otherwise: somebody changed the books behind the program's back.
    change = "SET session_replication_role = replica; UPDATE control_changes SET reason = '{}' WHERE id = 1"
    site.sql(change.format("another"))
    assert site.machine.ssh("systemctl start sep-archive-drill.service", check=False).returncode == 1
    assert "control_changes differs" in wrong(site)["archive_verified"]
    site.sql(change.format("nobody has turned trading on yet"))
    site.sql("SELECT pg_switch_wal()")
    again = "systemctl reset-failed sep-archive-drill; systemctl start sep-archive-drill.service"
    site.wait_for("a drill that is good again", lambda: site.machine.ssh(again, check=False).returncode == 0)


def test_a_copy_of_the_dump_is_elsewhere_for_its_owner_only(site: Site) -> None:
    newest = json.loads(site.machine.ssh("sep backup list --json").stdout)[0]
    copy = f"{ELSEWHERE}/dumps/{newest['name']}.age"
    assert site.machine.ssh(f"head -c 21 {copy}").stdout == "age-encryption.org/v1"
    site.machine.ssh("umask 077; cat >/root/owner", stdin=site.key.read_text())
    read = site.machine.ssh(f"age -d -i /root/owner {copy} | sha256sum; rm /root/owner").stdout
    assert read.split()[0] == newest["sha256"]
    assert "SEP_BACKUP_BUDGET_GB=6" in site.machine.ssh("cat /etc/sep-trader/ops.env").stdout


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        ('sed -i \'s/"created_at": "20../"created_at": "2019/\' {}.manifest.json', "backup: the newest is"),
        ('sed -i \'s/"verified_at": "20../"verified_at": "2019/\' {}.verified.json', "backup_verified: "),
        (
            'sed -i \'s/"fault": null/"fault": "trade_executions is missing"/\' {}.verified.json',
            "executions is missing",
        ),
    ],
    ids=["late", "unverified", "different"],
)
def test_an_alarm_is_raised(site: Site, change: str, alert: str) -> None:
    """By the timer's own unit, down to the program that the owner put there."""
    newest = json.loads(site.machine.ssh("sep backup list --json").stdout)[0]["name"].split(".")[0]
    files = "/mnt/sep_data/backups/sep_trading_*.json"
    site.machine.ssh("cat >/etc/sep-trader/on-alert; chmod 755 /etc/sep-trader/on-alert",
                     stdin='#!/bin/sh\nlogger -t told-the-owner "$1"\n')  # fmt: skip
    site.machine.ssh(f"mkdir /root/aside; cp -p {files} /root/aside")
    since = site.machine.ssh("date '+%F %T'; sleep 1").stdout.strip()
    try:
        # The older dumps, which could still be fresh enough, are out of the way.
        site.machine.ssh(
            f"cd /mnt/sep_data/backups; for f in *.json; do case $f in {newest}.*) ;; *) rm $f ;; esac; done"
        )
        site.machine.ssh(f"cd /mnt/sep_data/backups; {change.format(newest)}")
        assert site.machine.ssh("systemctl start sep-health.service", check=False).returncode == 1
        told = site.wait_for("the owner's program", lambda: _journal(site, since, "-t told-the-owner"))
        assert told == "sep-health.service"
        assert alert in _journal(site, since, "-u sep-health")
        assert "sep-health.service failed" in _journal(site, since, "-t sep-alert")
    finally:
        site.machine.ssh("cp -p /root/aside/* /mnt/sep_data/backups; rm -r /root/aside /etc/sep-trader/on-alert")
    site.machine.ssh("systemctl start sep-health.service")


def test_back_to_before_a_dropped_table(site: Site) -> None:
    """Meanwhile the broker went on: it closed our trade, and opened another for us, of which the restored books know
    nothing. The trader learns of both before anything else, and trades nothing until a person has looked."""
    (first,) = site.broker_trades()
    before, received = _census(site), handed_over(site)
    moment = site.sql("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 second'")
    time.sleep(2.1)  # the moment is given in whole seconds
    site.at_broker(f"/trades/{first}/close", "PUT")
    site.wait_for("the end of the trade", lambda: open_trade(site) == "")
    site.add_signal(1)
    site.sync()
    (second,) = site.wait_for("another trade", lambda: site.broker_trades())
    site.sql("DROP TABLE bundle_receipts CASCADE; DELETE FROM market_candles")
    at_broker = site.at_broker("/summary")["lastTransactionID"]
    start = time.monotonic()
    site.machine.ssh(f"sep backup restore --at '{moment}'")
    FIGURES["point-in-time restore"] = f"{time.monotonic() - start:.0f} s"
    wait_until_up(site)
    event = "SELECT message FROM system_logs WHERE event = '{}' ORDER BY time DESC LIMIT 1"
    carries = f"trade {second} carries our mark"
    site.wait_for("the reconciliation", lambda: carries in site.sql(event.format("reconcile_mismatch")))
    assert site.sql(f"SELECT status FROM trade_executions WHERE trade_id = {first}") == "CLOSED"
    assert site.sql("SELECT state FROM trading_state") == "HALTED"
    same = {"market_candles", "trading_signals", "bundle_receipts", "models", "research_runs", "trading_pairs"}
    after = _census(site)
    assert {t: after[t] for t in same} == {t: before[t] for t in same}
    assert handed_over(site) == received
    # Handed over again, and refused while trading is halted: nothing was sent to the broker since.
    assert "accepted: 1 new signals" in site.sync().stdout
    site.wait_for("no signal that waits", lambda: site.sql("SELECT id FROM trading_signals WHERE status = 'NEW'") == "")
    assert site.at_broker("/summary")["lastTransactionID"] == at_broker


def test_a_person_has_looked_and_trading_goes_on(site: Site) -> None:
    (foreign,) = site.broker_trades()
    site.at_broker(f"/trades/{foreign}/close", "PUT")
    site.machine.ssh("sep trade state active --by rehearsal --reason 'closed what the books did not know'")
    site.add_signal(1)
    site.sync()
    site.wait_for("an open trade", lambda: open_trade(site))
    assert site.broker_trades() == {open_trade(site).split("|")[3]}


@pytest.mark.full
def test_a_dump_in_place_of_the_database(site: Site) -> None:
    """What the runbook says, word for word; the deployment that it asks for at the end is the next test's."""
    site.machine.ssh("systemctl stop sep-trader sep-standby sep-watch sep-api && systemctl start sep-backup")
    made = json.loads(site.machine.ssh("sep backup list --json").stdout)[0]["name"]
    before = _census(site)
    (steps,) = re.findall(r"as root:\n\n((?:    .*\n)+)\nand deploy again", RUNBOOK.read_text())
    site.machine.ssh("set -eu\n" + re.sub(r"\bNAME\b", made, steps))
    after = _census(site)
    assert after.pop("trading_state") != before.pop("trading_state")
    # The restore halts trading, and the database records that as one more change.
    assert _rows(after.pop("control_changes")) == _rows(before.pop("control_changes")) + 1
    assert after == before
    assert site.sql("SELECT state FROM trading_state") == "HALTED"


@pytest.mark.full
def test_a_rebuilt_machine_adopts_the_volume(site: Site) -> None:
    trades = open_trade(site)
    site.machine.ssh("systemctl stop sep-trader sep-standby sep-watch sep-api '*.timer'")
    before = _census(site)
    site.machine.cut_power()
    site.machine.renumber_owners()
    site.machine.build_root()
    site.machine.boot()
    site.options = site.always  # without a domain: the certificate is its own
    start = time.monotonic()
    printed = site.deploy()
    FIGURES["rebuild with the volume kept"] = f"{time.monotonic() - start:.0f} s"
    assert "Format the blank volume" not in printed
    wait_until_up(site)
    after = _census(site)
    # The trader starts, looks, and says so; so does who tells of it.
    grown = {"system_logs", "component_status", "broker_accounts", "account_equity", "alert_states", "alert_messages",
             "alert_mark"}  # fmt: skip
    assert {t: n for t, n in after.items() if t not in grown} == {t: n for t, n in before.items() if t not in grown}
    assert int(after["system_logs"].split("|")[0]) > int(before["system_logs"].split("|")[0])
    assert open_trade(site) == trades != ""
    site.wait_for("good health", lambda: not wrong(site))
    assert site.get("/api/status", "https")["trading_state"]["state"] == "HALTED"


@pytest.mark.full
def test_the_rebuilt_machine_trades(site: Site) -> None:
    site.machine.ssh("sep trade state active --by rehearsal --reason rebuilt")
    (trade,) = site.broker_trades()
    site.at_broker(f"/trades/{trade}/close", "PUT")
    site.wait_for("the end of the trade", lambda: open_trade(site) == "")
    site.add_signal(-1)
    assert "accepted: 1 new signals" in site.sync().stdout
    assert re.match(r"EUR_USD\|SELL\|OPEN", site.wait_for("an open trade", lambda: open_trade(site)))


@pytest.mark.full
def test_a_lost_machine_and_volume_come_back_from_elsewhere(site: Site) -> None:
    """By the archive at the second place, which is encrypted. The last commit is there within its minute, unasked."""
    trades = open_trade(site)
    executions = _census(site)["trade_executions"]
    site.sql("INSERT INTO system_logs (level, component, event) VALUES ('info', 'rehearsal', 'last')")
    segment = site.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    start = time.monotonic()
    archived = f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"
    site.wait_for("the log at the second place", lambda: site.sql(archived) == "t", 120)
    FIGURES["a commit is at the second place after"] = f"{time.monotonic() - start:.0f} s"
    assert '"cipher":"aes-256-cbc"' in site.machine.ssh("runuser -u postgres -- pgbackrest --output=json info").stdout
    site.machine.cut_power()
    site.machine.lose_volume()
    site.machine.build_root()
    site.machine.boot()
    site.options = site.always  # without a domain: the certificate is its own
    assert "-e restore_offsite=true" in site.deploy(check=False)  # a new database is not begun over it by mistake
    start = time.monotonic()
    site.deploy("-e", "restore_offsite=true")
    FIGURES["rebuild from the second place, packages installed"] = f"{time.monotonic() - start:.0f} s"
    wait_until_up(site)
    assert site.sql("SELECT count(*) FROM system_logs WHERE component = 'rehearsal'") == "1"
    assert open_trade(site) == trades != ""
    assert _census(site)["trade_executions"] == executions
    assert site.sql("SELECT state, changed_by FROM trading_state") == "HALTED|deployment"
    # That no person has looked since is what is left to be told.
    site.wait_for("good health", lambda: set(wrong(site)) == {"switch"})


def test_a_volume_that_holds_something_else_is_left_alone(site: Site) -> None:
    """A disk with a foreign signature, while ours is mounted: the deployment stops at either, and says so."""
    site.machine.ssh(
        "truncate -s 64M /root/disk.img && printf 'LUKS\\xba\\xbe\\0\\1' | dd of=/root/disk.img conv=notrunc"
    )
    before = site.machine.ssh("sha256sum /root/disk.img").stdout
    printed = site.deploy("-e", "volume_device=/root/disk.img", check=False)
    assert "and the volume that is named is /root/disk.img" in printed
    assert site.machine.ssh("/usr/local/lib/volume-content /root/disk.img").stdout == "foreign crypto_LUKS\n"
    ours = site.machine.ssh("cat /mnt/sep_data/.sep-trader").stdout.strip()
    assert ours == site.sql("SELECT system_identifier FROM pg_control_system()")
    assert site.machine.ssh("sha256sum /root/disk.img").stdout == before


def _census(site: Site, database: str = "sep_trading") -> dict[str, str]:
    """Rows and a hash of every table of a database on the droplet."""
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    names = site.sql(tables, database)
    count = "SELECT '{0}', count(*), sum(hash_record_extended(t, 0)) FROM {0} t;"
    lines = site.sql("\n".join(count.format(name) for name in names.splitlines()), database).splitlines()
    return dict(line.split("|", 1) for line in lines)


def _rows(counted: str) -> int:
    return int(counted.split("|")[0])


def _journal(site: Site, since: str, what: str) -> str:
    return site.machine.ssh(f"journalctl --no-pager -o cat --since '{since}' {what}").stdout.strip()
