"""constraints.txt lets every extra be installed: no pin lies outside of what a package asks for.

pip finds such a pin only when the extra is asked for, and `make setup` does not ask for all of them.
"""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in LINES)}


def asked_for(requirement: Requirement, seen: set[str]) -> Iterator[Requirement]:
    """A requirement and all that it leads to, as far as the packages are installed here and tell."""
    if str(requirement) in seen:
        return
    seen.add(str(requirement))
    yield requirement
    try:
        further = [Requirement(text) for text in requires(requirement.name) or []]
    except PackageNotFoundError:
        return
    for one in further:
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in ("", *requirement.extras)):
            yield from asked_for(one, seen)


def clashes(requirement: str) -> list[str]:
    """The pins that what the requirement leads to does not allow."""
    found = asked_for(Requirement(requirement), set())
    pins = ((one, PINS.get(canonicalize_name(one.name))) for one in found)
    return [f"{one}, pinned {pin}" for one, pin in pins if pin is not None and not one.specifier.contains(pin)]


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_the_pins_fit(extra: str) -> None:
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    assert [clash for requirement in wanted for clash in clashes(requirement)] == []


def test_a_clash_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PINS, canonicalize_name("cuda-bindings"), Version("13.5.0"))
    assert clashes("numba-cuda>=0.20") == []
    assert any("<13.0.0" in clash and "13.5.0" in clash for clash in clashes("numba-cuda[cu12]>=0.20"))
