"""The monitoring files name only metrics that the API has; the rules are tried by promtool where it is installed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.recorded import missing
from tests.support.serving import parts_for

from sep_trader.api.metrics import metrics
from sep_trader.api.status import Storage
from sep_trader.store.database import Database

FOLDER = Path(__file__).parents[3] / "deploy/monitoring"
NAME = re.compile(r"\bsep_[a-z_]+\b")


def made(database: Database) -> set[str]:
    """The metrics of the API, as a scrape sees them."""
    parts = parts_for(database)
    text = metrics(parts, Storage(parts.measure_storage))
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    return names | {f"{name}_bucket" for name in names}


@pytest.mark.parametrize("file", ["alerts.yml", "alerts.test.yml", "grafana.json"])
def test_only_known_metrics_are_named(database: Database, file: str) -> None:
    named = set(NAME.findall((FOLDER / file).read_text()))
    assert named, file
    assert named <= made(database)


def test_the_text_is_what_prometheus_reads(database: Database) -> None:
    parts = parts_for(database)
    for line in metrics(parts, Storage(parts.measure_storage)).splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) sep_\w+ .+|sep_\w+(\{(\w+=\"[^\"]*\",?)+\})? -?[\d.e+-]+", line), line


def test_the_dashboard_is_whole() -> None:
    panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])


def test_the_rules_fire_when_they_should() -> None:
    if shutil.which("promtool") is None:
        missing("no promtool: scripts/test_setup.sh brings it from the distribution's package")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
