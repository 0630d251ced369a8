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
        [SCRIPT, "droplet", "--watch"], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_until(told.exists, 10)
            assert told.read_text().splitlines() == ["root@droplet does not answer|critical"]
            before = len(calls.read_text().splitlines())
            wait_until(lambda: len(calls.read_text().splitlines()) > before + 5, 10)
            assert len(told.read_text().splitlines()) == 1
            off.unlink()
            wait_until(lambda: len(told.read_text().splitlines()) == 2, 10)
            assert told.read_text().splitlines()[1] == "root@droplet answers again|info"
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
        done = subprocess.run([SCRIPT, "droplet"], env=environment, timeout=20, check=False)
        assert done.returncode == 0, "another one runs"


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
