"""What systemd and this machine say: units, restarts, certificate, clock, updates, memory; nothing without systemd."""

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired

from sep_trader.errors import SepError
from sep_trader.ops.expected import GRACE, NO_UNITS, Expected
from sep_trader.ops.finding import Finding, Severity
from sep_trader.program import run

TRADER = "sep-trader.service"
TOKEN = Path("/etc/sep-trader/credentials/oanda_api_key")
DEPLOYED = Path("/run/sep-trader-deployed")
"""Touched by each deployment when it begins and when it ends."""
_WATCHED = ("sep-*", "nginx*", "postgresql*", "certbot*", "apt-daily*", "mnt-sep_data*", "fail2ban*")
_NOT_BY_US = ("sep-health.service", "sep-alert@")
"""Units that fail because of what is told here."""
_LOOP_STARTS = 3
_CERTIFICATE_DAYS = 14
_REBOOT_DUE = Path("/run/reboot-required")
_PATIENCE_S = 20.0
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "ActiveEnterTimestamp",
    "ConditionResult", "ConditionTimestamp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemd sees it."""

    name: str
    active: str
    sub: str
    enabled: bool
    restarts: int
    active_since: datetime | None
    condition: bool
    """Whether its conditions held at the last start; True where it was never started."""


def expected(now: datetime) -> Expected:
    """What ought to run here, by the trader's unit; NO_UNITS where systemd has none."""
    found = _units(TRADER)
    if not found:
        return NO_UNITS
    (unit,) = found
    since = max((t for t in (_deployed_at(), _booted_at()) if t is not None), default=None)
    if not unit.enabled:
        return Expected(False, f"{TRADER} is not enabled", since)
    there = _exists(TOKEN, unit.condition)
    return Expected(there, "its unit is enabled, and a token is there" if there else "there is no broker token", since)


def of_machine(now: datetime, hoped: Expected) -> Iterator[Finding]:
    """Ask everything about this machine; nothing on one that has no unit of ours."""
    if hoped is NO_UNITS:
        return
    yield from _of_units(now, hoped)
    yield from _of_restarts(now, hoped)
    yield from _of_certificate(now)
    yield from _of_clock()
    yield from _of_updates()
    due = _REBOOT_DUE.exists()
    yield Finding("reboot", not due, "an update waits for a reboot" if due else "none is due")
    yield from _of_memory()


def _of_units(now: datetime, hoped: Expected) -> Iterator[Finding]:
    told = _output("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", *_WATCHED)
    failed = [line.split()[0] for line in told.splitlines() if line and not line.startswith(_NOT_BY_US)]
    good = not failed or hoped.is_fresh(now)
    yield Finding("units", good, f"failed: {', '.join(failed)}" if failed else "none of ours has failed")
    away = [
        u
        for u in _units("sep-api.service", "nginx.service", "sep-watch.service", "sep-standby.service")
        if u.enabled and u.active != "active"
    ]
    names = ", ".join(f"{u.name} is {u.active} ({u.sub})" for u in away)
    good = not away or hoped.is_fresh(now)
    yield Finding("services", good, names or "those that are enabled run", None if good else Severity.CRITICAL)


def _of_restarts(now: datetime, hoped: Expected) -> Iterator[Finding]:
    looping = [
        unit
        for unit in _units(TRADER, "sep-api.service", "sep-watch.service")
        if unit.restarts >= _LOOP_STARTS
        and (unit.sub == "auto-restart" or (unit.active_since is not None and now - unit.active_since < GRACE))
    ]
    good = not looping or hoped.is_fresh(now)
    told = ", ".join(f"{unit.name} was restarted {unit.restarts} times, and again just now" for unit in looping)
    yield Finding(
        "crash_loop", good, told or "nothing of ours starts again and again", None if good else Severity.CRITICAL
    )


def _of_certificate(now: datetime) -> Iterator[Finding]:
    """The certificate that this machine's port 443 shows, where something answers there."""
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=3) as plain:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its age is asked, not its name
            with context.wrap_socket(plain) as shown:
                der = shown.getpeercert(binary_form=True) or b""
        text = run(
            ["openssl", "x509", "-inform", "der", "-noout", "-enddate"], install="openssl", given=der
        ).output.decode()
        ends = datetime.strptime(text.strip().removeprefix("notAfter="), "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    except (OSError, ValueError, SepError):
        return
    left = (ends - now).days
    yield Finding("certificate", left >= _CERTIFICATE_DAYS, f"valid for {left} more days")


def _of_clock() -> Iterator[Finding]:
    if run(["systemd-detect-virt", "--container", "--quiet"], install="systemd", check=False).status == 0:
        return  # a container's clock is its host's
    told = _output("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip()
    if told in ("yes", "no"):
        yield Finding("clock", told == "yes", "synchronised" if told == "yes" else "not synchronised by NTP")


def _of_updates() -> Iterator[Finding]:
    """Updates of what stands between a stranger and the money, that wait for somebody."""
    lines = _output("apt", "list", "--upgradable").splitlines()
    waiting = [re.split(r"[/ ]", line)[0] for line in lines if line.startswith(("postgresql", "libpq", "timescaledb"))]
    told = f"not yet installed: {', '.join(waiting)}" if waiting else "none of PostgreSQL waits"
    yield Finding("updates", not waiting, told)


def _of_memory() -> Iterator[Finding]:
    """What the kernel or a limit killed for want of memory within the last hour."""
    told = _output(
        "journalctl", "-q", "--no-pager", "-o", "cat", "--since", "-1h", "-g", "killed by the OOM killer|oom-kill"
    )
    lines = [line for line in told.splitlines() if line.strip()]
    yield Finding("memory", not lines, lines[-1] if lines else "nothing was killed for want of it",
                  Severity.CRITICAL if lines else None)  # fmt: skip


def _units(*names: str) -> list[Unit]:
    """Those that systemd knows."""
    text = _output("systemctl", "show", "--timestamp=unix", f"--property={','.join(_PROPERTIES)}", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return [_unit(block) for block in blocks if block.get("LoadState") == "loaded"]


def _unit(told: dict[str, str]) -> Unit:
    tried = told.get("ConditionTimestamp", "") != ""
    return Unit(
        told["Id"],
        told.get("ActiveState", ""),
        told.get("SubState", ""),
        told.get("UnitFileState", "") in ("enabled", "enabled-runtime"),
        int(told.get("NRestarts") or 0),
        _moment(told.get("ActiveEnterTimestamp", "")),
        not tried or told.get("ConditionResult") == "yes",
    )


def _booted_at() -> datetime | None:
    return _moment(_output("systemctl", "show", "--timestamp=unix", "-p", "UserspaceTimestamp", "--value"))


def _deployed_at() -> datetime | None:
    try:
        return datetime.fromtimestamp(DEPLOYED.stat().st_mtime, UTC)
    except OSError:
        return None


def _moment(text: str) -> datetime | None:
    """A time as systemd writes it with --timestamp=unix."""
    text = text.strip().removeprefix("@")
    return datetime.fromtimestamp(float(text), UTC) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def _exists(path: Path, unless_hidden: bool) -> bool:
    """Whether a file is there; `unless_hidden` where we may not look."""
    try:
        return path.exists()
    except PermissionError:
        return unless_hidden


def _output(*command: str) -> str:
    """What a program says; nothing where it is not there or does not answer."""
    try:
        return run(command, install="-", check=False, timeout_s=_PATIENCE_S).output.decode(errors="replace")
    except (SepError, OSError, TimeoutExpired):
        return ""


__all__ = ["DEPLOYED", "TOKEN", "Unit", "expected", "of_machine"]
