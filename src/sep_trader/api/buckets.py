"""Token buckets: how much one caller may ask. Pure, but for the clock that is handed in."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

_MOST_CALLERS = 20_000
"""More than so many at once, and those that were silent longest are forgotten."""


@dataclass(slots=True)
class Buckets:
    """A bucket a caller: `burst` at once, `per_s` a second on average."""

    per_s: float
    burst: int
    _left: "OrderedDict[str, tuple[float, float]]" = field(default_factory=OrderedDict)

    def wait_s(self, caller: str, now: float) -> float:
        """Take one; how long to wait where none is left (0: it was taken). now: a steady clock, seconds."""
        left, at = self._left.get(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - at) * self.per_s)
        taken = left >= 1.0
        self._left[caller] = (left - 1.0 if taken else left, now)
        self._left.move_to_end(caller)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self.per_s


def place_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 one, which one customer has whole."""
    try:
        found = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
