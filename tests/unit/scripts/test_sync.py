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
