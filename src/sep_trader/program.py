"""Run another program to its end: one place that says what is missing, and why a program failed."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sep_trader.errors import InputError, StoreError


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left: its exit status, and what it wrote."""

    status: int
    output: bytes
    errors: bytes

    @property
    def last_words(self) -> str:
        """The last line of its errors, else of its output."""
        text = (self.errors.strip() or self.output.strip()).decode(errors="replace")
        return text.splitlines()[-1] if text else "no reason given"


def run(
    command: Sequence[str | Path],
    *,
    install: str,
    given: bytes | None = None,
    check: bool = True,
    timeout_s: float | None = None,
) -> Finished:
    """Run a program and wait for its end.

    given: its standard input. install: what to do where the program is missing, in words. Raises InputError when it is
    not installed and, with `check`, StoreError with its last words when it fails.
    """
    parts = [str(part) for part in command]
    try:
        done = subprocess.run(parts, input=given, capture_output=True, timeout=timeout_s, check=False)
    except FileNotFoundError:
        raise InputError(f"{parts[0]} is not installed", install) from None
    finished = Finished(done.returncode, done.stdout, done.stderr)
    if check and finished.status:
        raise StoreError(f"{Path(parts[0]).name} failed: {finished.last_words}")
    return finished
