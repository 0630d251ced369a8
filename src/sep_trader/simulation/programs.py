"""The programs of a campaign as processes: the trader, the exchange, and a database server that can be killed."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from sep_trader.errors import BrokerUnavailable, StoreUnavailable
from sep_trader.store.embedded import start_embedded

SEP = (sys.executable, "-m", "sep_trader")
_GRACE_S = 10.0
_TINY = 8_192
_STARTS = 20


class Program:
    """A program that is started, killed, stopped and started again. What it says goes to a file."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command, self._environment, self._log = command, environment, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                self._command, env={**os.environ, **self._environment}, stdout=out, stderr=out
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def end(self) -> int | None:
        """Ask it to end; returns its exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.process is None:
            return None
        try:
            return self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        """What it has said so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""


class Server:
    """A PostgreSQL server of the campaign's own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.url = start_embedded(home)

    @property
    def _postmaster(self) -> int | None:
        try:
            return int((self._home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _processes(self) -> list[int]:
        """The postmaster and its children."""
        first = self._postmaster
        if first is None:
            return []
        children = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == first:
                    children.append(int(entry.name))
        return [first, *children]

    def signal(self, number: signal.Signals) -> None:
        """Signal all of its processes."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)

    def start(self) -> None:
        """Start it again, once its old processes are gone. Raises StoreUnavailable when it does not come up."""
        for left in range(_STARTS, 0, -1):
            try:
                start_embedded(self._home)
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except (StoreUnavailable, psycopg.Error):
                if left == 1:
                    raise
                time.sleep(0.5)

    def fill(self, full: bool) -> None:
        """Let no file of the server grow any more, as on a full disk; or let them grow again."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (_TINY if full else most, most))


def exchange(port: int, seed: int, state: Path, log: Path, options: Mapping[str, str]) -> Program:
    """The simulated exchange on a port. Raises BrokerUnavailable when it does not listen."""
    command = [*SEP, "exchange", "serve", "--port", str(port), "--seed", str(seed), "--state", str(state)]
    for name, value in options.items():
        command += [f"--{name}", value]
    program = Program(command, {}, log)
    program.start()
    for _ in range(100):
        if program.said().count("listening on") and program.running:
            return program
        time.sleep(0.1)
    raise BrokerUnavailable(f"the exchange does not listen on port {port}", program.said()[-200:])
