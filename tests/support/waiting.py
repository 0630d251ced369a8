"""The one way tests wait for what another process or thread does."""

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], timeout_s: float = 30.0, what: str = "it", pause_s: float = 0.02
) -> None:
    """Wait until a condition is true; raises AssertionError that names what did not happen in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {timeout_s:.0f} s"
        time.sleep(pause_s)
