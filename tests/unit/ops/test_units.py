"""What systemd, apt and the clock say, by programs in their place: the words of the real ones, on any machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sep_trader.ops import units
from sep_trader.ops.expected import NO_UNITS, Expected
from sep_trader.ops.finding import Finding

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
JUST_NOW = f"@{int(NOW.timestamp()) - 60}"
HOPED = Expected(True, "its unit is enabled, and a token is there")
FINE = {
    "systemctl": "exit 0",
    "timedatectl": "echo yes",
    "apt": "echo 'Listing...'",
    "journalctl": "exit 0",
    "systemd-detect-virt": "exit 1",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program but those of the test, and no file of this machine."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(units, "_REBOOT_DUE", tmp_path / "reboot-required")
    monkeypatch.setattr(units, "DEPLOYED", tmp_path / "deployed")
    monkeypatch.setattr(units, "TOKEN", tmp_path / "token")


def programs(folder: Path, **say: str) -> None:
    for name, text in {**FINE, **say}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


def unit(name: str = "sep-trader.service", **changes: object) -> str:
    told = {
        "Id": name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled",
        "NRestarts": 0, "ActiveEnterTimestamp": f"@{int((NOW - timedelta(days=1)).timestamp())}",
        "ConditionResult": "yes", "ConditionTimestamp": "@1",
    }  # fmt: skip
    lines = "\n".join(f"{key}={value}" for key, value in (told | changes).items())
    return f"cat <<'END'\n{lines}\nEND"


def found() -> dict[str, Finding]:
    return {one.alert: one for one in units.of_machine(NOW, HOPED)}


def test_a_machine_without_our_units_is_asked_nothing(tmp_path: Path) -> None:
    programs(tmp_path, systemctl=unit(LoadState="not-found"))
    assert units.expected(NOW) is NO_UNITS
    assert list(units.of_machine(NOW, NO_UNITS)) == []


@pytest.mark.parametrize(
    ("changes", "token", "trader"),
    [({}, True, True), ({}, False, False), ({"UnitFileState": "disabled"}, True, False)],
)
def test_what_ought_to_run(tmp_path: Path, changes: dict[str, str], token: bool, trader: bool) -> None:
    programs(tmp_path, systemctl=unit(**changes))
    if token:
        (tmp_path / "token").touch()
    hoped = units.expected(NOW)
    assert hoped.trader is trader
    assert not hoped.is_fresh(NOW)


def test_a_deployment_gives_a_grace(tmp_path: Path) -> None:
    programs(tmp_path, systemctl=unit())
    (tmp_path / "deployed").touch()
    made = datetime.fromtimestamp((tmp_path / "deployed").stat().st_mtime, UTC)
    hoped = units.expected(made)
    assert hoped.begun_at == made
    assert hoped.is_fresh(made + timedelta(minutes=4))
    assert not hoped.is_fresh(made + timedelta(minutes=6))


@pytest.mark.parametrize(
    ("say", "alert", "words"),
    [
        ({"timedatectl": "echo no"}, "clock", "not synchronised"),
        ({"apt": "echo 'postgresql-17/noble-pgdg 17.8-1 amd64 [upgradable from: 17.7-1]'"}, "updates", "postgresql-17"),
        ({"journalctl": "echo 'sep-trader.service: A process of this unit has been killed by the OOM killer.'"},
         "memory", "killed by the OOM killer"),
        ({"systemctl": "[ \"$1\" != list-units ] || echo 'sep-backup.service loaded failed failed what'"},
         "units", "sep-backup.service"),
        ({"systemctl": "[ \"$1\" != show ] || " + unit("nginx.service", ActiveState="failed", SubState="failed")},
         "services", "nginx.service is failed"),
        ({"systemctl": "[ \"$1\" != show ] || " + unit(NRestarts=7, SubState="auto-restart", ActiveState="activating")},
         "crash_loop", "7 times"),
        ({"systemctl": "[ \"$1\" != show ] || " + unit(NRestarts=3, ActiveEnterTimestamp=JUST_NOW)},
         "crash_loop", "3 times"),
    ],
)  # fmt: skip
def test_each_fault_is_found_and_none_without_it(tmp_path: Path, say: dict[str, str], alert: str, words: str) -> None:
    programs(tmp_path)
    assert all(one.ok for one in found().values()), found()
    programs(tmp_path, **say)
    assert (found()[alert].ok, words in found()[alert].detail) == (False, True), found()[alert]
    others = {name for name, one in found().items() if not one.ok} - {alert, "services"}
    assert not others


def test_a_reboot_that_is_due(tmp_path: Path) -> None:
    programs(tmp_path)
    assert found()["reboot"].ok
    (tmp_path / "reboot-required").touch()
    assert not found()["reboot"].ok


def test_its_own_failure_is_no_fault(tmp_path: Path) -> None:
    programs(tmp_path, systemctl="[ \"$1\" != list-units ] || echo 'sep-health.service loaded failed failed what'")
    assert found()["units"].ok


def test_in_a_container_the_clock_is_not_asked(tmp_path: Path) -> None:
    programs(tmp_path, timedatectl="echo no", **{"systemd-detect-virt": "exit 0"})
    assert "clock" not in found()
