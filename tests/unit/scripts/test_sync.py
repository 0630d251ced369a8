"""scripts/sync_to_droplet.sh --watch tells its owner when the droplet is silent, once, and when it is back."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.waiting import wait_until

SCRIPT = Path(__file__).parents[3] / "scripts/sync_to_droplet.sh"


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_droplet_that_is_off_is_told_once_and_when_it_is_back(tmp_path: Path) -> None:
    off, told, calls = tmp_path / "off", tmp_path / "told", tmp_path / "calls"
    program(tmp_path / "ssh", f'echo x >>{calls}; [ ! -e {off} ] || exit 255; echo "{{}}"')
    # It has nothing to hand over, and keeps what it is asked to tell.
    program(tmp_path / "sep", f'[ "$1" != alert ] || echo "$3|$6" >>{told}')
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SEP": str(tmp_path / "sep"),
        "SEP_OUTBOX": str(tmp_path / "outbox"), "SEP_SYNC_EVERY": "0.1", "SEP_SYNC_ALARM": "2",
    }  # fmt: skip
    off.touch()
    with subprocess.Popen(
        [SCRIPT, "root@droplet", "--watch"], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_until(told.exists, 10)
            assert told.read_text().splitlines() == ["droplet does not answer|critical"]
            before = len(calls.read_text().splitlines())
            wait_until(lambda: len(calls.read_text().splitlines()) > before + 5, 10)
            assert len(told.read_text().splitlines()) == 1
            off.unlink()
            wait_until(lambda: len(told.read_text().splitlines()) == 2, 10)
            assert told.read_text().splitlines()[1] == "droplet answers again|info"
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_the_alarm_comes_within_three_minutes() -> None:
    """Two minutes of silence, the 5 s between two tries, and ssh's own patience."""
    text = SCRIPT.read_text()
    assert "${SEP_SYNC_ALARM:-120}" in text
    assert "${SEP_SYNC_EVERY:-5}" in text
    assert "ConnectTimeout=20" in text


def test_the_lock_is_not_inherited_by_what_ssh_leaves_behind(tmp_path: Path) -> None:
    """As a shared connection of ssh's ControlPersist does."""
    program(tmp_path / "ssh", 'sleep 30 & echo "{}"')
    program(tmp_path / "sep", "true")
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SEP": str(tmp_path / "sep"),
        "SEP_OUTBOX": str(tmp_path / "outbox"),
    }  # fmt: skip
    for _ in range(2):
        done = subprocess.run([SCRIPT, "root@droplet"], env=environment, timeout=20, check=False)
        assert done.returncode == 0, "another one runs"


def test_it_logs_in_by_the_key_of_the_hand_over_and_brings_home_what_happened(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    program(tmp_path / "ssh", f'echo "$*" >>{tmp_path}/asked; echo "{{}}"')
    program(tmp_path / "rsync", f'echo "rsync $*" >>{tmp_path}/asked')
    program(tmp_path / "sep", f'echo "$*" >>{tmp_path}/done; [ "$2" != export ] || echo {tmp_path}/bundle_000001.zip')
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SEP": str(tmp_path / "sep"),
        "SEP_OUTBOX": str(tmp_path / "outbox"), "SEP_HANDOVER_KEY": str(tmp_path / "key"),
    }  # fmt: skip
    subprocess.run([SCRIPT, "droplet"], env=environment, timeout=20, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split("handover ", 1)[-1] for line in asked if "rsync" not in line and "-O exit" not in line] == [
        "receipt", "results", "import bundle_000001.zip",
    ]  # fmt: skip
    assert all("sep-handover@droplet" in line and f"-i {tmp_path}/key" in line for line in asked)
    assert any(line.endswith("sep-handover@droplet:") for line in asked if line.startswith("rsync"))
    did = [line.split()[:2] for line in (tmp_path / "done").read_text().splitlines()]
    assert did == [["results", "receipt"], ["results", "import"], ["signals", "export"]]


def test_without_its_key_it_says_what_to_do(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([SCRIPT, "droplet"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "deploy, which makes it, or say root@droplet" in done.stderr


DEPLOY = Path(__file__).parents[3] / "scripts/deploy_to_droplet.sh"


def test_a_settings_file_is_read_and_never_run(tmp_path: Path) -> None:
    """A dollar or a backtick in a token is part of it."""
    loop = DEPLOY.read_text().split("for file in .env OANDA.env; do")[1].split("\ndone\n")[0]
    (tmp_path / ".env").write_text(
        "# a comment\nSEP_ALERT_URLS=mailto://u:p$HOME`touch ran`$(touch ran)@host\nexport OANDA_API_KEY='a b'\r\n"
        'OANDA_ACCOUNT_ID="101"\nlower=x\nnonsense\nOANDA_ENVIRONMENT=live'
    )
    script = f"for file in .env OANDA.env; do{loop}\ndone; env"
    environment = {"PATH": "/usr/bin:/bin", "OANDA_ENVIRONMENT": "practice"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert found["SEP_ALERT_URLS"] == "mailto://u:p$HOME`touch ran`$(touch ran)@host"
    assert (found["OANDA_API_KEY"], found["OANDA_ACCOUNT_ID"]) == ("a b", "101")
    assert found["OANDA_ENVIRONMENT"] == "practice", "the environment wins"
    assert "lower" not in found
    assert not (tmp_path / "ran").exists()


def test_what_cannot_come_home_keeps_nothing_from_going_there(tmp_path: Path) -> None:
    """A disabling above all. The trouble is still the exit code."""
    program(tmp_path / "ssh", f'echo "$*" >>{tmp_path}/asked; case "$*" in *results*) exit 6 ;; esac; echo "{{}}"')
    program(tmp_path / "rsync", "true")
    program(tmp_path / "sep", f'[ "$2" != export ] || echo {tmp_path}/bundle_000001.zip')
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SEP": str(tmp_path / "sep"),
        "SEP_OUTBOX": str(tmp_path / "outbox"),
    }  # fmt: skip
    done = subprocess.run([SCRIPT, "root@droplet"], env=environment, timeout=20, check=False)
    assert done.returncode == 6
    assert "import bundle_000001.zip" in (tmp_path / "asked").read_text()


def test_it_asks_until_there_is_no_more(tmp_path: Path) -> None:
    program(tmp_path / "ssh", f'echo "$*" >>{tmp_path}/asked; echo "{{}}"')
    once = tmp_path / "once"
    program(
        tmp_path / "sep",
        f'[ "$1 $2" = "results import" ] || exit 0\n[ -e {once} ] || echo "home: there is more"\ntouch {once}',
    )
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SEP": str(tmp_path / "sep"),
        "SEP_OUTBOX": str(tmp_path / "outbox"),
    }  # fmt: skip
    subprocess.run([SCRIPT, "root@droplet"], env=environment, timeout=20, check=True)
    assert (tmp_path / "asked").read_text().count("handover results") == 2
