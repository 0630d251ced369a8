"""scripts/setup_fedora.sh in a home of its own, and the shell commands that it installs.

Programs in place of dnf, rpm, sudo, ssh and pip write down what they are asked. Not proven here: that dnf knows the
names of the packages, and that the environment is made (scripts/make_venv.sh, which `make setup` runs, too).
"""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


class Fedora:
    """A copy of the repository's part, a home, and a folder of programs that come first."""

    def __init__(self, folder: Path) -> None:
        self.home, self.tree, self.programs = folder / "home", folder / "a tree", folder / "bin"
        self.asked = folder / "asked"
        for made in (self.home, self.tree / "scripts", self.programs):
            made.mkdir(parents=True)
        for name in ("scripts/setup_fedora.sh", "scripts/aliases.sh", ".env.example"):
            shutil.copy(ROOT / name, self.tree / name)
        for script in ("make_venv.sh", "deploy_to_droplet.sh", "sync_to_droplet.sh"):
            self.program(self.tree / "scripts" / script)
        self.program(self.programs / "dnf")
        self.program(self.programs / "rpm", "exit 1")
        self.program(self.programs / "sudo", 'exec "$@"')
        self.program(self.programs / "ssh")
        self.program(self.tree / ".venv/bin/sep", 'echo "in $PWD"')

    def program(self, where: Path, does: str = "") -> None:
        """A program that appends its name and arguments, each in brackets, to `asked`."""
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(
            f'#!/bin/sh\n{{ printf "%s" "{where.name}"; printf " [%s]" "$@"; echo; }} >>"{self.asked}"\n{does}\n'
        )
        where.chmod(0o755)

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        base = {"HOME": str(self.home), "PATH": f"{self.programs}:{os.environ['PATH']}"}
        return subprocess.run(
            command, env=base | environment, cwd=self.home, capture_output=True, text=True, timeout=60
        )

    def setup(self, *options: str, **environment: str) -> str:
        done = self.run(str(self.tree / "scripts/setup_fedora.sh"), *options, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, command: str) -> "subprocess.CompletedProcess[str]":
        """A new shell that read what was installed."""
        return self.run("bash", "-c", f". ~/.bashrc.d/sep-trader; {command}")

    def calls(self) -> list[str]:
        """What was asked of the programs since the last time."""
        lines = self.asked.read_text().splitlines() if self.asked.exists() else []
        self.asked.write_text("")
        return lines

    def files(self) -> dict[str, bytes]:
        return {str(f): f.read_bytes() for top in (self.home, self.tree) for f in top.rglob("*") if f.is_file()}


@pytest.fixture
def fedora(tmp_path: Path) -> Fedora:
    return Fedora(tmp_path)


def test_a_plan_changes_nothing(fedora: Fedora) -> None:
    before = fedora.files()
    printed = fedora.setup("--dry-run", "--cuda", "--droplet", "203.0.113.7")
    assert fedora.files() == before
    assert [c.split()[0] for c in fedora.calls()] == ["rpm"], "a plan only looks"
    for planned in (
        r"dnf install -y .*openssh-clients postgresql python3 ",
        r"\+ scripts/make_venv.sh python3 .venv embedded\\,data\\,research\\,cluster\\,cuda$",
        r"\+ install -m 600 .env.example .env$",
        r"\+ ssh-keygen -q -t ed25519 .*/\.config/sep-trader/bundle_key$",
        r"\+ write .*/\.bashrc\.d/sep-trader$",
    ):
        assert re.search(planned, printed, re.MULTILINE), (planned, printed)


def test_a_server_in_docker_in_place_of_the_embedded_one(fedora: Fedora) -> None:
    for name in ("systemctl", "docker", "usermod"):
        fedora.program(fedora.programs / name)
    fedora.setup("--docker")
    calls = fedora.calls()
    (packages,) = [call for call in calls if call.startswith("dnf")]
    assert "[moby-engine]" in packages and "[docker-compose]" in packages
    asked = [call for call in calls if call.split()[0] in ("systemctl", "docker", "sep")]
    assert asked == [
        "systemctl [enable] [--now] [docker]", "docker [compose] [up] [-d] [--wait]", "sep [db] [migrate]",
    ]  # fmt: skip
    settings = (fedora.tree / ".env").read_text()
    assert settings.count("\nSEP_DATABASE_URL=postgresql://sep:sep@127.0.0.1:5433/sep_trading\n") == 1
    fedora.setup("--docker")
    assert (fedora.tree / ".env").read_text() == settings


