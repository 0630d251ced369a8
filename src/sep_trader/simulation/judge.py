"""The invariants of safety, S1 to S17: judged after each step by the exchange's own state and an audit of the books.

Nothing here asks the trader what it thinks. A violation names the invariant; the day ends with it.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sep_trader.exchange import witness
from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.execution.marks import OUR_MARK, TAG
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.protections import Protection
from sep_trader.simulation.audit import Audit, Booked
from sep_trader.states import ExecutionStatus as Status
from sep_trader.states import TradingState

_TERMINAL = frozenset({Status.CLOSED, Status.REJECTED, Status.GIVEN_UP})
_UNSETTLED = frozenset({Status.INTENT, Status.UNKNOWN})
_STEPS: Mapping[Status, frozenset[Status]] = {
    Status.INTENT: frozenset({Status.UNKNOWN, Status.OPEN, Status.REJECTED}),
    Status.UNKNOWN: frozenset({Status.GIVEN_UP, Status.OPEN, Status.REJECTED}),
    Status.GIVEN_UP: frozenset({Status.OPEN, Status.REJECTED}),
    Status.REJECTED: frozenset({Status.OPEN}),
    Status.OPEN: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
"""By hand, and not out of the schema that enforces it: a judge does not ask who is judged."""
_PROTECTIONS = frozenset(str(one) for one in Protection)
_REQUESTS_A_SECOND = 60
_TRIES_WHILE_CLOSED = 2
_BEGINNING = 2
"""The entries with which an account begins."""
_VISIBLE_S = 5.0
_OLDEST_QUOTE_S = 62.0
_ROUGHLY = Decimal("1.02")
"""Between the look and the audit the market and the NAV move a little."""


class Violated(BaseException):
    """An invariant does not hold. No exception of the program may catch it."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant, self.text = invariant, text


