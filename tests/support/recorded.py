"""Recorded market data, which is not in the repository: SEP_TEST_DATA, or ../shared/data beside it."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]


def folder() -> Path | None:
    """The folder of recorded market data; None where this machine has none."""
    place = Path(os.environ.get("SEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    return place if place.is_dir() else None


def required() -> Path:
    """The folder; where there is none, the test says so: it fails in CI and is skipped elsewhere."""
    found = folder()
    return found if found is not None else missing("needs recorded market data: set SEP_TEST_DATA to a folder of it")


def beside(*parts: str) -> Path:
    """A file or folder of ../shared; where there is none, the test says so, as `required` does."""
    found = ROOT.parent.joinpath("shared", *parts)
    return found if found.exists() else missing(f"needs {'/'.join(parts)}, which is not in the repository")


def missing(reason: str) -> NoReturn:
    """End the test because its input is not on this machine: a failure in CI, else a skip that says why."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def quotes(part: str) -> list[str]:
    """Options of `sep exchange serve` for a part of the recorded quotes; the seeded market where there are none."""
    found = folder()
    return [] if found is None else ["--data", str(found / "lean-oanda" / part)]
