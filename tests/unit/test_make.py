"""The Makefile's targets: what the documentation names is there, and `make t=` runs one test."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = "setup demo unit one test cov mutants test-droplet fmt lint bench check-cuda clean".split()


def make(*arguments: str) -> str:
    done = subprocess.run(["make", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_help_lists_every_target() -> None:
    listed = {line.split()[1] for line in make("help").splitlines() if line.startswith("  make ")}
    assert listed >= set(NAMED)


def test_without_a_target_make_prints_its_help() -> None:
    assert "  make unit " in make()


@pytest.mark.parametrize("arguments", [("t=tests/unit/x.py::y",), ("one", "t=tests/unit/x.py::y")])
def test_t_runs_one_test(arguments: tuple[str, ...]) -> None:
    assert "pytest tests/unit/x.py::y" in make("-n", *arguments)
