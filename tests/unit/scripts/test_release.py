"""deploy/roles/application/files/release: a release that is not well is taken back, and nothing of it is lost.

Real links, files and processes; systemctl, curl and `sep` are stand-ins that read their state from files.
"""

import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

RELEASE = Path(__file__).parents[3] / "deploy/roles/application/files/release"
SYSTEMCTL = """\
root={root}
case $1 in
    is-enabled) exit 0 ;;
    reset-failed) : ;;
    restart) shift; [ ! -e "$root/hangs-$(sed -n 's/^# //p' "$root/units/sep-trader.service")" ] || sleep 60
        for unit; do
        made=$(sed -n 's/^# //p' "$root/units/$unit.service"); echo "$unit $made" >>"$root/restarts"; done ;;
    show)
        unit=${{5%.service}}; made=$(sed -n 's/^# //p' "$root/units/$unit.service" 2>/dev/null)
        case $3 in
            NRestarts) if [ "$unit" = sep-trader ] && [ -e "$root/loops-$made" ]; then echo 1; else echo 0; fi ;;
            ActiveState) cat "$root/state-$unit-$made" 2>/dev/null || echo active ;;
            ConditionResult) echo yes ;;
            ActiveExitTimestampMonotonic) echo 1000000 ;;
            ActiveEnterTimestampMonotonic) echo 3400000 ;;
        esac ;;
esac
"""


class Droplet:
    """A machine's releases, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("units", "releases", "bin"):
            (root / name).mkdir()
        self._program("bin/systemctl", SYSTEMCTL.format(root=root))
        self._program("bin/curl", f"[ ! -e {root}/silent ] || exit 7")
        self._program("bin/logger", f'echo "$*" >>{root}/journal')

    def make(self, version: str, unhealthy: str = "") -> None:
        """A release whose health check finds these alerts wrong."""
        folder = self.root / "releases" / version
        (folder / "units").mkdir(parents=True)
        for unit in ("sep-trader", "sep-api"):
            (folder / f"units/{unit}.service").write_text(f"# {version}\n")
        findings = ", ".join(f'{{"alert": "{name}", "ok": false}}' for name in unhealthy.split())
        self._program(
            f"releases/{version}/sep",
            f"""case "$1 $2" in "health "*) echo '{{"findings": [{findings}]}}' ;;
            "trade state") [ ! -e {self.root}/newer ] || {{ echo "sep: of a newer release" >&2; exit 2; }} ;; esac""",
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The program, with little patience."""
        environment = {
            "PATH": f"{self.root}/bin:/usr/bin:/bin", "RELEASE_HOME": str(self.root),
            "RELEASE_UNITS": f"{self.root}/units", "RELEASE_COMMAND": f"{self.root}/sep",
            "RELEASE_LOCK": f"{self.root}/lock", "RELEASE_GATE_S": "3",
            "RELEASE_SETTLED_S": "0",
        }  # fmt: skip
        return subprocess.run([RELEASE, *words], env=environment, capture_output=True, text=True, check=False)

    @property
    def runs(self) -> str:
        """What the link, the units and the command agree on."""
        found = {
            (self.root / "current").readlink().name,
            (self.root / "units/sep-trader.service").read_text().strip("# \n"),
            next(p.name for p in (self.root / "releases").iterdir()
                 if (p / "sep").read_text() == (self.root / "sep").read_text()),
        }  # fmt: skip
        assert len(found) == 1, found
        return found.pop()

    def restarts(self) -> list[str]:
        """What was restarted, each with the release that its unit was of."""
        return (self.root / "restarts").read_text().splitlines()

    def _program(self, name: str, text: str) -> None:
        (self.root / name).write_text(f"#!/bin/bash\n{text}\n# {name}\n")
        (self.root / name).chmod(0o755)


@pytest.fixture
def droplet(tmp_path: Path) -> Droplet:
    """Release 1 runs."""
    made = Droplet(tmp_path)
    made.make("1")
    assert made.run("switch", "1").stdout == "release: 1 is the first release here\n"
    return made