def test_a_run_and_a_second_that_changes_nothing(fedora: Fedora) -> None:
    assert "ready" in fedora.setup(PYTHON="python3.13")
    calls = fedora.calls()
    assert any(c.startswith("dnf [install] [-y] [curl] [git]") for c in calls), calls
    assert "make_venv.sh [python3.13] [.venv] [embedded,data,research,cluster]" in calls
    assert (fedora.tree / ".env").read_bytes() == (ROOT / ".env.example").read_bytes()
    for secret in (fedora.tree / ".env", fedora.home / ".config/sep-trader/bundle_key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    (fedora.tree / ".env").write_text("SEP_LOG_LEVEL=debug\n")
    before = fedora.files()
    fedora.program(fedora.programs / "rpm")  # now everything is installed
    fedora.setup()
    assert fedora.files() == before
    assert not any(c.startswith(("dnf", "sudo")) for c in fedora.calls())


def test_the_key_lies_where_the_settings_look_for_it(fedora: Fedora) -> None:
    fedora.setup(XDG_CONFIG_HOME=str(fedora.home / "elsewhere"))
    assert (fedora.home / "elsewhere/sep-trader/bundle_key.pub").read_text().startswith("ssh-ed25519 ")
    fedora.setup(SEP_BUNDLE_KEY=str(fedora.home / "keys/mine"))
    assert (fedora.home / "keys/mine").exists()


def test_what_is_not_fedora_is_told_so(fedora: Fedora) -> None:
    (fedora.programs / "dnf").unlink()
    for name in ("bash", "dirname"):  # and no other program of this machine, which may be a Fedora
        (fedora.programs / name).symlink_to(str(shutil.which(name)))
    done = fedora.run(str(fedora.tree / "scripts/setup_fedora.sh"), PATH=str(fedora.programs))
    assert (done.returncode, done.stdout) == (1, "")
    assert "this is for Fedora; elsewhere: make setup" in done.stderr


def test_an_option_that_is_none(fedora: Fedora) -> None:
    done = fedora.run(str(fedora.tree / "scripts/setup_fedora.sh"), "--gpu")
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
    assert fedora.calls() == []


def test_a_driver_is_looked_for_and_never_installed(fedora: Fedora) -> None:
    fedora.program(fedora.programs / "nvidia-smi", 'echo "NVIDIA T4, 580.95"')
    assert "card and driver: NVIDIA T4, 580.95" in fedora.setup("--cuda")
    assert not any("nvidia" in c or "cuda-" in c or "akmod" in c for c in fedora.calls() if c.startswith("dnf"))


def test_a_bashrc_that_does_not_read_the_folder_is_told_of(fedora: Fedora) -> None:
    assert "does not read ~/.bashrc.d" in fedora.setup()
    (fedora.home / ".bashrc").write_text('for rc in ~/.bashrc.d/*; do . "$rc"; done\n')
    assert "does not read" not in fedora.setup()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("sep-status", "sep [status]"),
        ("sep-train", "sep [train-all]"),
        ("sep-signals --json", "sep [generate_signals] [--follow] [--json]"),
        ("sep-download --pairs EUR_USD", "sep [data] [download] [--pairs] [EUR_USD]"),
        ("sep-sync --watch", "sync_to_droplet.sh [203.0.113.7] [--watch]"),
        ("sep-deploy --check", "deploy_to_droplet.sh [root@203.0.113.7] [--check]"),
        ("sep-droplet", "ssh [root@203.0.113.7] [sep]"),
        ("sep-trades", "ssh [root@203.0.113.7] [sep trade trades]"),
        ("sep-droplet a 'b c'", r"ssh [root@203.0.113.7] [sep a b\ c]"),
        ("sep-health --json", "ssh [root@203.0.113.7] [sep health --json]"),
    ],
)
def test_the_shells_commands(fedora: Fedora, typed: str, asked: str) -> None:
    fedora.setup("--droplet", "203.0.113.7")
    fedora.calls()
    done = fedora.shell(typed)
    assert done.returncode == 0, done.stderr
    assert fedora.calls() == [asked]


def test_commands_run_in_the_repository(fedora: Fedora) -> None:
    fedora.setup()
    assert fedora.shell("sep status").stdout == f"in {fedora.tree}\n"


def test_halting_wants_a_reason_and_passes_it_on_whole(fedora: Fedora) -> None:
    fedora.setup("--droplet", "me@trader")
    fedora.calls()
    assert fedora.shell("sep-halt").returncode == 2
    assert fedora.calls() == []
    fedora.shell("sep-halt news; ")
    fedora.shell("sep-halt 'it is; $(late)'")
    first, second = fedora.calls()
    assert first.startswith("ssh [me@trader] [sep trade halt --by ")
    assert second.endswith(r"--reason it\ is\;\ \$\(late\)]")


def test_no_droplet_named(fedora: Fedora) -> None:
    fedora.setup()
    fedora.calls()
    for typed in ("sep-sync", "sep-deploy", "sep-trades"):
        done = fedora.shell(typed)
        assert done.returncode != 0
        assert "SEP_DROPLET" in done.stderr
    assert fedora.calls() == []


def test_every_command_is_in_the_help(fedora: Fedora) -> None:
    fedora.setup()
    defined = set(fedora.shell("compgen -A function").stdout.split())
    helped = {line.split()[0] for line in fedora.shell("sep-help").stdout.splitlines()}
    assert helped == {name for name in defined if name.startswith(("sep", "droplet"))} - {"sep-help"}
