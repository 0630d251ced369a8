"""Where the command `sep` begins: Ctrl-C ends it without a word from the first moment, and a closed pipe does, too."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CLOSED_PIPE = 141
"""As a shell tells of a program that SIGPIPE ended."""


def main() -> None:
    """Load the command line and run it."""
    with loading():
        from sep_trader.cli.main import main as command

    before = os.fstat(1)
    try:
        try:
            command()
        except SystemExit as end:
            # Both libraries that print end behind a closed pipe with status 1: one wraps the stream, the other
            # points it at nothing.
            wrapped = type(sys.stdout).__name__ == "PacifyFlushWrapper"
            if end.code == 1 and (wrapped or os.fstat(1) != before):
                raise BrokenPipeError from None
            raise
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more, such as behind `| head`; what is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED_PIPE)


@contextmanager
def loading() -> Iterator[None]:
    """Let Ctrl-C end the process at once while modules are loaded: an interrupt within would show where it was."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # somebody's own way, such as the demo's or a test's
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
