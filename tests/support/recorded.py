"""Recorded market data, which is not in the repository: SEP_TEST_DATA, or ../shared/data beside it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def folder() -> Path | None:
    """The folder of recorded market data; None where this machine has none."""
    place = Path(os.environ.get("SEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    return place if place.is_dir() else None


def required() -> Path:
    """The folder; where there is none, the test says so: it fails in CI and is skipped elsewhere."""
    found = folder()
    if found is None:
        reason = "needs recorded market data: set SEP_TEST_DATA to a folder of it"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def quotes(part: str) -> list[str]:
    """Options of `sep exchange serve` for a part of the recorded quotes; the seeded market where there are none."""
    found = folder()
    return [] if found is None else ["--data", str(found / "lean-oanda" / part)]
