"""The documents are complete: every reason code, every exit code and every document that is linked to."""

import re
from pathlib import Path

import pytest

from sep_trader import errors
from sep_trader.risk.limits import Reason

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text()


def test_every_reason_code_is_explained_once() -> None:
    explained = re.findall(r"^\| `([A-Z_]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(explained) == sorted(Reason)


def test_every_exit_code_is_explained() -> None:
    family = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.SepError)]
    stated = {int(n) for n in re.findall(r"(?:codes: |, |\n)(\d) \w", GUIDE.split("Exit codes")[1].replace("\n", ", "))}
    stated |= {1}
    assert {c.exit_code for c in family} == stated


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name if (ROOT / name).exists() else ROOT / "docs" / name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
        assert (file.parent / target).exists(), f"{name} links to {target}"
