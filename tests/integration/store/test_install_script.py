"""What the installer of TimescaleDB chooses, with apt's programs replaced by ones that note what they are told."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"
MAJOR = next(m for m in ("17", "16", "18") if not Path(f"/usr/lib/postgresql/{m}").exists())
STUBS = {
    "apt-cache": 'case " $OFFERED " in *" $2 "*) echo "  Candidate: 1.0";; *) echo "  Candidate: (none)";; esac',
    "apt-get": 'echo "apt-get $*" >>"$TOLD"',
    "apt-mark": 'echo "apt-mark $*" >>"$TOLD"',
    "id": "echo ${AS:-0}",
}


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in STUBS.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return folder


def install(stubs: Path, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
    """Exit status, output and what apt was told."""
    told = stubs.parent / "told"
    told.write_text("")
    path = f"{stubs}:{os.environ['PATH']}"
    command = ["bash", str(SCRIPTS / "install_timescaledb.sh"), *arguments]
    variables = {**os.environ, "PATH": path, "TOLD": str(told), "OFFERED": "", **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, told.read_text().splitlines()


def test_the_vendors_community_build_comes_first(stubs: Path) -> None:
    server, vendor, apache = (
        f"postgresql-{MAJOR}",
        f"timescaledb-2-postgresql-{MAJOR}",
        f"postgresql-{MAJOR}-timescaledb",
    )
    code, output, told = install(stubs, MAJOR, OFFERED=f"{server} {vendor} {apache}")
    assert code == 0, output
    assert any(line.startswith("apt-get install") and line.endswith(vendor) for line in told)
    assert f"apt-mark hold {vendor} {server}" in told
    code, output, told = install(stubs, MAJOR, OFFERED=f"{server} {apache}")
    assert code == 0, output
    assert f"apt-mark hold {apache} {server}" in told


@pytest.mark.parametrize("major", ["13", "19", "x", "15.2"])
def test_other_majors_are_refused(stubs: Path, major: str) -> None:
    code, output, told = install(stubs, major)
    assert (code, told) == (1, [])
    assert f"PostgreSQL {major} is not supported: 14 to 18 are" in output


def test_14_is_accepted_and_said_to_be_past_its_end(stubs: Path) -> None:
    if Path("/usr/share/postgresql/14/extension/timescaledb.control").exists():
        offered = ""
    else:
        offered = "postgresql-14 postgresql-14-timescaledb"
    code, output, _ = install(stubs, "14", OFFERED=offered)
    assert code == 0, output
    assert "PostgreSQL 14 is past its end of life (November 2026): no more fixes. 17 is the better choice." in output


def test_what_cannot_be_done_is_said(stubs: Path) -> None:
    code, output, _ = install(stubs, MAJOR, AS="1000")
    assert (code, "needs root" in output) == (1, True)
    code, output, _ = install(stubs, MAJOR)
    assert code == 1
    assert f"apt offers no postgresql-{MAJOR}" in output


@pytest.mark.parametrize("name", ["install_timescaledb.sh", "timescaledb_cluster.sh", "test_setup.sh"])
def test_no_host_is_named(name: str) -> None:
    """Mirrors and repositories are the machine's own, or come in by variables."""
    text = (SCRIPTS / name).read_text()
    assert re.findall(r"https?://\S+|\b[a-z0-9-]+\.(?:org|com|io|net)\b", text) == []
