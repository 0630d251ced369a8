"""What ought to run on this machine: by its units where systemd has them, else by the switch and what is open. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

GRACE = timedelta(minutes=5)
"""After a deployment or a boot: so long, what has just been started may still be starting."""


@dataclass(frozen=True, slots=True)
class Expected:
    """trader: whether its units say that one must run here (None: there are no units, and the tables decide).

    why: in words. begun_at: when this machine was last deployed or booted, whichever was later; None: nobody knows.
    """

    trader: bool | None
    why: str
    begun_at: datetime | None = None

    def settled(self) -> "Expected":
        """The same without grace. What knows no units stays what it is."""
        return replace(self, begun_at=None) if self.trader is not None else self

    def is_fresh(self, now: datetime) -> bool:
        """Whether that was so lately that what has been started may still be starting."""
        return self.begun_at is not None and timedelta(0) <= now - self.begun_at < GRACE


NO_UNITS = Expected(None, "this machine has no unit of the trader")
