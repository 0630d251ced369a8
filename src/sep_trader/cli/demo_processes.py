"""The demo's child processes: each is the real command, with its own log file."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sep_trader.errors import SepError


class DemoProcess:
    """One `sep` command running as a child. It is ended with SIGTERM, and with SIGKILL if that does not do."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._log: IO[bytes] = self.log.open("wb")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sep_trader", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            # Into the file as well: a pipe that nobody empties stops the writer when it is full.
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the demo, which ends its children in order
        )

    def address(self, timeout_s: float = 30.0) -> str:
        """The address that it says it listens on; raises SepError when it ends or says none in time."""
        wait_for(lambda: self._child.poll() is not None or self._found(), timeout_s, f"the {self.name} to listen")
        self.check()
        return self._found()

    def _found(self) -> str:
        match = re.search(r"http://[\w.\-]+:\d+", self.log.read_text(errors="replace"))
        return match.group() if match else ""

    def check(self) -> None:
        """Raise SepError when it has ended by itself."""
        if self._child.poll() is not None:
            raise SepError(f"the {self.name} ended with status {self._child.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it and wait."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._log.close()


def wait_for(condition: Callable[[], object], timeout_s: float, what: str, pause_s: float = 0.05) -> None:
    """Wait until `condition()`; raises SepError naming what did not happen."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise SepError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(pause_s)