def test_a_good_release_stays_and_the_one_before_is_kept(droplet: Droplet) -> None:
    droplet.make("2")
    done = droplet.run("switch", "2")
    assert done.stdout == "release: 2 runs; 1 is kept\nrelease: the trader was away for 2.4 s\n", done.stderr
    assert droplet.runs == "2"
    assert droplet.run("list").stdout == "1 (before it)\n2 (runs)\n"
    assert droplet.run("switch", "2").stdout == "release: 2 runs already\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        ("loops-2", "sep-trader.service ended and was started again"),
        ("state-sep-api-2=failed", "sep-api.service has failed"),
        ("state-sep-trader-2=activating", "sep-trader.service is activating"),
        ("hangs-2 state-sep-trader-2=activating", "sep-trader.service is activating"),
        ("unhealthy", "sep health finds broker"),
    ],
)
def test_a_release_that_is_not_well_is_taken_back(droplet: Droplet, make: str, reason: str) -> None:
    for one in make.split():
        name, _, content = one.partition("=")
        (droplet.root / name).write_text(content)
    droplet.make("2", "broker" if make == "unhealthy" else "")
    done = droplet.run("switch", "2")
    assert done.returncode == 1
    assert reason in done.stderr and "2 was taken back after" in done.stderr and "1 runs" in done.stderr
    assert droplet.runs == "1"
    traders = [line for line in droplet.restarts() if line.startswith("sep-trader")]
    assert traders == ["sep-trader 1", *(["sep-trader 2"] if "hangs" not in make else []), "sep-trader 1"]
    seconds = re.search(r"taken back after (\d+) s", done.stderr)
    assert seconds is not None
    assert int(seconds[1]) < 12
    assert "2 was taken back" in (droplet.root / "journal").read_text()


def test_what_was_wrong_before_is_not_the_releases_doing(droplet: Droplet) -> None:
    droplet.make("2", "updates")
    assert droplet.run("switch", "2").returncode == 1
    droplet.make("3", "updates reboot")
    (droplet.root / "sep").write_text((droplet.root / "releases/3/sep").read_text())
    assert droplet.run("switch", "2").returncode == 0


def test_a_release_that_cannot_be_put_in_place_leaves_the_one_before(droplet: Droplet) -> None:
    """One of its units cannot be copied, as on a full disk."""
    droplet.make("2")
    (droplet.root / "releases/2/units/sep-watch.service").mkdir()
    done = droplet.run("switch", "2")
    assert done.returncode == 1
    assert "2 could not be put in place; 1 runs" in done.stderr
    assert droplet.runs == "1"


def test_an_api_that_does_not_answer_is_not_well(droplet: Droplet) -> None:
    (droplet.root / "silent").touch()
    droplet.make("2")
    done = droplet.run("switch", "2")
    assert "the API does not answer" in done.stderr
    assert "1 is not well either" in done.stderr
    assert droplet.runs == "1"


def test_rolling_back_and_forth(droplet: Droplet) -> None:
    droplet.make("2")
    droplet.run("switch", "2")
    assert droplet.run("rollback").stdout.startswith("release: 1 runs; 2 is kept")
    assert droplet.runs == "1"
    assert droplet.run("rollback").stdout.startswith("release: 2 runs; 1 is kept")
    assert "there is no release 9" in droplet.run("rollback", "9").stderr


def test_an_older_release_that_refuses_the_database_is_not_gone_back_to(droplet: Droplet) -> None:
    droplet.make("2")
    droplet.run("switch", "2")
    before = droplet.restarts()
    (droplet.root / "newer").touch()
    done = droplet.run("rollback")
    assert done.stderr == "release: 1 cannot run on this database: sep: of a newer release\n"
    assert (droplet.runs, droplet.restarts()) == ("2", before)


def test_a_bad_release_on_a_newer_schema_stays_and_says_why(droplet: Droplet) -> None:
    (droplet.root / "loops-2").touch()
    (droplet.root / "newer").touch()
    droplet.make("2")
    done = droplet.run("switch", "2")
    assert done.returncode == 1
    assert "1 cannot be put back: sep: of a newer release" in done.stderr
    assert droplet.runs == "2"


def test_what_lay_here_before_there_were_releases_can_be_gone_back_to(tmp_path: Path) -> None:
    droplet = Droplet(tmp_path)
    (tmp_path / "venv").mkdir()
    (tmp_path / "units/sep-trader.service").write_text("# before\n")
    (tmp_path / "units/sep-api.service").write_text("# before\n")
    droplet._program("sep", "echo '{\"findings\": []}'")
    droplet.make("2")
    assert droplet.run("switch", "2").stdout.startswith("release: 2 runs; before is kept")
    assert droplet.run("rollback").stdout.startswith("release: before runs; 2 is kept")
    assert droplet.runs == "before"


def test_old_releases_are_removed_but_for_three(droplet: Droplet) -> None:
    for number, version in enumerate("2345"):
        droplet.make(version)
        os.utime(droplet.root / "releases" / version, (number, number))
    os.utime(droplet.root / "releases/1", (0, 0))
    droplet.run("switch", "2")
    assert droplet.run("prune").stdout == "release: 4 is removed\nrelease: 3 is removed\n"
    assert sorted(p.name for p in (droplet.root / "releases").iterdir()) == ["1", "2", "5"]


def test_two_at_once_do_not_mix(droplet: Droplet) -> None:
    with (droplet.root / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert droplet.run("rollback").stderr == "release: another one runs\n"


def test_settings_that_break_it_are_said(droplet: Droplet) -> None:
    assert droplet.run("restart").stdout == "release: 1 is well\n"
    (droplet.root / "loops-1").touch()
    assert "1 is not well with the settings" in droplet.run("restart").stderr
