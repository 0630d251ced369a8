"""The life of a droplet, on a booted machine: deploy, hand over, trade, break, restore, rebuild."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from .machine import run
from .site import FIGURES, Site

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(900)]

UNITS = ["sep-trader", "sep-api", "sep-backup", "sep-backup-verify", "sep-maintenance", "sep-health", "sep-wal-backup"]
OPEN_PORTS = {22, 80, 443}


def open_trades(site: Site) -> str:
    return site.sql("SELECT pair, side, status, trade_id FROM v_open_trades ORDER BY trade_id")


def wait_until_up(site: Site) -> None:
    site.wait_for("the API and the trader", lambda: site.get("/api/status") and is_running(site, "sep-trader"))


def is_running(site: Site, unit: str) -> bool:
    return site.machine.ssh(f"systemctl is-active {unit}", check=False).stdout.strip() == "active"


def test_a_second_deployment_changes_nothing(site: Site) -> None:
    start = time.monotonic()
    printed = site.deploy()
    FIGURES["second deployment"] = f"{time.monotonic() - start:.0f} s"
    assert re.search(r"changed=0 .* failed=0", printed), printed[-4000:]
    assert re.search(r"in all +\d+ +0 +0", printed), printed[-2000:]


def test_a_plan_changes_nothing(site: Site) -> None:
    printed = site.deploy("--check", "-e", "backup_time=*-*-*\\ 04:00:00")
    assert re.search(r"changed=[1-9]", printed), printed[-2000:]
    assert "02:00:00" in site.machine.ssh("systemctl cat sep-backup.timer").stdout


def test_nothing_failed(site: Site) -> None:
    assert site.machine.ssh("systemctl --failed --no-legend --plain").stdout.strip() == ""
    used = site.machine.ssh("df --output=used -BM / | tail -1").stdout.strip()
    FIGURES["root disk after deployment"] = used


def test_open_ports_from_outside(site: Site) -> None:
    async def is_open(port: int, slots: asyncio.Semaphore) -> bool:
        async with slots:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(site.machine.address, port), 0.5)
            except (TimeoutError, OSError):
                return False
            writer.close()
            return True

    async def scan() -> set[int]:
        slots = asyncio.Semaphore(800)
        found = await asyncio.gather(*(is_open(port, slots) for port in range(1, 65536, 1)))
        return {port for port, answer in enumerate(found, 1) if answer}

    assert asyncio.run(scan()) == OPEN_PORTS


def test_no_login_by_password(site: Site) -> None:
    options = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive"]
    refused = site.machine.ssh("true", check=False, options=options)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_who_may_connect_to_the_database(site: Site) -> None:
    def answer(user: str, role: str, host: str = "/var/run/postgresql") -> str:
        done = site.machine.ssh(f"runuser -u {user} -- psql -XAtqc 'SELECT current_user' "
                                f"'host={host} user={role} dbname=sep_trading'", check=False)  # fmt: skip
        return done.stdout.strip() or done.stderr

    assert answer("sep-trader", "sep_trader") == "sep_trader"
    assert answer("sep-api", "sep_report") == "sep_report"
    assert answer("sep-ops", "sep_backup") == "sep_backup"
    assert answer("sep-ops", "sep_migrate") == "sep_owner"
    assert "Peer authentication failed" in answer("sep-api", "sep_trader")
    assert "Peer authentication failed" in answer("sep-trader", "sep_migrate")
    assert "Peer authentication failed" in answer("nobody", "sep_report")
    assert "pg_hba.conf rejects connection" in answer("sep-ops", "sep_owner")
    assert "pg_hba.conf rejects connection" in answer("sep-trader", "sep_trader", "127.0.0.1")


def test_the_token_is_the_traders_alone(site: Site) -> None:
    for user in ("sep-api", "sep-ops", "sep-trader", "nobody"):
        read = site.machine.ssh(f"runuser -u {user} -- cat /etc/sep-trader/credentials/oanda_api_key", check=False)
        assert read.returncode != 0
    pid = site.machine.ssh("systemctl show -p MainPID --value sep-trader").stdout.strip()
    assert "rehearsal-token" not in site.machine.ssh(f"tr '\\0' '\\n' < /proc/{pid}/environ; ps -ef").stdout


def test_units_are_hardened(site: Site) -> None:
    levels = {}
    for unit in UNITS:
        told = site.machine.ssh(f"systemd-analyze security --no-pager {unit}.service | tail -1").stdout
        levels[unit] = float(re.search(r"(\d+\.\d) ", told)[1])  # type: ignore[index]
    FIGURES["exposure by systemd-analyze security"] = ", ".join(f"{u} {level}" for u, level in levels.items())
    assert max(levels.values()) <= 2.0, levels


def test_a_signed_bundle_arrives_and_is_traded(site: Site) -> None:
    site.machine.ssh("sep trade state active --by rehearsal --reason test")
    site.add_signal(1)
    printed = site.sync().stdout
    assert "bundle 1 accepted: 1 new signals, 1 models, 1 pairs changed" in printed
    assert "has everything" in site.sync().stdout
    trade = site.wait_for("an open trade", lambda: open_trades(site) if "OPEN" in open_trades(site) else "", 90)
    assert re.fullmatch(r"EUR_USD\|BUY\|OPEN\|\d+", trade)


def test_a_foreign_bundle_is_refused(site: Site, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "foreign")
    site.add_signal(-1)
    before = site.sql("SELECT count(*) FROM trading_signals"), site.sql("SELECT max(sequence) FROM bundle_receipts")
    refused = site.sync(key=tmp_path / "foreign", check=False)
    assert refused.returncode == 6
    assert "bundle refused, FOREIGN_SIGNATURE" in refused.stderr
    now = site.sql("SELECT count(*) FROM trading_signals"), site.sql("SELECT max(sequence) FROM bundle_receipts")
    assert now == before
    assert "bundle 2 accepted: 1 new signals" in site.sync().stdout


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_api_answers_outside(site: Site, scheme: str) -> None:
    status = site.get("/api/status", scheme)
    assert status["trading"]["state"] == "ACTIVE" if "trading" in status else status
    site.get("/api/performance/daily?days=30", scheme)
    refused = run("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST",
                  f"{scheme}://{site.machine.address}/api/status").stdout  # fmt: skip
    assert refused == "403"


def test_old_tls_is_refused(site: Site) -> None:
    where = f"{site.machine.address}:443"
    for version, accepted in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        done = run(
            "openssl", "s_client", version, "-cipher", "ALL@SECLEVEL=0", "-connect", where, check=False, input=""
        )
        assert ("Cipher is (NONE)" not in done.stdout and done.returncode == 0) == accepted, (version, done.stderr)


@pytest.mark.parametrize("unit", ["sep-trader", "sep-api", "nginx", "fail2ban", "postgresql@15-main"])
def test_a_killed_service_comes_back(site: Site, unit: str) -> None:
    before = site.machine.ssh(f"systemctl show -p MainPID --value {unit}").stdout.strip()
    site.machine.ssh(f"kill -9 {before}")

    def back() -> bool:
        now = site.machine.ssh(f"systemctl show -p MainPID --value {unit}").stdout.strip()
        return now not in ("0", before) and is_running(site, unit)

    site.wait_for(f"{unit} after kill -9", back)
    wait_until_up(site)


def test_a_reboot_comes_back(site: Site) -> None:
    trades = open_trades(site)
    site.machine.reboot()
    wait_until_up(site)
    assert site.wait_for("the trades", lambda: open_trades(site)) == trades
    assert site.machine.ssh("ufw status").stdout.startswith("Status: active")


def test_backup_and_its_restore_test(site: Site) -> None:
    site.machine.ssh("systemctl start sep-backup.service sep-backup-verify.service")
    listed = site.machine.ssh("sep backup list --json").stdout
    assert '"fault":null' in listed
    assert re.search(r'"verified_at":"20', listed), listed
    health = site.machine.ssh("sep health", check=False)
    assert health.returncode == 0, health.stdout


def test_back_to_before_a_dropped_table(site: Site) -> None:
    counted = site.sql("SELECT count(*) FROM trading_signals")
    moment = site.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
    time.sleep(2.1)  # the moment is given in whole seconds
    site.sql("DROP TABLE bundle_receipts CASCADE; DELETE FROM system_logs")
    start = time.monotonic()
    site.machine.ssh(f"sep backup restore --at '{_next_second(moment)}'")
    FIGURES["point-in-time restore"] = f"{time.monotonic() - start:.0f} s"
    assert site.sql("SELECT max(sequence) FROM bundle_receipts") == "2"
    assert site.sql("SELECT count(*) FROM trading_signals") == counted
    assert site.sql("SELECT state FROM trading_state") == "HALTED"
    wait_until_up(site)


def test_a_rebuilt_machine_adopts_the_volume(site: Site) -> None:
    site.machine.ssh("sep trade state active --by rehearsal --reason rebuild")
    trades = open_trades(site)
    executions = site.sql("SELECT jsonb_agg(to_jsonb(e) ORDER BY id) FROM trade_executions e")
    assert "OPEN" in trades
    site.machine.cut_power()
    site.machine.build_root()
    site.machine.boot()
    start = time.monotonic()
    site.deploy()
    FIGURES["rebuild with the volume kept"] = f"{time.monotonic() - start:.0f} s"
    wait_until_up(site)
    assert open_trades(site) == trades
    assert site.sql("SELECT jsonb_agg(to_jsonb(e) ORDER BY id) FROM trade_executions e") == executions
    site.add_signal(1)
    assert "bundle 3 accepted: 1 new signals" in site.sync().stdout
    site.wait_for(
        "the signal's end", lambda: site.sql("SELECT count(*) FROM trading_signals WHERE status = 'NEW'") == "0"
    )


def test_a_volume_that_holds_something_else_is_left_alone(site: Site) -> None:
    """A disk with a foreign signature in place of the volume: the deployment stops and says so."""
    site.machine.ssh(
        "truncate -s 64M /root/disk.img && printf 'LUKS\\xba\\xbe\\0\\1' | dd of=/root/disk.img conv=notrunc"
    )
    before = site.machine.ssh("sha256sum /root/disk.img").stdout
    printed = site.deploy("-e", "volume_device=/root/disk.img", check=False)
    assert "is left alone" in printed
    assert site.machine.ssh("sha256sum /root/disk.img").stdout == before


def _next_second(moment: str) -> str:
    from datetime import datetime, timedelta

    return str(datetime.fromisoformat(moment) + timedelta(seconds=1))
