"""A freshly deployed droplet as an attacker and an auditor see it: ports, ssh, TLS, units, roles, secrets, updates."""

import json
import re
import resource
import select
import socket
import time
from pathlib import Path

import pytest

from . import base_system
from .machine import BIN, run
from .site import DOMAIN, FIGURES, PASSPHRASE, SECRET, TOKEN, Site

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(900)]

OPEN_PORTS = {22, 80, 443}
# A unit named here that the playbook no longer installs has no exposure to read, and fails its test.
UNITS = ["sep-trader", "sep-api", "sep-watch", "sep-standby", "sep-backup", "sep-backup-verify", "sep-maintenance",
         "sep-health", "sep-wal-backup", "sep-daily", "sep-statement", "sep-alert@test",
         "sep-archive-drill"]  # fmt: skip


def open_ports(address: str, patience_s: float = 2.5) -> set[int]:
    """TCP ports that take a connection. The kernel is asked after the time is up: a slow scanner misses nothing."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    size = min(33_000, limit[1] // 2)
    found = set()
    for first in range(1, 65536, size):
        sockets = {}
        poll = select.poll()
        for port in range(first, min(first + size, 65536)):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex((address, port))
            sockets[knocking.fileno()] = (port, knocking)
            poll.register(knocking, select.POLLOUT)
        time.sleep(patience_s)  # a lost packet is sent again after a second
        for descriptor, _ in poll.poll(0):
            port, knocking = sockets[descriptor]
            if knocking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.add(port)
        for _, knocking in sockets.values():
            knocking.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    return found


def test_nothing_failed(site: Site) -> None:
    failed = site.machine.ssh("systemctl --failed --no-legend --plain").stdout.strip()
    words = site.machine.ssh(f"journalctl --no-pager -n 40 -u {failed.split()[0]}").stdout if failed else ""
    assert failed == "", words


def test_the_disk_suffices(site: Site) -> None:
    """On an SSD of 25 GB: what the deployment put there, and the gigabyte that the journal may grow to."""
    used = int(run("du", "-sxm", site.machine.root).stdout.split()[0])
    FIGURES["root disk after deployment"] = f"{used} MB of 25,000"
    assert used + 1024 < 25_000 / 2
    assert "SystemMaxUse=1G" in site.machine.ssh("cat /etc/systemd/journald.conf.d/sep-trader.conf").stdout


def test_open_ports_from_outside(site: Site) -> None:
    assert open_ports(site.machine.address) == OPEN_PORTS


def test_port_8080_answers_the_machine_itself(site: Site) -> None:
    assert site.machine.ssh("curl -fsS http://127.0.0.1:8080/healthz").stdout.startswith("{")
    told = site.machine.ssh("curl -s http://127.0.0.1:8080/api/status").stdout
    assert json.loads(told)["status"] == 401


def test_no_login_by_password(site: Site) -> None:
    options = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive"]
    refused = site.machine.ssh("true", check=False, options=options)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_an_audit_of_ssh_finds_nothing_but_the_way_in_for_older_clients(site: Site) -> None:
    """x25519 is not post-quantum; it is what a phone at night may have."""
    audit = json.loads(run(BIN / "ssh-audit", "-j", site.machine.address, check=False).stdout)
    found = {
        (kind, one["algorithm"], note)
        for kind in ("kex", "key", "enc", "mac")
        for one in audit[kind]
        for level in ("fail", "warn")
        for note in one["notes"].get(level, [])
    }
    assert {name for _, name, _ in found} <= {"curve25519-sha256", "curve25519-sha256@libssh.org"}, found
    assert audit["kex"][0]["algorithm"] == "sntrup761x25519-sha512@openssh.com"
    assert site.machine.ssh("true", options=["-o", "KexAlgorithms=curve25519-sha256"]).returncode == 0
    spoken = site.machine.ssh("true", options=["-v"])
    assert "kex: algorithm: sntrup761x25519-sha512@openssh.com" in spoken.stderr


def test_the_key_of_the_hand_over_opens_nothing_else(site: Site) -> None:
    """Its user has no other key, and the one it has starts one program; root and every other user do not know it."""
    machine = site.machine
    options = ["-i", str(site.folder / "handover_key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
               "-o", f"UserKnownHostsFile={machine.known_hosts}"]  # fmt: skip

    def ask(*words: str, user: str = "sep-handover") -> tuple[int, str]:
        done = run("ssh", *options, *words[:-1], f"{user}@{machine.address}", words[-1], check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = ask("receipt")
    assert (code, '"sequence":0' in said) == (0, True), said
    for words in ("id", "cat /etc/passwd", "import ../../../etc/shadow", "sep trade state active"):
        code, said = ask(words)
        assert code == 77 and "hand-over:" in said, (words, said)
    for user in ("root", "sep-trader"):
        assert ask("true", user=user)[0] == 255
    assert "forward" in ask("-o", "ExitOnForwardFailure=yes", "-R", "5555:127.0.0.1:5432", "receipt")[1]
    assert ask("-W", "127.0.0.1:5432", "")[0] != 0
    rsync = ["rsync", "-e", "ssh " + " ".join(options)]
    there = f"sep-handover@{machine.address}"
    assert run(*rsync, f"{there}:/etc/passwd", str(site.folder / "taken"), check=False).returncode != 0
    assert not (site.folder / "taken").exists()
    run(*rsync, machine.key.with_suffix(".pub"), f"{there}:/etc/sep-trader/handover_keys", check=False)
    assert "command=" in machine.ssh("cat /etc/sep-trader/handover_keys").stdout
    machine.ssh("rm -rf /mnt/sep_data/signals/*")


def test_an_audit_of_tls_finds_nothing(site: Site) -> None:
    """Mozilla's intermediate profile. The stores of the browsers know no authority of a test, which is the one finding
    allowed; that the chain and the name are good is asked of openssl, which is told the authority."""
    audit = run(BIN / "sslyze", "--mozilla_config=intermediate", "--sni", DOMAIN, site.machine.address, check=False)
    assert "Checking results against Mozilla" in audit.stdout, audit.stdout + audit.stderr
    findings = set(re.findall(r"^ +\* (\w+): ", audit.stdout.split("COMPLIANCE AGAINST")[1], re.MULTILINE))
    assert findings == {"certificate_path_validation"}, audit.stdout
    good = run("openssl", "s_client", "-connect", f"{site.machine.address}:443", "-servername", DOMAIN, "-CAfile",
               site.authority, "-verify_hostname", DOMAIN, "-verify_return_error", check=False, input="")  # fmt: skip
    assert "Verify return code: 0 (ok)" in good.stdout, good.stdout + good.stderr
    headers = run("curl", "-skI", "-X", "GET", f"https://{site.machine.address}/api/status").stdout.lower()
    assert "strict-transport-security: max-age=31536000" in headers


def test_by_its_name_everybody_is_sent_to_tls(site: Site) -> None:
    plain = f"http://{site.machine.address}/api/status"
    named = run("curl", "-sI", "-X", "GET", "-H", f"Host: {DOMAIN}", plain).stdout.lower()
    assert named.startswith("http/1.1 301") and f"location: https://{DOMAIN}/api/status" in named
    by_address = run("curl", "-sI", "-X", "GET", plain).stdout.lower()
    assert by_address.startswith("http/1.1 401")
    assert "strict-transport-security" not in by_address


def test_who_knocks_too_often_is_shut_out(site: Site) -> None:
    """From another address than ours, or the rehearsal would end here."""
    machine = site.machine
    with machine.another_address() as address:
        # A ban that comes in the middle of a connection leaves ssh waiting for an answer that is thrown away.
        knock = ["timeout", "15", "ssh", "-b", address, "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-o",
                 "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityFile=/dev/null",
                 f"intruder@{machine.address}", "true"]  # fmt: skip
        assert "Permission denied" in run(*knock, check=False).stderr

        def banned() -> bool:
            run(*knock, check=False)
            return address in machine.ssh("fail2ban-client status sshd").stdout

        site.wait_for("the ban", banned)
        assert "Permission denied" not in run(*knock, check=False).stderr
    machine.ssh("true")


def test_units_are_hardened(site: Site) -> None:
    levels = {}
    for unit in UNITS:
        told = site.machine.ssh(f"systemd-analyze security --no-pager {unit}.service | tail -1").stdout
        levels[unit] = float(re.search(r"(\d+\.\d) ", told)[1])  # type: ignore[index]
    FIGURES["exposure by systemd-analyze security"] = ", ".join(f"{u} {level}" for u, level in levels.items())
    assert max(levels.values()) <= 2.0, levels


def test_the_token_is_the_traders_alone(site: Site) -> None:
    for user in ("sep-api", "sep-ops", "sep-trader", "nobody"):
        read = site.machine.ssh(f"runuser -u {user} -- cat /etc/sep-trader/credentials/oanda_api_key", check=False)
        assert "Permission denied" in read.stderr
    pid = site.machine.ssh("systemctl show -p MainPID --value sep-trader").stdout.strip()
    assert TOKEN not in site.machine.ssh(f"tr '\\0' '\\n' < /proc/{pid}/environ; ps -ef").stdout
    assert site.machine.ssh(f"grep -rlF {TOKEN} /etc /var /opt /root", check=False).stdout.splitlines() == [
        "/etc/sep-trader/credentials/oanda_api_key"
    ]


def test_who_may_connect_to_the_database(site: Site) -> None:
    def answer(user: str, role: str, host: str = "/var/run/postgresql") -> str:
        return ask(site, user, role, "SELECT current_user", host)

    assert answer("sep-trader", "sep_trader") == "sep_trader"
    assert answer("sep-api", "sep_report") == "sep_report"
    assert answer("sep-ops", "sep_backup") == "sep_backup"
    assert answer("sep-ops", "sep_migrate") == "sep_owner"
    assert answer("sep-api", "sep_control") == "sep_control"
    assert answer("sep-watch", "sep_watch") == "sep_watch"
    assert answer("sep-handover", "sep_import") == "sep_import"
    assert "(0 rows)" in site.machine.ssh("psql -d sep_trading -c 'SELECT * FROM v_open_trades;'").stdout
    assert "Peer authentication failed" in answer("sep-handover", "sep_trader")
    assert "Peer authentication failed" in answer("sep-watch", "sep_trader")
    assert "Peer authentication failed" in answer("sep-api", "sep_trader")
    assert "Peer authentication failed" in answer("sep-trader", "sep_migrate")
    assert "Peer authentication failed" in answer("nobody", "sep_report")
    assert "pg_hba.conf rejects connection" in answer("sep-ops", "sep_owner")
    assert "pg_hba.conf rejects connection" in answer("sep-trader", "sep_trader", "127.0.0.1")


@pytest.mark.parametrize(
    ("user", "role", "statement"),
    [
        ("sep-trader", "sep_trader", "DELETE FROM trade_executions"),
        ("sep-trader", "sep_trader", "DELETE FROM system_logs"),
        ("sep-trader", "sep_trader", "UPDATE system_logs SET message = ''"),
        ("sep-trader", "sep_trader", "DROP TABLE trading_signals"),
        ("sep-api", "sep_report", "SET default_transaction_read_only = off; UPDATE trading_state SET state = 'ACTIVE'"),
        ("sep-ops", "sep_backup", "SET default_transaction_read_only = off; DELETE FROM trade_executions"),
        ("sep-ops", "sep_migrate", "CREATE ROLE another"),
        ("sep-handover", "sep_import", "UPDATE trading_state SET state = 'ACTIVE'"),
        ("sep-api", "sep_report", "SELECT pg_advisory_lock(7305842218114302)"),
        ("sep-api", "sep_report", "SET default_transaction_read_only = off; SELECT lo_create(0)"),
        ("sep-ops", "sep_backup", "SELECT rolpassword FROM pg_authid"),
    ],
)
def test_what_a_role_may_not_do(site: Site, user: str, role: str, statement: str) -> None:
    """That the rights of tests/integration/ops/test_roles.py are those of the deployed database."""
    answer = ask(site, user, role, statement)
    assert re.search(r"ERROR:  (permission denied|must be owner)", answer), answer


def test_the_server_is_as_designed(site: Site) -> None:
    names = "shared_buffers effective_cache_size work_mem maintenance_work_mem data_checksums archive_timeout".split()
    shown = site.sql("".join(f"SHOW {name};" for name in names)).splitlines()
    assert shown == ["512MB", "1536MB", "16MB", "128MB", "on", "1min"]  # of 2 GB, which the rehearsal reckons with
    assert site.sql("SHOW data_directory").startswith("/mnt/sep_data/postgresql/")
    held = site.machine.ssh("apt-mark showhold").stdout.split()
    assert {f"postgresql-{base_system.POSTGRES}", f"postgresql-client-{base_system.POSTGRES}"} <= set(held)
    extension = site.sql("SELECT extname FROM pg_extension WHERE extname = 'timescaledb'")
    assert extension == ("timescaledb" if base_system.TIMESCALEDB else "")


def test_updates_come_while_the_market_is_closed(site: Site) -> None:
    timer = site.machine.ssh("systemctl show -p TimersCalendar apt-daily-upgrade.timer").stdout
    assert re.findall(r"OnCalendar=([^;]+?) ;", timer) == ["Sat,Sun *-*-* 06:00:00"]
    daily = site.machine.ssh("systemctl show -p TimersCalendar sep-exposed-upgrades.timer").stdout
    assert re.findall(r"OnCalendar=([^;]+?) ;", daily) == ["*-*-* 22:05:00 UTC"]
    site.machine.ssh("systemctl start sep-exposed-upgrades.service")
    kept = site.machine.ssh("apt-config dump Unattended-Upgrade::Package-Blacklist").stdout
    assert "postgresql-" in kept and "timescaledb-" in kept


def test_the_timers_are_the_designs(site: Site) -> None:
    def calendar(name: str) -> list[str]:
        told = site.machine.ssh(
            f"systemctl show -p TimersCalendar {name}.timer; systemctl is-active {name}.timer"
        ).stdout
        assert told.rstrip().endswith("active"), told
        return re.findall(r"OnCalendar=([^;]+?) ;", told)

    assert calendar("sep-backup") == ["*-*-* 02:00:00 UTC"]
    assert calendar("sep-backup-verify") == ["Sat *-*-* 08:00:00 UTC"]
    assert calendar("sep-archive-drill") == ["Sat *-*-* 09:00:00 UTC"]
    assert calendar("sep-maintenance") == ["*-*-* 22:30:00 UTC"]
    assert calendar("sep-statement") == ["*-*-* 22:15:00 UTC"]
    assert calendar("sep-daily") == ["*-*-* 22:20:00 UTC"]
    assert calendar("sep-health") == ["*-*-* *:00/5:00 UTC"]


def ask(site: Site, user: str, role: str, statement: str, host: str = "/var/run/postgresql") -> str:
    """What psql prints for a user of the machine who connects as a role."""
    done = site.machine.ssh(
        f"runuser -u {user} -- psql -XAtq 'host={host} user={role} dbname=sep_trading' -f -",
        check=False,
        stdin=statement,
    )
    return done.stdout.strip() or done.stderr


def test_no_secret_in_what_was_printed(site: Site) -> None:
    printed = Path(site.folder / "deploy.log").read_text()
    assert not [secret for secret in (TOKEN, PASSPHRASE, SECRET) if secret in printed]
