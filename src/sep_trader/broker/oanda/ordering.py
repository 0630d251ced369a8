"""Transactions put back in order: consecutive ids, each once, whatever order and however often they arrive. Pure."""

from collections.abc import Iterable

from sep_trader.ledger.transactions import Transaction


class InOrder:
    """Hold transactions until those before them have come.

    `last_id` is the last one released. The ids up to the highest one heard of (of a transaction or a heartbeat) are
    expected; a missing one holds the later ones back for `patience_s` seconds at most.
    """

    def __init__(self, last_id: int, patience_s: float) -> None:
        self.last_id = last_id
        self._patience_s = patience_s
        self._highest = last_id
        self._waiting: dict[int, Transaction] = {}
        self._stuck_since: float | None = None

    @property
    def behind(self) -> bool:
        """Tell whether an id that exists has not been released."""
        return self.last_id < self._highest

    def expect(self, transaction_id: int) -> None:
        """Note that an id exists."""
        self._highest = max(self._highest, transaction_id)

    def add(self, items: Iterable[Transaction]) -> None:
        """Take transactions in any order; those released already are dropped."""
        for item in items:
            if item.id > self.last_id:
                self._waiting[item.id] = item
                self.expect(item.id)

    def release(self, now: float) -> tuple[list[Transaction], list[int]]:
        """Return the transactions whose turn it is, and the ids given up to get to them (usually none).

        now: seconds of a monotonic clock.
        """
        released = self._run()
        given_up: list[int] = []
        if released or not self._waiting:
            self._stuck_since = None
        if self._waiting:
            self._stuck_since = now if self._stuck_since is None else self._stuck_since
            if now - self._stuck_since > self._patience_s:
                given_up = list(range(self.last_id + 1, min(self._waiting)))
                self.last_id = min(self._waiting) - 1
                self._stuck_since = None
                released += self._run()
        return released, given_up

    def _run(self) -> list[Transaction]:
        released: list[Transaction] = []
        while self.last_id + 1 in self._waiting:
            self.last_id += 1
            released.append(self._waiting.pop(self.last_id))
        return released
