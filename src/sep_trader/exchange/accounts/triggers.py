"""The resting orders of one instrument, sorted so that a quote that triggers nothing costs a few comparisons."""

from bisect import bisect_left, insort

from sep_trader.exchange.accounts.orders import ASK, BID, MID, Order

_NEVER_FALLS, _NEVER_RISES = -(1 << 62), 1 << 62


class Triggers:
    """Orders by the price that triggers them. Levels are ticks; those on the mid are doubled to stay whole."""

    def __init__(self) -> None:
        # [component][waits for a rise]: (sort key, order id, order), the one that triggers first in front.
        self._lists: list[list[list[tuple[int, int, Order]]]] = [[[], []] for _ in (BID, ASK, MID)]
        self._keys: dict[int, tuple[int, int, int]] = {}
        self.trailing: dict[int, Order] = {}
        self._edges = [_NEVER_FALLS, _NEVER_RISES] * 3

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, order: Order) -> None:
        """Let an order rest at its level."""
        component, rises = order.component(), int(order.waits_for_rise())
        level = order.level() * (2 if component == MID else 1)
        key = level if rises else -level
        insort(self._lists[component][rises], (key, order.id, order), key=lambda entry: entry[:2])
        self._keys[id(order)] = (component, rises, key)
        if order.type == "TRAILING_STOP_LOSS":
            self.trailing[id(order)] = order
        self._mark(component, rises)

    def remove(self, order: Order) -> None:
        """Take an order out; one that does not rest here is no error."""
        place = self._keys.pop(id(order), None)
        self.trailing.pop(id(order), None)
        if place is None:
            return
        component, rises, key = place
        entries = self._lists[component][rises]
        at = bisect_left(entries, (key, order.id), key=lambda entry: entry[:2])
        while entries[at][2] is not order:
            at += 1
        del entries[at]
        self._mark(component, rises)

    def _mark(self, component: int, rises: int) -> None:
        entries = self._lists[component][rises]
        never = _NEVER_RISES if rises else _NEVER_FALLS
        self._edges[component * 2 + rises] = (entries[0][0] if rises else -entries[0][0]) if entries else never

    def touched(self, bid: int, ask: int) -> bool:
        """Whether a quote reaches any level."""
        e = self._edges
        return (
            bid <= e[0] or bid >= e[1] or ask <= e[2] or ask >= e[3] or bid + ask <= e[4] or bid + ask >= e[5]
        )  # fmt: skip

    def triggered(self, bid: int, ask: int, concerns: int = 0) -> list[Order]:
        """The orders a quote triggers, oldest first; `concerns` 1 or -1 keeps those of the long or the other side."""
        found = []
        for component, value in ((BID, bid), (ASK, ask), (MID, bid + ask)):
            for rises in (0, 1):
                reach = value if rises else -value
                for key, _, order in self._lists[component][rises]:
                    if key > reach:
                        break
                    if not concerns or order.concerns_long == (concerns > 0):
                        found.append(order)
        return sorted(found, key=lambda order: order.id)

    def trail(self, bid: int, ask: int) -> list[Order]:
        """Move trailing stops that the quote has run ahead of; returns those that moved."""
        moved = []
        for order in list(self.trailing.values()):
            component = order.component()
            value = bid if component == BID else ask if component == ASK else (bid + ask) // 2
            level = value - order.distance if order.trade_long else value + order.distance
            if (level > order.trailing) if order.trade_long else (level < order.trailing):
                self.remove(order)
                order.trailing = level
                self.add(order)
                moved.append(order)
        return moved
