"""How the command ends: Ctrl-C from the first moment, a reader that goes away."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SEP = [sys.executable, "-m", "sep_trader"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEP_", "OANDA_"))}
    return kept | {"SEP_HOME": str(tmp_path), "SEP_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}


@pytest.mark.parametrize("after_s", [0.08, 0.15, 0.25, 0.4, 0.7])
def test_ctrl_c_while_it_loads_leaves_no_traceback(environment: dict[str, str], after_s: float) -> None:
    with subprocess.Popen([*SEP, "data", "status"], env=environment, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert "Traceback" not in told
    # Ended by the signal, as a shell shows it (130), or done before it came.
    assert process.returncode in (-signal.SIGINT, 130, 4)


def test_a_reader_that_goes_away(environment: dict[str, str]) -> None:
    line = f"set -o pipefail; {' '.join(SEP)} demo --help | true"
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 141)
