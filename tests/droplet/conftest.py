"""One droplet for all tests of this folder, which run in the order of the file: each leaves it as the next needs it."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import base_system
from .site import FIGURES, Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A deployed droplet. Where this machine cannot boot one, the tests fail and say what is missing."""
    if os.geteuid() != 0:
        pytest.fail("the rehearsal boots a machine with systemd-nspawn: run it as root", pytrace=False)
    if missing := base_system.missing_tools():
        pytest.fail(f"the rehearsal needs more: apt-get install {' '.join(missing)}", pytrace=False)
    folder = Path(tempfile.mkdtemp(prefix="sep-rehearsal-"))
    site = Site(folder)
    try:
        site.start()
        start = time.monotonic()
        site.deploy()
        FIGURES["empty machine to trading host"] = f"{time.monotonic() - start:.0f} s"
        yield site
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if FIGURES:
        terminalreporter.write_sep("-", "figures of the rehearsal")
        for name, value in FIGURES.items():
            terminalreporter.write_line(f"{name}: {value}")