@dataclass(slots=True)
class Judge:
    """What is known of a day, for judging it."""

    floor: Floor
    account: Account
    limits: RiskLimits
    tag: str
    holder: int = 0
    """Which trader holds the lock."""
    persons: bool = False
    """Whether a person does it, and not the trader."""
    last: Audit | None = None
    names: set[str] = field(default_factory=set)
    """What the orders of the stored signals are called."""
    orders: Counter[str] = field(default_factory=Counter)
    arrived: dict[str, float] = field(default_factory=dict)
    opened: dict[int, int] = field(default_factory=dict)
    clients: dict[int, str] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    balances: dict[int, Decimal] = field(default_factory=dict)
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=_REQUESTS_A_SECOND))
    tries: Counter[int] = field(default_factory=Counter)
    """Transactions of closing a trade while the market is closed."""
    paid: Decimal = Decimal(0)
    orders_sent: dict[str, float] = field(default_factory=dict)

    # -- at the broker

    def request(self, step: str, path: str, body: Any, now: float, trader: int, audit: Audit) -> None:
        """A request is about to leave at a time (seconds since the epoch)."""
        if len(self.sent) == _REQUESTS_A_SECOND and now - self.sent[0] < 1.0:
            raise Violated("S17", f"{_REQUESTS_A_SECOND + 1} requests within {now - self.sent[0]:.3f} s")
        self.sent.append(now)
        if step == "order":
            self._order(witness.ordered(body), now, trader, audit)
        elif step in ("close", "protect", "mark"):
            self._exit(path, step)

    def _order(self, order: witness.Ordered, now: float, trader: int, audit: Audit) -> None:
        client = order.name
        booked = audit.executions.get(client)
        if booked is None or booked.status is not Status.INTENT:
            state = "none" if booked is None else booked.status
            raise Violated("S2", f"order {client} was sent, and its intent is {state} in the books")
        if client not in self.names:
            raise Violated("S1", f"order {client} is called after no signal: nobody could tell a second one of it")
        if client in self.orders_sent:
            raise Violated("S1", f"order {client} was sent twice")
        self.orders_sent[client] = now
        if booked.deadline is not None and now > booked.deadline:
            raise Violated("S3", f"order {client} was sent {now - booked.deadline:.1f} s after its signal's end")
        if trader != self.holder:
            raise Violated("S3", f"trader {trader} sent order {client}, and trader {self.holder} holds the lock")
        if order.tag != self.tag:
            raise Violated("S4", f"order {client} carries the tag {order.tag}: its trade could not be told from others")

    def _exit(self, path: str, step: str) -> None:
        if "/positions/" in path:
            raise Violated("S13", "a whole position was closed, a person's units with it")
        trade_id = int(path.split("/")[-2])
        trade = self.account.trades.get(trade_id)
        if trade is not None and not self.is_ours(trade):
            raise Violated("S13", f"{step} was sent for trade {trade_id}, which is a person's")

    def is_ours(self, trade: Trade) -> bool:
        """Whether we opened a trade, by the order that opened it."""
        return trade.id in self.opened

    def recorded(self, account: Account, batch: Batch, encoded: list[bytes]) -> None:
        """The exchange recorded transactions (a listener of the floor)."""
        for entry in map(witness.entry, batch.entries):
            before = self.balances.get(entry.id - 1, Decimal(0))
            self.balances[entry.id] = before if entry.balance is None else entry.balance
            if entry.type == "MARKET_ORDER":
                self._market_order(entry)
            elif entry.type == "ORDER_FILL":
                self._filled(entry)
            elif entry.type == "TRANSFER_FUNDS" and entry.id > _BEGINNING:
                self.paid += entry.amount

    def _market_order(self, entry: witness.Entry) -> None:
        if entry.name.startswith(OUR_MARK):
            self.orders[entry.name] += 1
            self.arrived.setdefault(entry.name, self.floor.now / 1e9)
            if self.orders[entry.name] > 1:
                raise Violated("S1", f"the exchange has {self.orders[entry.name]} orders of the name {entry.name}")
        trade = None if entry.closes is None else self.account.trades.get(entry.closes)
        if trade is not None and not self.persons and not self.floor.books[trade.instrument].tradeable:
            self.tries[trade.id] += 1
            if self.tries[trade.id] > _TRIES_WHILE_CLOSED:
                raise Violated("S17", f"trade {trade.id} was tried to close {self.tries[trade.id]} times while closed")

    def _filled(self, entry: witness.Entry) -> None:
        opened = entry.opened
        if opened is not None and opened.tag.startswith(TAG):
            self._entered(opened.name, entry.price or Decimal(0))
            self.opened[opened.trade_id] = entry.id
            self.clients[opened.trade_id] = opened.name
            self._protected(opened.trade_id)
        for trade_id in (*entry.ended, *entry.reduced):
            if trade_id not in self.opened and entry.by_order and not self.persons:
                raise Violated("S13", f"an order of ours closed units of trade {trade_id}, which is a person's")
        self.ended |= dict.fromkeys(entry.ended, entry.id)

    def _entered(self, client: str, price: Decimal) -> None:
        """S11: a fill no worse than its bound."""
        booked = None if self.last is None else self.last.executions.get(client)
        if booked is None or booked.stop is None:
            return
        tick = Decimal(1).scaleb(price.as_tuple().exponent)  # type: ignore[arg-type]
        worse = (price - booked.expected) * (1 if booked.units > 0 else -1)
        if worse > max(2 * tick, booked.stop / 10 + tick):
            raise Violated(
                "S11", f"order {client} was filled {worse} worse than the decision saw, its stop is {booked.stop}"
            )

    def looser(self, trade: Trade) -> Decimal | None:
        """How far the stop of a trade of ours is from its fill, where its size was reckoned from less."""
        stop = self.account.pending.get(trade.exits.get("STOP_LOSS", 0))
        client = self.clients.get(trade.id, "")
        booked = None if self.last is None else self.last.executions.get(client)
        if stop is None or booked is None or booked.stop is None:
            return None
        precision = self.floor.books[trade.instrument].precision
        away = Decimal(trade.price - stop.price if trade.long else stop.price - trade.price).scaleb(-precision)
        return away if away > booked.stop + Decimal(1).scaleb(-precision) else None

    def _protected(self, trade_id: int) -> None:
        """S11: the stop that came with a fill is as far from it as the size was reckoned from."""
        away = self.looser(self.account.trades[trade_id])
        if away is not None:
            raise Violated(
                "S11", f"the stop of trade {trade_id} is {away} from its fill: more is at risk than was reckoned"
            )

    # -- in the books

    def committed(self, audit: Audit, transaction: str) -> None:
        """A transaction stands: judge the books as they are now."""
        before, self.last = self.last, audit
        self._record(audit)
        self._trades(audit)
        if before is not None:
            self._went_forward(before, audit, self.floor.now / 1e9)
            self._switch(before, audit)
            self._marks(before, audit)
        if transaction == "intent":
            self._exposed(before, audit)

    def _record(self, audit: Audit) -> None:
        if audit.booked is None:
            return
        count, first, last = audit.record
        if last is not None and first is not None and (count != last - first + 1 or last != audit.booked):
            raise Violated("S6", f"{count} transactions are booked from {first} to {last}, up to {audit.booked}")
        stated = self.balances.get(audit.booked)
        if stated is not None and audit.balance != stated:
            raise Violated("S7", f"the ledger is {audit.balance} at {audit.booked}, the broker states {stated}")
        if audit.entries != 0:
            raise Violated("S8", f"the entries add up to {audit.entries}")

    def _trades(self, audit: Audit) -> None:
        by_trade = {e.trade for e in audit.executions.values() if e.trade is not None}
        booked = audit.booked or 0
        for trade_id, number in self.opened.items():
            if number <= booked and trade_id not in by_trade:
                raise Violated("S4", f"trade {trade_id} carries our tag, and no row of the books is its own")
        for execution in audit.executions.values():
            if execution.trade is None or execution.trade not in self.opened:
                continue
            end = self.ended.get(execution.trade)
            over = end is not None and end <= booked
            if execution.status is Status.OPEN and over:
                raise Violated("S5", f"trade {execution.trade} ended at {end}; it is OPEN in the books at {booked}")
            if execution.status is Status.CLOSED and not over:
                raise Violated(
                    "S5", f"trade {execution.trade} is CLOSED in the books at {booked}, and open at the broker"
                )

    def _has_had(self, client: str, now: float) -> bool:
        """Whether the broker has had an order for so long that a complete record shows it."""
        return client in self.arrived and now - self.arrived[client] > _VISIBLE_S

    def _went_forward(self, before: Audit, audit: Audit, now: float) -> None:
        for client, old in before.executions.items():
            new = audit.executions.get(client)
            if new is None:
                raise Violated("S9", f"the row of order {client} is gone")
            if new.status != old.status and not _reaches(old.status, new.status):
                raise Violated("S9", f"order {client} went from {old.status} to {new.status}")
            if new.status is Status.GIVEN_UP is not old.status and self._has_had(client, now):
                raise Violated("S14", f"order {client} was given up, and the broker has had it for long")
            if old.status in _TERMINAL and new != old and not new.late and not _only_said(old, new):
                raise Violated("S10", f"order {client} was {old.status}, and changed to {new.status}")

    def _switch(self, before: Audit, audit: Audit) -> None:
        by_protection = audit.changed_by in _PROTECTIONS
        if (before.state, before.changed_by) == (audit.state, audit.changed_by) or not by_protection:
            return
        if audit.state.depth <= before.state.depth:
            raise Violated("S15", f"{audit.changed_by} turned {before.state} to {audit.state}")

    def _marks(self, before: Audit, audit: Audit) -> None:
        was, now = before.nav_high, audit.nav_high
        if was is not None and now is not None and now < was and not self.paid:
            raise Violated("S16", f"the highest NAV fell from {was} to {now}")

    def _exposed(self, before: Audit | None, audit: Audit) -> None:
        """A new intent: what the account would carry with it."""
        known = set() if before is None else set(before.executions)
        new = [e for client, e in audit.executions.items() if client not in known and e.status is Status.INTENT]
        if new and audit.state is not TradingState.ACTIVE:
            raise Violated("S3", f"an intent was written while {audit.state}")
        for one in new:
            self._reckoned(one)
            self._alone(one, audit)
        if new:
            self._carried(audit)

    def _reckoned(self, one: Booked) -> None:
        """S11: a size that loses the risked share at the stop, from a quote that is not old."""
        age = 0.0 if one.quoted is None else self.floor.now / 1e9 - one.quoted
        if age > _OLDEST_QUOTE_S:
            raise Violated("S11", f"order {one.client} was reckoned from a quote {age:.0f} s old")
        risk = abs(one.units) * (one.stop or Decimal(0)) * self._rate(one.pair[4:])
        if risk > self.limits.risk_per_trade * self.nav * _ROUGHLY:
            raise Violated("S11", f"{one.units} {one.pair} risk {risk:.2f} at the stop, of a NAV of {self.nav}")

    def _alone(self, one: Booked, audit: Audit) -> None:
        """S12: no other order or trade of ours is open in its pair, and not too many in all."""
        live = [e for e in audit.executions.values() if e.status not in _TERMINAL]
        if any(e.pair == one.pair and e is not one for e in live):
            raise Violated("S12", f"a second order of {one.pair} beside one that has not ended")
        if len(live) > self.limits.max_open_trades:
            raise Violated("S12", f"{len(live)} orders and trades are open")

    def _carried(self, audit: Audit) -> None:
        """S12: leverage and exposure in each currency, with what is open and what may be under way."""
        waiting = [e for e in audit.executions.values() if e.status in _UNSETTLED and self.orders[e.client] == 0]
        sizes = [(t.instrument, Decimal(t.units)) for t in self.account.open_trades.values()]
        sizes += [(e.pair, e.units) for e in waiting]
        nav, gross, net = self.nav, Decimal(0), defaultdict[str, Decimal](Decimal)
        for pair, units in sizes:
            size = units * self._rate(pair[:3])
            gross += abs(size)
            net[pair[:3]] += size
            net[pair[4:]] -= size
        if gross > self.limits.max_leverage * nav * _ROUGHLY:
            raise Violated("S12", f"exposure of {gross:.0f} at a NAV of {nav}")
        net.pop(self.account.currency, None)
        for currency, amount in net.items():
            if abs(amount) > self.limits.max_currency_exposure * nav * _ROUGHLY:
                raise Violated("S12", f"{abs(amount):.0f} in {currency} at a NAV of {nav}")

    @property
    def nav(self) -> Decimal:
        """The account's NAV now, by the exchange."""
        return self.account.balance + self.floor.valuer.account(self.account).unrealized

    def _rate(self, currency: str) -> Decimal:
        """Home currency per unit of a currency, at the mid."""
        return self.floor.conversions.rate(currency, self.account.currency).mid


def _reaches(old: Status, new: Status) -> bool:
    """Whether one state follows from another, over those between."""
    seen, edge = {old}, {old}
    while edge:
        edge = {after for state in edge for after in _STEPS[state]} - seen
        seen |= edge
    return new in seen


def _only_said(old: Booked, new: Booked) -> bool:
    """Whether nothing but what an order is called has changed: GIVEN_UP may learn that the order came to nothing."""
    return old.status is Status.GIVEN_UP and new.status is Status.REJECTED and old.units == new.units
