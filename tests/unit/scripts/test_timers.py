"""What timers run on the droplet: snapshots, and the share of the archive. doctl and pgbackrest are stand-ins."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "deploy/roles/timers/templates"


def script(name: str, folder: Path, **values: Any) -> Path:
    """The script as the deployment writes it."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)
    made = folder / name
    made.write_text(environment.get_template(f"{name}.j2").render(data_folder=folder, offsite_repository={}, **values))
    made.chmod(0o755)
    subprocess.run(["bash", "-n", made], check=True)
    return made


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(made: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{made.parent}:/usr/bin:/bin"} | environment
    return subprocess.run([made], env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """Two volumes, and snapshots of four weeks, of ours and of somebody else's."""
    (tmp_path / "do_token").write_text("secret")
    program(tmp_path / "doctl", f"""echo "$DIGITALOCEAN_ACCESS_TOKEN $*" >>{tmp_path}/calls
case "$*" in
    "compute volume list"*) echo "id-1 other"; echo "id-2 sep-data" ;;
    "compute snapshot list"*)
        for n in 08 29 15 22; do echo "snap-$n sep-sep-data-202611$n-1000"; done; echo "x by-hand" ;;
esac""")  # fmt: skip
    return tmp_path


def test_a_snapshot_is_made_and_the_oldest_of_ours_go(provider: Path) -> None:
    made = script("volume-snapshot", provider, snapshots_kept=3)
    done = run(made, CREDENTIALS_DIRECTORY=str(provider), VOLUME_NAME="sep-data")
    assert done.returncode == 0, done.stderr
    calls = (provider / "calls").read_text().splitlines()
    assert calls[1].startswith("secret compute volume snapshot id-2 --snapshot-name sep-sep-data-20")
    assert [call for call in calls if "delete" in call] == ["secret compute snapshot delete snap-08 --force"]
    assert "secret" not in done.stdout + done.stderr


def test_a_volume_that_the_account_has_not_is_said(provider: Path) -> None:
    made = script("volume-snapshot", provider, snapshots_kept=3)
    done = run(made, CREDENTIALS_DIRECTORY=str(provider), VOLUME_NAME="gone")
    assert done.returncode == 1
    assert "the account has no volume gone" in done.stderr


@pytest.mark.parametrize(("before", "after", "code"), [(100, 100, 0), (5000, 900, 0), (5000, 4999, 1)])
def test_the_archive_keeps_within_its_share(tmp_path: Path, before: int, after: int, code: int) -> None:
    made = script("wal-backup", tmp_path, archive_gb=4)
    (tmp_path / "size").write_text(str(before))
    program(tmp_path / "du", f"printf '%s\\tx\\n' $(cat {tmp_path}/size)")
    program(
        tmp_path / "pgbackrest",
        f'echo "$*" >>{tmp_path}/calls; case "$*" in *expire*) echo {after} >{tmp_path}/size ;; esac',
    )
    program(tmp_path / "date", "echo 3")
    done = run(made)
    assert done.returncode == code, done.stderr
    did = [line.split()[-1] for line in (tmp_path / "calls").read_text().splitlines()]
    assert did == (["backup"] if before == 100 else ["backup", "backup", "expire"])
    if code:
        assert "the archive takes 4999 MB of 4096" in done.stderr


def test_what_a_unit_may_call_besides_stands_on_a_line_of_its_own() -> None:
    folders = [TEMPLATES, TEMPLATES.parents[2] / "templates"]
    environment = Environment(loader=FileSystemLoader(folders), trim_blocks=True, autoescape=False)
    environment.filters["bool"] = bool
    item = {"name": "a", "what": "b", "command": "c", "calls": "@chown"}
    lines = environment.get_template("job.service.j2").render(item=item, postgres_major=17).splitlines()
    assert lines[-1] == "SystemCallFilter=@chown"
    assert all("=" in line or line.startswith(("[", "#")) for line in lines if line)
    assert not [line for line in lines if line.count("SystemCall") > 1]
