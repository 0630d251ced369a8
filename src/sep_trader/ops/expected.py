"""What ought to run on this machine: by its units where systemd has them, else by the switch and what is open. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

GRACE = timedelta(minutes=5)
"""After a deployment or a boot: so long, what has just been started may still be starting."""


@dataclass(frozen=True, slots=True)
class Expected:
    """trader: whether its units say that one must run here (None: there are no units, and the tables decide).

    why: in words. fresh_since: when the machine was deployed or booted, where that was less than GRACE ago.
    """

    trader: bool | None
    why: str
    fresh_since: datetime | None = None


NO_UNITS = Expected(None, "this machine has no unit of the trader")


def fresh(since: datetime | None, now: datetime) -> datetime | None:
    """`since`, while the grace lasts."""
    return since if since is not None and timedelta(0) <= now - since < GRACE else None
