"""The documents are complete, and say what the code, the deployment and the scripts say."""

import re
from pathlib import Path

import pytest
import yaml

from sep_trader import errors
from sep_trader.handover.format import Refusal
from sep_trader.risk.limits import Reason
from sep_trader.store.storage import DEFAULT_BUDGETS_GB

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.name for p in (ROOT / "docs").glob("*.md"))
GUIDE, DROPLET, SECURITY, FEDORA = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("guide", "droplet", "security", "fedora")
)


def test_every_reason_code_is_explained_once() -> None:
    explained = re.findall(r"^\| `([A-Z_]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(explained) == sorted(Reason)


def test_every_exit_code_is_explained() -> None:
    family = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.SepError)]
    stated = {int(n) for n in re.findall(r"(?:codes: |, |\n)(\d) \w", GUIDE.split("Exit codes")[1].replace("\n", ", "))}
    stated |= {1}
    assert {c.exit_code for c in family} == stated


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *PAGES])
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name if (ROOT / name).exists() else ROOT / "docs" / name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
        assert (file.parent / target).exists(), f"{name} links to {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = re.findall(r"\]\(docs/([^)]+\.md)\)", (ROOT / "README.md").read_text())
    assert sorted(set(linked)) == PAGES


def section(page: str, title: str) -> str:
    """The text under a heading."""
    return re.split(r"^## ", page.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    """The names, in backquotes, that a table explains: those of each row's first cell."""
    return [
        name for cell in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    ]


def test_every_refusal_of_a_bundle_is_explained_once() -> None:
    assert sorted(first_cells(section(SECURITY, "Signed bundles"))) == sorted(Refusal)


def test_every_database_role_is_explained_once() -> None:
    roles = re.findall(r"\(\d, '(\w+)', 'LOGIN", (ROOT / "deploy/roles/postgres/files/roles.sql").read_text())
    assert len(roles) > 3
    assert sorted(first_cells(section(SECURITY, "Who may do what"))) == sorted(roles)


def test_every_timer_is_listed_with_its_time() -> None:
    variables = yaml.safe_load((ROOT / "deploy/variables.yml").read_text())
    timers = yaml.safe_load((ROOT / "deploy/roles/timers/vars/main.yml").read_text())
    table = section(DROPLET, "What runs by itself (UTC)")
    assert timers
    for timer in [*timers["usual_timers"], *timers["weekly_snapshot"]]:
        row = next((r for r in table.splitlines() if f"`{timer['name']}`" in r), None)
        assert row is not None, timer["name"]
        when = re.sub(r"{{ (\w+) }}", lambda found: str(variables[found[1]]), timer["when"])
        clock = re.search(r"(\d\d:\d\d):00$", when)
        assert (clock[1] if clock else "every 5 minutes") in row, (timer["name"], when)
        assert ("Sat" in when) == ("Saturday" in row), (timer["name"], when)


def test_the_memory_of_each_size_is_the_tunings() -> None:
    template = (ROOT / "deploy/roles/postgres/templates/sep-trader.conf.j2").read_text()
    names = ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem")
    each = [int(re.search(rf"^{n} = {{{{ \(tuned_gb \| int\) \* (\d+) }}}}MB", template, re.M)[1]) for n in names]  # type: ignore[index]
    rows = re.findall(r"^\| \**(\d+) GB\** \|(.*)\|", section(DROPLET, "Sizes"), re.MULTILINE)
    assert [gb for gb, _ in rows] == ["4", "8", "16"]
    for gb, cells in rows:
        stated = [int(n) * {"GB": 1024, "MB": 1}[unit] for n, unit in re.findall(r"(\d+) (GB|MB) \|", cells)]
        assert stated == [int(gb) * one for one in each]


def test_the_costs_add_up() -> None:
    rows = re.findall(
        r"^\| (.*?) \|.*\| (?:\*\*)?([\d.]+)(?:\*\*)? \|$", section(DROPLET, "What it costs a month"), re.MULTILINE
    )
    total, sums = 0.0, 0
    for what, amount in rows:
        if what.startswith("**"):
            assert float(amount) == pytest.approx(total), what
            sums += 1
        else:
            total += float(amount)
    assert sums == 3


def test_the_volumes_areas_are_the_budgets() -> None:
    stated = re.search(r"50 GB: (.*?)\. ", section(DROPLET, "The volume"))
    assert stated is not None
    assert [float(n) for n in re.findall(r" (\d+)", stated[1])] == list(DEFAULT_BUDGETS_GB.values())
    assert sum(DEFAULT_BUDGETS_GB.values()) == 50


def test_what_the_local_machines_script_installs_is_stated() -> None:
    script = (ROOT / "scripts/setup_fedora.sh").read_text()
    packages = re.search(r"^packages=\((.*)\)$", script, re.MULTILINE)
    assert packages is not None
    assert f"sudo dnf install -y {packages[1]}`" in FEDORA
    commands = set(re.findall(r"^(sep[\w-]*)\(\)", (ROOT / "scripts/aliases.sh").read_text(), re.MULTILINE))
    explained = {words.split()[0] for words in first_cells(section(FEDORA, "Shell commands"))}
    assert explained == commands - {"sep-help"}


def test_every_variable_of_the_two_scripts_is_explained() -> None:
    scripts = "".join((ROOT / f"scripts/{name}_to_droplet.sh").read_text() for name in ("deploy", "sync"))
    read = set(re.findall(r"\b(SEP_[A-Z_]+|SEP|SSH_OPTIONS)\b(?=[:}\-=])", scripts))
    assert "SEP_OUTBOX" in read
    assert read <= set(first_cells(section(DROPLET, "Variables of the scripts")))


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    from sep_trader.cli.reference import reference

    assert (ROOT / "docs/cli.md").read_text() == reference()


def test_every_alarm_is_in_the_runbook() -> None:
    """Each name that a finding of the health check can have."""
    source = "".join(
        (ROOT / "src/sep_trader/ops" / name).read_text() for name in ("health.py", "running.py", "units.py")
    )
    names = set(re.findall(r'Finding\(\s*"(\w+)"', source)) | {"disk", "disk_root"}
    told = set(first_cells((ROOT / "docs/runbook.md").read_text()))
    assert names <= told, names - told


def test_the_table_of_hostile_bundles_is_what_is_tried() -> None:
    from tests.support.hostile import table

    assert (ROOT / "docs/hostile-bundles.md").read_text() == table()


def test_what_the_droplet_installs_is_what_was_tested_and_each_file_has_its_hash() -> None:
    """scripts/lock_wheels.sh writes it anew from constraints.txt."""
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text().lower().replace("_", "-"), re.M)
    )
    blocks = re.split(r"\n(?=\S)", (ROOT / "deploy/wheels.txt").read_text().partition("\n")[2].strip())
    found = [re.match(r"([\w.-]+)==(\S+)", block) for block in blocks]
    names = {one[1]: one[2] for one in found if one}
    assert len(names) == len(blocks) > 30
    assert {name: pinned[name] for name in names if name in pinned} == {n: v for n, v in names.items() if n in pinned}
    assert names.keys() - pinned.keys() <= {"colorama"}  # of another system
    assert all("--hash=sha256:" in block for block in blocks)
