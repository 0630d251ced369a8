"""The life of a droplet, on a booted machine: deploy again, hand over, trade, break and come back."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from . import base_system
from .machine import run
from .site import DOMAIN, FIGURES, OFFSITE, PASSPHRASE, Site

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(900)]


DROP_IN = "/run/systemd/system/sep-api.service.d/x.conf"


def wait_until_up(site: Site) -> None:
    site.wait_for("the API and the trader", lambda: site.get("/api/status") and is_running(site, "sep-trader"))


def wrong(site: Site, *options: str) -> dict[str, str]:
    """What the health check finds wrong, by name; with --settled without the minutes of grace after a boot."""
    told = json.loads(site.machine.ssh(f"sep health --json {' '.join(options)}", check=False).stdout)
    return {one["alert"]: one["detail"] for one in told["findings"] if not one["ok"]}


def reaches(site: Site, words: str) -> Callable[[], bool]:
    """Whether a message with these words has come since now."""
    before = len(site.told)
    return lambda: any(words in title for title in site.told[before:])


def is_running(site: Site, unit: str) -> bool:
    return site.machine.ssh(f"systemctl is-active {unit}", check=False).stdout.strip() == "active"


@pytest.mark.full
def test_a_second_deployment_changes_nothing(site: Site) -> None:
    start = time.monotonic()
    printed = site.deploy()
    FIGURES["second deployment"] = f"{time.monotonic() - start:.0f} s, 0 changes"
    assert re.search(r"changed=0 .* failed=0", printed), printed[-4000:]
    assert re.search(r"in all +\d+ +0 +0", printed), printed[-2000:]


@pytest.mark.full
def test_a_plan_changes_nothing(site: Site) -> None:
    """Shown is what a machine of 8 GB would get."""
    kept_longer = json.dumps({"offsite_repository": OFFSITE | {"retention-archive": 9}})
    changes = ["backup_time=*-*-*\\ 04:00:00", "memory_gb=8", kept_longer]
    printed = site.deploy("--check", "--diff", *(word for change in changes for word in ("-e", change)))
    assert re.search(r"changed=[1-9]", printed), printed[-2000:]
    planned = dict(re.findall(r"^\+(\w+) = (\w+)$", printed, re.MULTILINE))
    tuning = {"shared_buffers": "2048MB", "effective_cache_size": "6144MB", "work_mem": "64MB"}
    assert planned.items() >= (tuning | {"maintenance_work_mem": "512MB"}).items()
    assert site.sql("SHOW shared_buffers") == "512MB"
    assert "What it archives, and where to" in printed
    assert PASSPHRASE not in printed
    assert "02:00:00" in site.machine.ssh("systemctl cat sep-backup.timer").stdout


def test_a_signed_bundle_arrives_and_is_traded(site: Site) -> None:
    site.machine.ssh("sep trade state active --by rehearsal --reason test")
    site.add_signal(1)
    start = time.monotonic()
    printed = site.sync().stdout
    assert "bundle 1 accepted: 1 new signals, 1 models, 1 pairs changed" in printed
    trade = site.wait_for("an open trade", lambda: open_trade(site), 90)
    FIGURES["signal handed over and traded"] = f"{time.monotonic() - start:.0f} s"
    assert re.fullmatch(r"EUR_USD\|BUY\|OPEN\|\d+", trade)
    assert {trade.split("|")[3]} == site.broker_trades()
    assert "has everything" in site.sync().stdout


def test_a_foreign_bundle_is_refused(site: Site, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "foreign")
    site.add_signal(-1)
    before = handed_over(site)
    refused = site.sync(check=False, SEP_BUNDLE_KEY=str(tmp_path / "foreign"))
    assert refused.returncode == 6
    assert "bundle refused, FOREIGN_SIGNATURE" in refused.stderr
    assert handed_over(site) == before
    assert "bundle 2 accepted: 1 new signals" in site.sync().stdout


def test_an_interrupted_transfer_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.add_candles(30_000)
    site.add_signal(1)
    rsync = tmp_path / "rsync"
    path = f"{tmp_path}:/usr/bin:/bin"
    # The line breaks in the middle of the file: the sender is gone without a word.
    rsync.write_text('#!/bin/sh\nexec timeout -s KILL 3 /usr/bin/rsync --bwlimit=100 "$@"\n')
    rsync.chmod(0o755)
    before = handed_over(site)
    assert site.sync("--candles", "30000", check=False, PATH=path).returncode != 0
    part = site.wait_for("the part", lambda: site.machine.ssh("cat /mnt/sep_data/signals/*.zip | wc -c").stdout.strip())
    assert handed_over(site) == before
    rsync.write_text('#!/bin/sh\nexec /usr/bin/rsync --stats "$@"\n')
    printed = site.sync("--candles", "30000", PATH=path).stdout
    matched = int(re.search(r"Matched data: ([\d,]+) bytes", printed)[1].replace(",", ""))  # type: ignore[index]
    assert matched > int(part) / 2 > 10_000, printed
    assert "bundle 3 accepted: 1 new signals, 0 models, 0 pairs changed, 30000 candles" in printed
    assert site.machine.ssh("ls /mnt/sep_data/signals").stdout == ""


def test_watching_hands_over_what_appears(site: Site) -> None:
    with site.watching():
        for sequence in (4, 5):
            site.add_signal(1)
            site.wait_for(f"bundle {sequence}", partial(lambda n: handed_over(site).endswith(f"|{n}"), sequence))
    told = (site.folder / "watch.log").read_text()
    assert re.findall(r"bundle (\d) accepted: 1 new signals", told) == ["4", "5"], told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_api_answers_outside(site: Site, scheme: str) -> None:
    status = site.get("/api/status", scheme)
    assert (status["trading_state"]["state"], status["open_trades"]) == ("ACTIVE", 1), status
    assert status["broker"]["connected"] is True
    assert site.get("/api/performance/daily?days=30", scheme)[-1]["pair"] == "EUR_USD"
    refused = run("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST",
                  f"{scheme}://{site.machine.address}/api/trading/halt").stdout  # fmt: skip
    assert refused == "401"


def test_a_phone_reduces_and_resumes_through_the_web(site: Site) -> None:
    """The web process has no broker token and no right to the switch: it writes a row, and the trader acts."""
    token = site.machine.ssh("sep token create phone --role operate").stdout.split()[-1]

    def post(what: str) -> dict[str, object]:
        said = run("curl", "-sk", "-X", "POST", "-H", f"Authorization: Bearer {token}", "-H",
                   "content-type: application/json", "-d", '{"reason": "rehearsal"}',
                   f"https://{site.machine.address}/api/trading/{what}").stdout  # fmt: skip
        return dict(json.loads(said))

    answer = post("reduce")
    assert answer.get("answer") == "trading is REDUCING", answer
    assert site.sql("SELECT state, changed_by FROM trading_state") == "REDUCING|phone"
    assert post("resume")["status"] == "DONE"
    assert site.machine.ssh("sep token revoke phone").stdout
    site.wait_for("the token to be void", lambda: post("halt").get("status") == 401, 10)


def test_all_is_well_and_the_dead_mans_switch_hears_so(site: Site) -> None:
    site.wait_for("health without a fault", lambda: not wrong(site, "--settled"), 90)
    assert site.pings >= 2, "it is asked every minute, and some have passed"


def test_halted_is_told_within_five_seconds(site: Site) -> None:
    told = reaches(site, "trading is HALTED: look (by rehearsal)")
    start = time.monotonic()
    site.machine.ssh("sep trade state halted --by rehearsal --reason look")
    site.wait_for("the message", told, 15)
    FIGURES["HALTED told"] = f"{time.monotonic() - start:.1f} s, ssh included"
    assert time.monotonic() - start < 5
    site.machine.ssh("sep trade state active --by rehearsal --reason go")


@pytest.mark.parametrize(
    ("make", "unmake", "alert"),
    [
        (f"printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >{DROP_IN}", f"rm {DROP_IN}", "crash_loop"),
        # This machine's container enforces no limit of memory: the journal's words stand for the deed.
        ("logger 'sep-hog.service: A process of this unit has been killed by the OOM killer.'",
         "journalctl -q --rotate --vacuum-time=1s", "memory"),
        ("systemd-run -q --unit=sep-broken -p OnFailure=sep-alert@sep-broken.service.service /bin/false",
         "systemctl reset-failed sep-broken", "units"),
        ("touch /run/reboot-required", "rm /run/reboot-required", "reboot"),
        ("systemctl stop nginx", "systemctl start nginx", "services"),
    ],
    ids=["crash loop", "memory", "failed unit", "reboot due", "service down"],
)  # fmt: skip
def test_what_systemd_sees_is_found(site: Site, make: str, unmake: str, alert: str) -> None:
    told = reaches(site, "sep-broken.service failed")
    looped = "api" in make
    site.machine.ssh(("mkdir -p /run/systemd/system/sep-api.service.d; " if looped else "") + make)
    if looped:
        site.machine.ssh("systemctl daemon-reload; systemctl restart sep-api", check=False)
    try:
        site.wait_for(f"the finding {alert}", lambda: alert in wrong(site, "--settled"))
        if alert == "units":
            site.wait_for("the unit's own alarm", told)
    finally:
        site.machine.ssh(unmake, check=False)
        if looped:
            site.machine.ssh("systemctl daemon-reload; systemctl reset-failed sep-api; systemctl restart sep-api")
    site.wait_for("all well again", lambda: alert not in wrong(site, "--settled"))


def test_a_certificate_that_ends_soon_is_found(site: Site) -> None:
    folder = f"/etc/letsencrypt/live/{DOMAIN}"
    make = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 -subj /CN={DOMAIN}"
    site.machine.ssh(f"cp -a {folder} /root/tls; {make} -keyout {folder}/privkey.pem -out {folder}/fullchain.pem;"
                     " systemctl reload nginx")  # fmt: skip
    try:
        site.wait_for("the finding", lambda: "certificate" in wrong(site))
    finally:
        site.machine.ssh(f"cp -a /root/tls/. {folder}; rm -r /root/tls; systemctl reload nginx")
    site.wait_for("all well again", lambda: "certificate" not in wrong(site))


@pytest.mark.parametrize(
    "unit", ["sep-trader", "sep-api", "nginx", "fail2ban", f"postgresql@{base_system.POSTGRES}-main"]
)
def test_a_killed_service_comes_back(site: Site, unit: str) -> None:
    before = site.machine.ssh(f"systemctl show -p MainPID --value {unit}").stdout.strip()
    site.machine.ssh(f"kill -9 {before}")

    def back() -> bool:
        now = site.machine.ssh(f"systemctl show -p MainPID --value {unit}").stdout.strip()
        return now not in ("0", before) and is_running(site, unit)

    site.wait_for(f"{unit} after kill -9", back)
    wait_until_up(site)


def test_a_stopped_trader_is_told_and_when_it_is_back(site: Site) -> None:
    # No grace for the deployment, and that of the boot is over by now, or soon.
    site.machine.ssh("rm -f /run/sep-trader-deployed")
    moment = site.machine.ssh("systemctl show --timestamp=unix -p UserspaceTimestamp --value").stdout
    time.sleep(max(0.0, float(moment.strip().removeprefix("@")) + 301 - time.time()))
    told, over = reaches(site, "though it ought to run"), reaches(site, "trader: over")
    site.machine.ssh("systemctl stop sep-trader")
    site.wait_for("the message", told, 60)
    assert "stopped" in wrong(site)["trader"]
    site.machine.ssh("systemctl start sep-trader")
    site.wait_for("the good news", over, 60)


def test_a_reboot_comes_back(site: Site) -> None:
    trades = open_trade(site)
    site.machine.reboot()
    wait_until_up(site)
    assert site.wait_for("the trades", lambda: open_trade(site)) == trades
    assert site.machine.ssh("ufw status").stdout.startswith("Status: active")


def test_killing_the_whole_machine_loses_no_committed_execution(site: Site) -> None:
    """Executions are committed one after the other, and each is told here when it is; then everything is killed."""
    trades = open_trade(site)
    insert = """WITH signal AS (
        INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,
            stop_distance, horizon, expires_at, status, reason_code, decided_at)
        VALUES (gen_random_uuid(), 'EUR_USD', 'model', 'M1', clock_timestamp(), 1, 0.5, '{}', 0.01, '1 day', now(),
            'REFUSED', 'PAIR_BUSY', now()) RETURNING id)
    INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,
        intent_transaction_id, expected_price)
    SELECT id, 'another', 'EUR_USD', id::text, 'REJECTED', 1, now(), 1, 1 FROM signal RETURNING id;"""
    command = "runuser -u postgres -- psql -XAtqd sep_trading -v ON_ERROR_STOP=1 -f -"
    with subprocess.Popen(site.machine.ssh_command(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as writer:  # fmt: skip
        assert writer.stdin is not None and writer.stdout is not None
        writer.stdin.write(f"SELECT 1;\n{insert}\n\\watch 0.001\n")
        writer.stdin.close()
        # A row's whole line: the last one may be cut.
        rows = (line.strip() for line in writer.stdout if re.fullmatch(r"\d+\n", line))
        told = [next(rows) for _ in range(200)]
        site.machine.cut_power()
        writer.kill()  # nobody tells it that the other end is gone
        told += rows
    site.machine.boot()
    wait_until_up(site)
    kept = set(site.sql("SELECT id FROM trade_executions WHERE account_id = 'another'").splitlines())
    assert set(told[1:]) <= kept  # the first is the answer to SELECT 1
    assert open_trade(site) == trades


def open_trade(site: Site) -> str:
    return site.sql("SELECT pair, side, status, trade_id FROM v_open_trades WHERE status = 'OPEN' ORDER BY trade_id")


def handed_over(site: Site) -> str:
    """How many signals there are, and the number of the last bundle."""
    return site.sql(
        "SELECT (SELECT count(*) FROM trading_signals), (SELECT coalesce(max(sequence), 0) FROM bundle_receipts)"
    )
