"""deploy/roles/application/files/handover: what the key of the hand-over may ask for, and all that it may not."""

import subprocess
import sys
from pathlib import Path

import pytest

HANDOVER = Path(__file__).parents[3] / "deploy/roles/application/files/handover"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with an inbox, a bundle in it, and stand-ins that write down how they were called."""
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals/bundle_000007.zip").touch()
    (tmp_path / "secret").touch()
    for name, text in {
        "id": "echo sep-handover",
        "sep": f'echo "$*" >>{tmp_path}/calls\n[ -z "${{HOG:-}}" ] || exec {sys.executable} -c "bytearray(600 << 20)"',
        "rrsync": f'echo "rrsync $* for $SSH_ORIGINAL_COMMAND" >>{tmp_path}/calls',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def ask(machine: Path, words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{machine}:/usr/bin:/bin", "SSH_ORIGINAL_COMMAND": words, "HANDOVER_INBOX": str(machine / "signals"),
        "SEP": str(machine / "sep"),
    }  # fmt: skip
    return subprocess.run([HANDOVER], env=environment | more, capture_output=True, text=True, check=False)


def calls(machine: Path) -> list[str]:
    told = machine / "calls"
    return told.read_text().splitlines() if told.exists() else []


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("receipt", "signals receipt --json"),
        ("/usr/local/lib/sep-trader/handover receipt", "signals receipt --json"),
        ("results", "results export --receipt - --out -"),
        ("report", "status --json"),
        ("import bundle_000007.zip", "signals import {}/signals/bundle_000007.zip"),
        ("rsync --server -e. --partial . .", "rrsync -wo -no-del {}/signals for rsync --server -e. --partial . ."),
    ],
)
def test_what_it_may(machine: Path, words: str, call: str) -> None:
    done = ask(machine, words)
    assert done.returncode == 0, done.stderr
    assert calls(machine) == [call.format(machine)]


@pytest.mark.parametrize(
    "words",
    [
        "", "id", "sh", "receipt; id", "receipt && id", "$(id)", "import", "import ../secret", "import /etc/shadow",
        "import bundle_000007.zip; id", "import bundle_000008.zip", "import bundle_*.zip", "results --receipt x",
        "rsync --daemon", "scp -t /etc", "/usr/lib/openssh/sftp-server", "internal-sftp", "sep trade state active",
    ],
)  # fmt: skip
def test_what_it_may_not(machine: Path, words: str) -> None:
    done = ask(machine, words)
    assert (done.returncode, calls(machine)) == (77, [])
    assert done.stderr.startswith("hand-over: ") and done.stderr.count("\n") == 1
    assert (machine / "secret").exists()


def test_a_link_in_the_inbox_is_not_followed(machine: Path) -> None:
    (machine / "signals/bundle_000009.zip").symlink_to("/etc/passwd")
    assert ask(machine, "import bundle_000009.zip").returncode == 77


def test_an_import_that_needs_more_memory_than_half_a_gigabyte_ends(machine: Path) -> None:
    done = ask(machine, "import bundle_000007.zip", HOG="yes")
    assert done.returncode == 1
    assert "MemoryError" in done.stderr
    assert not (machine / "signals/bundle_000007.zip").exists()


def test_a_full_inbox_takes_nothing_more(machine: Path) -> None:
    with (machine / "signals/part").open("wb") as big:
        big.truncate(1)
    (machine / "du").write_text("#!/bin/sh\necho '600 x'\n")
    (machine / "du").chmod(0o755)
    done = ask(machine, "rsync --server . .")
    assert (done.returncode, calls(machine)) == (77, [])
    assert "the inbox is full" in done.stderr
