"""An account: its money, its orders and trades, and the record of transactions with consecutive ids."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Position, Trade
from sep_trader.exchange.market.figures import ZERO, money_text, time_text

Body = dict[str, Any]
_FINISHED_KEPT = 20_000


class Record:
    """The transactions of an account as encoded JSON; number i is at index i - 1. Ids are never skipped or reused."""

    def __init__(self) -> None:
        self._encoded: list[bytes] = []
        self._types: list[str] = []
        self._times: list[int] = []

    @property
    def last(self) -> int:
        """The id of the newest transaction, 0 for none."""
        return len(self._encoded)

    def append(self, kind: str, ns: int, encoded: bytes) -> None:
        """Take up the next transaction."""
        self._encoded.append(encoded)
        self._types.append(kind)
        self._times.append(ns)

    def between(self, first: int, last: int, kinds: frozenset[str] | None = None) -> list[bytes]:
        """Encoded transactions with first <= id <= last, of some types only if `kinds` is given."""
        lo, hi = max(first, 1), min(last, self.last)
        if kinds is None:
            return self._encoded[lo - 1 : hi]
        return [self._encoded[i] for i in range(lo - 1, hi) if self._types[i] in kinds]

    def ids(self, start: int, end: int, kinds: frozenset[str] | None = None) -> list[int]:
        """Ids of transactions with start <= time <= end (ns)."""
        return [
            i + 1
            for i, (kind, ns) in enumerate(zip(self._types, self._times, strict=True))
            if start <= ns <= end and (kinds is None or kind in kinds)
        ]

    def time_of(self, number: int) -> int:
        """When a transaction happened, ns."""
        return self._times[number - 1]


@dataclass(slots=True, eq=False)
class Account:
    """One account. Money is home currency with four decimals; `trades` holds closed ones too."""

    id: str
    currency: str = "USD"
    hedging: bool = False
    fifo: bool = False
    alias: str = "Primary"
    user: int = 1
    created: int = 0
    margin_rate: Decimal = Decimal("0.02")
    balance: Decimal = ZERO
    pl: Decimal = ZERO
    resettable_pl: Decimal = ZERO
    financing: Decimal = ZERO
    last_fill: int = 0
    margin_called: int = 0
    """Since when the account is in a margin call, 0 if it is not."""
    record: Record = field(default_factory=Record)
    pending: dict[int, Order] = field(default_factory=dict)
    finished: dict[int, Order] = field(default_factory=dict)
    trades: dict[int, Trade] = field(default_factory=dict)
    open_trades: dict[int, Trade] = field(default_factory=dict)
    by_instrument: dict[str, dict[int, Trade]] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    client_orders: dict[str, int] = field(default_factory=dict)
    client_trades: dict[str, int] = field(default_factory=dict)
    touched: list[Order | Trade] = field(default_factory=list)
    """Orders and trades changed since the last commit, for whoever keeps the state."""

    def position(self, instrument: str) -> Position:
        """The position of an instrument, begun if there is none."""
        found = self.positions.get(instrument)
        if found is None:
            found = self.positions[instrument] = Position(instrument)
        return found

    def holding(self, instrument: str) -> Position:
        """The position of an instrument to look at: an empty one, which is not kept, if it was never traded."""
        return self.positions.get(instrument) or Position(instrument)

    def trades_in(self, instrument: str) -> dict[int, Trade]:
        """Open trades of an instrument, oldest first."""
        return self.by_instrument.setdefault(instrument, {})

    def find_order(self, specifier: str) -> Order | None:
        """A pending order by id or @client id."""
        number = self.client_orders.get(specifier[1:]) if specifier[:1] == "@" else _number(specifier)
        return None if number is None else self.pending.get(number)

    def find_trade(self, specifier: str) -> Trade | None:
        """A trade by id, or an open one by @client id."""
        number = self.client_trades.get(specifier[1:]) if specifier[:1] == "@" else _number(specifier)
        return None if number is None else self.trades.get(number)

    def keep(self, order: Order) -> None:
        """Take up a pending order."""
        self.pending[order.id] = order
        if order.client_id:
            self.client_orders[order.client_id] = order.id
        self.touched.append(order)

    def finish(self, order: Order) -> None:
        """Move an order to the finished ones, of which the newest are kept."""
        self.pending.pop(order.id, None)
        if order.client_id and self.client_orders.get(order.client_id) == order.id:
            del self.client_orders[order.client_id]
        self.finished[order.id] = order
        if len(self.finished) > _FINISHED_KEPT:
            del self.finished[next(iter(self.finished))]
        self.touched.append(order)

    def extend_order(self, order: Order, own: Body, trade: Body) -> None:
        """Change the client extensions of a pending order, and those its trade will have."""
        if own:
            self.client_orders.pop(order.client_id or "", None)
            merged = {**(order.fields.get("clientExtensions") or {}), **own}
            order.fields = {**order.fields, "clientExtensions": merged}
            order.client_id = merged.get("id")
            if order.client_id:
                self.client_orders[order.client_id] = order.id
        if trade:
            merged = {**(order.fields.get("tradeClientExtensions") or {}), **trade}
            order.fields = {**order.fields, "tradeClientExtensions": merged}
        self.touched.append(order)

    def extend_trade(self, trade: Trade, own: Body) -> None:
        """Change the client extensions of an open trade."""
        self.client_trades.pop(trade.client_id or "", None)
        trade.extensions = {**(trade.extensions or {}), **own}
        if trade.client_id:
            self.client_trades[trade.client_id] = trade.id
        self.touched.append(trade)

    def open_trade(self, trade: Trade) -> None:
        """Take up an open trade with its share of the position."""
        self.trades[trade.id] = self.open_trades[trade.id] = self.trades_in(trade.instrument)[trade.id] = trade
        if trade.client_id:
            self.client_trades[trade.client_id] = trade.id
        side = self.position(trade.instrument).side(trade.long)
        side.units += abs(trade.units)
        side.cost += abs(trade.units) * trade.price
        self.touched.append(trade)

    def reduce_trade(self, trade: Trade, units: int, price: int, realized: Decimal, closer: int, now: int) -> None:
        """Close |units| of a trade at a price (ticks); books the realised amount on trade, position and account."""
        sign = 1 if trade.long else -1
        trade.units -= sign * units
        trade.realized += realized
        trade.closed_cost += units * price
        trade.closing_ids.append(closer)
        side = self.position(trade.instrument).side(trade.long)
        side.units -= units
        side.cost -= units * trade.price
        side.pl += realized
        self.pl += realized
        self.resettable_pl += realized
        self.balance += realized
        if not trade.open:
            trade.closed = now
            del self.open_trades[trade.id]
            del self.trades_in(trade.instrument)[trade.id]
            if trade.client_id and self.client_trades.get(trade.client_id) == trade.id:
                del self.client_trades[trade.client_id]
        self.touched.append(trade)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


@dataclass(slots=True, eq=False)
class Batch:
    """Transactions that happen together: one time, one request, consecutive ids. Nothing is recorded before commit."""

    account: Account
    now: int
    request: str | None = None
    """The request's id; None for what the exchange does by itself."""
    entries: list[Body] = field(default_factory=list)

    def add(self, kind: str, fields: Body) -> Body:
        """Add a transaction and return it with its id; it may be amended until commit."""
        number = self.account.record.last + len(self.entries) + 1
        entry: Body = {
            "id": str(number),
            "accountID": self.account.id,
            "userID": self.account.user if self.request else 0,
            "batchID": self.entries[0]["id"] if self.entries else str(number),
        }
        if self.request:
            entry["requestID"] = self.request
        entry["time"] = time_text(self.now)
        entry["type"] = kind
        entry.update(fields)
        self.entries.append(entry)
        return entry

    @property
    def next_id(self) -> int:
        """The id that the next transaction will have."""
        return self.account.record.last + len(self.entries) + 1

    @property
    def ids(self) -> list[str]:
        """Ids of the batch so far."""
        return [entry["id"] for entry in self.entries]

    def commit(self, listeners: Iterable[Callable[[Account, "Batch", list[bytes]], None]]) -> None:
        """Record the batch and tell the listeners (account, batch, encoded transactions)."""
        if not self.entries and not self.account.touched:
            return
        encoded = [orjson.dumps(entry) for entry in self.entries]
        for entry, line in zip(self.entries, encoded, strict=True):
            self.account.record.append(entry["type"], self.now, line)
        for listener in listeners:
            listener(self.account, self, encoded)
        self.account.touched.clear()


def open_account(account: Account, deposit: Decimal, now: int) -> Batch:
    """The first two transactions of an account: CREATE and the deposit. Not yet committed."""
    account.created = now
    batch = Batch(account, now)
    parts = account.id.split("-")
    numbers = [int(p) if p.isdigit() else 0 for p in [*parts, "0", "0", "0", "0"][:4]]
    batch.add(
        "CREATE",
        {
            "divisionID": numbers[0],
            "siteID": numbers[1],
            "accountUserID": numbers[2],
            "accountNumber": numbers[3],
            "homeCurrency": account.currency,
        },
    )
    account.balance = deposit
    batch.add(
        "TRANSFER_FUNDS",
        {"amount": money_text(deposit), "fundingReason": "CLIENT_FUNDING", "accountBalance": money_text(deposit)},
    )
    return batch
