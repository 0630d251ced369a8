"""Clients that others wrote for the real broker believe this one: each goes through a trading day in its own process.

A process of its own, because these clients warn about themselves (unclosed streams, old idioms), which is not for this
suite to judge; what they assert is.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.exchange import launched

ACCOUNT, TOKEN = "101-001-0000001-001", "conformance-token"


@pytest.mark.parametrize("client", ["v20", "oandapyv20", "fivetwenty"])
def test_a_trading_day(client: str) -> None:
    with launched("--token", TOKEN, "--account", ACCOUNT, "--clock", "live", "--seed", "7") as running:
        script = Path(__file__).with_name(f"with_{client}.py")
        command = [sys.executable, str(script), running.url, TOKEN, ACCOUNT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("passed")
