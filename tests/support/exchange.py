"""Start an exchange as a process of its own, wait until it listens, and end it: for demos and tests."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sep_trader.errors import BrokerUnavailable

_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """An exchange that listens. `url` is where; `line` is what it said."""

    url: str
    line: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def launched(*options: str) -> Iterator[Running]:
    """Run `sep exchange serve` with options, on a free port unless they name one; it ends with the context.

    Raises BrokerUnavailable with what it said when it does not come up.
    """
    port = () if "--port" in options else ("--port", "0")
    command = [sys.executable, "-m", "sep_trader", "exchange", "serve", *port, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout, process.stderr
    try:
        line = out.readline().strip() if out else ""
        if "listening on " not in line:
            process.kill()
            raise BrokerUnavailable("the exchange did not start", (err.read().strip() if err else "") or line)
        yield Running(line.split("listening on ")[1].split()[0], line, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (out, err):
            if pipe is not None:
                pipe.close()
