"""compose.yaml: judged by Docker Compose where there is one, and everywhere by what we know of its structure."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[2] / "compose.yaml"
# Keys of the Compose specification that a service of ours may use; a new one is added here with its use.
SERVICE_KEYS = {"image", "environment", "ports", "volumes", "healthcheck"}
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period"}


def installed_compose() -> list[str] | None:
    """The command of the Compose that this machine has."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and not subprocess.run([*command, "version"], capture_output=True).returncode:
            return command
    return None


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def test_docker_compose_accepts_it() -> None:
    command = installed_compose()
    if command is None:
        reason = "no Docker Compose on this machine: only the structure is tested"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    done = subprocess.run([*command, "-f", str(FILE), "config"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() == {"database"}


def test_structure(compose: dict[str, Any]) -> None:
    assert compose.keys() == {"services", "volumes"}
    for name, service in compose["services"].items():
        assert service.keys() <= SERVICE_KEYS, name
        assert all(isinstance(value, str) for value in service["environment"].values()), "unquoted on/off is a boolean"
        assert service["healthcheck"].keys() <= HEALTHCHECK_KEYS
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        named = {volume.split(":")[0] for volume in service["volumes"]}
        assert named == compose["volumes"].keys()


def test_nothing_is_published_to_other_machines(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert ports
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+-pg\d+", service["image"])


def test_the_address_in_the_comment_is_the_databases(compose: dict[str, Any]) -> None:
    stated = re.search(r"postgresql://(\w+):(\w+)@127\.0\.0\.1:(\d+)/(\w+)", FILE.read_text())
    assert stated is not None
    database = compose["services"]["database"]
    names = ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB")
    user, password, name = (database["environment"][key] for key in names)
    assert stated.groups() == (user, password, database["ports"][0].split(":")[1], name)
