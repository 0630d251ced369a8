"""Trading hours in New York time: the week, the daily break, and the 17:00 cut-off of the trading day."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sep_trader.exchange.market.figures import SECOND
from sep_trader.market.clock import NEW_YORK


def _local(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // SECOND, UTC).astimezone(NEW_YORK)


def _ns(local: datetime) -> int:
    return int(local.timestamp()) * SECOND


def next_cutoff(ns: int) -> int:
    """The first 17:00 New York strictly after a time, both ns: there financing is due and good-for-day orders end."""
    local = _local(ns)
    cut = local.replace(hour=17, minute=0, second=0, microsecond=0, fold=0)
    while _ns(cut) <= ns:
        cut = (cut + timedelta(days=1)).replace(hour=17)
    return _ns(cut)


def weekday_of(ns: int) -> int:
    """The New York weekday of a time, Monday 0."""
    return _local(ns).weekday()


@dataclass(frozen=True, slots=True)
class Sessions:
    """When instruments can be traded. `always` is the market that never closes.

    Open from Sunday `opens` to Friday `closes`, New York time, with a break from `closes` to `opens` each day.
    """

    opens: time = time(17, 3)
    closes: time = time(16, 58)
    always: bool = False

    def is_open(self, ns: int) -> bool:
        """Tell whether the market is open at a time."""
        if self.always:
            return True
        local = _local(ns)
        day, clock = local.weekday(), local.time()
        if day == 5 or (day == 4 and clock >= self.closes) or (day == 6 and clock < self.opens):
            return False
        return not self.closes <= clock < self.opens

    def next_change(self, ns: int) -> int | None:
        """The first time strictly after `ns` at which the market opens or closes; None if it never does."""
        if self.always:
            return None
        local = _local(ns)
        now_open = self.is_open(ns)
        for ahead in range(9):
            day = (local + timedelta(days=ahead)).date()
            for clock in sorted((self.closes, self.opens)):
                at = _ns(datetime.combine(day, clock, NEW_YORK))
                if at > ns and self.is_open(at) != now_open:
                    return at
        return None


STANDARD_HOURS = Sessions()
