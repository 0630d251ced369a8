"""What must be true once everything has come to rest: the broker's record against the books. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sep_trader.exchange.witness import Entry, Held
from sep_trader.execution.marks import OUR_MARK, TAG, terms_of
from sep_trader.simulation.audit import Audit
from sep_trader.states import ExecutionStatus, SignalStatus, TradingState

_UNSETTLED = frozenset({ExecutionStatus.INTENT, ExecutionStatus.UNKNOWN})
_PATIENCE_S = 60.0
"""Seconds of the exchange's time that a close may take after a horizon."""


class Disagrees(Exception):
    """An invariant does not hold (yet)."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant, self.text = invariant, text


def check(audit: Audit, record: Sequence[Entry], trades: Sequence[Held], balance: Decimal, now: datetime) -> None:
    """Raise Disagrees for the first invariant that does not hold."""
    _orders(record)
    unsettled = [e.client for e in audit.executions.values() if e.status in _UNSETTLED]
    if unsettled:
        raise Disagrees("Q1", f"nobody knows the end of {', '.join(unsettled)}")
    waiting = [name for name, (status, _, _) in audit.signals.items() if status is SignalStatus.NEW]
    if waiting:
        raise Disagrees("L3", f"{len(waiting)} signals have not ended")
    last = record[-1].id if record else 0
    count, first, newest = audit.record
    if audit.booked != last or (newest is not None and (newest != last or count != last - (first or 0) + 1)):
        at = f"booked are {count} from {first} to {newest}, at {audit.booked}"
        raise Disagrees("S6", f"the record ends at {last}; {at}")
    if audit.balance != balance or audit.unexplained or audit.entries:
        says = f"the books say {audit.balance}, {audit.unexplained} unexplained"
        raise Disagrees("S7", f"the balance is {balance}, {says}")
    _open(audit, record, trades, now)
    if audit.state is not TradingState.ACTIVE:
        raise Disagrees("Q4", f"the switch is {audit.state} by {audit.changed_by}")


def _orders(record: Sequence[Entry]) -> None:
    """S1: one order a signal, whatever happened."""
    names = Counter(one.name for one in record if one.type == "MARKET_ORDER" and one.name.startswith(OUR_MARK))
    for name, count in names.items():
        if count > 1:
            raise Disagrees("S1", f"the exchange has {count} orders of the name {name}")


def _open(audit: Audit, record: Sequence[Entry], trades: Sequence[Held], now: datetime) -> None:
    by_trade = {e.trade for e in audit.executions.values() if e.trade is not None}
    for opened in (one.opened for one in record if one.opened is not None):
        if opened.tag.startswith(TAG) and opened.trade_id not in by_trade:
            raise Disagrees("S4", f"trade {opened.trade_id} carries our tag, and no row of the books is its own")
    booked = {e.trade: e.open_units for e in audit.executions.values() if e.status is ExecutionStatus.OPEN}
    held = {one.trade_id: one.units for one in trades}
    if booked != held:
        raise Disagrees("Q2", f"open in the books: {booked}; open at the broker: {held}")
    for one in trades:
        terms = terms_of(one.comment)
        if terms is not None and (now - terms.horizon_at).total_seconds() > _PATIENCE_S:
            raise Disagrees("L1", f"trade {one.trade_id} is open past its horizon {terms.horizon_at:%H:%M:%S}")
        if not one.has_stop:
            raise Disagrees("L2", f"trade {one.trade_id} has no stop")
