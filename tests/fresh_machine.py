"""Runs the README's two commands on a minimal Debian that holds only what the README names (`make fresh`, root).

debootstrap makes the system (kept as a tarball for the next time), systemd-nspawn runs in it, on the network of this
machine. Main is cloned there; what is not committed is not tried. Two runs, each on a system of its own: an ordinary
user with ../shared beside the clone, and root without it (`--all`: both, with and without).

Run: python -m tests.fresh_machine [--all] [--only USER]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.droplet import base_system

ROOT = Path(__file__).parents[1]
NAMED = ("python3", "python3-venv", "make", "git")
"""Packages of what the README asks for: the product's list."""
FOR_TESTS = ("rsync", "openssh-client")
"""What the README adds for `make test` by an ordinary user; root has scripts/test_setup.sh install it."""
COMMANDS = ("make demo", "make test")
OWNER = "owner"


@dataclass(frozen=True)
class Run:
    """One newcomer: who runs the commands, and whether ../shared lies beside the clone."""

    user: str
    with_data: bool

    def __str__(self) -> str:
        return f"as {self.user}, {'with' if self.with_data else 'without'} ../shared"


RUNS = (Run(OWNER, True), Run("root", False))
OTHERS = (Run(OWNER, False), Run("root", True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="both users with and without ../shared")
    parser.add_argument("--only", choices=[OWNER, "root"], help="the runs of this user")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("make fresh runs a system of its own with systemd-nspawn: run it as root")
    if missing := base_system.missing_tools():
        sys.exit(f"make fresh needs more: apt-get install {' '.join(missing)}")
    runs = [run for run in RUNS + (OTHERS if arguments.all else ()) if arguments.only in (None, run.user)]
    failed = [run for run in runs if not passes(run)]
    for run in runs:
        print(f"fresh machine, {run}: {'FAILED' if run in failed else 'passed'}")
    return 1 if failed else 0


def passes(run: Run) -> bool:
    """Make a fresh system, clone main into it and run the commands there; says what each took."""
    if run.with_data and not (ROOT.parent / "shared").is_dir():
        print(f"fresh machine, {run}: there is no ../shared here")
        return False
    with tempfile.TemporaryDirectory(prefix="sep-fresh-") as folder:
        root = Path(folder) / "root"
        packages = NAMED + (FOR_TESTS if run.user == OWNER else ())
        base_system.unpack(root, ",".join((*packages, "ca-certificates")), f"fresh-{run.user}")
        base_system.hand_in_this_machines_mirrors(root)
        base_system.run("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", OWNER)
        home = root / ("root" if run.user == "root" else f"home/{OWNER}")
        base_system.run("git", "clone", "-q", "--branch", "main", str(ROOT), str(home / "main"))
        owner = (home.stat().st_uid, home.stat().st_gid)
        for path in [home / "main", *(home / "main").rglob("*")]:
            os.chown(path, *owner, follow_symlinks=False)
        inside = Path("/") / home.relative_to(root)
        binds = [f"--bind-ro={ROOT.parent / 'shared'}:{inside}/shared"] if run.with_data else []
        return all(succeeds(root, run, inside / "main", command, binds) for command in COMMANDS)


def succeeds(root: Path, run: Run, clone: Path, command: str, binds: list[str]) -> bool:
    """Run one command in the system, its output on ours."""
    print(f"== {run}: {command}", flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        ["systemd-nspawn", "--quiet", "-D", str(root), "--as-pid2", "--register=no", "--keep-unit", "--pipe",
         f"--machine=sep-fresh-{os.getpid()}", "--resolv-conf=copy-host", f"--user={run.user}", f"--chdir={clone}",
         *binds, "/bin/bash", "-lc", command],
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    print(f"== {run}: {command}: exit {done.returncode} after {time.monotonic() - begun:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
