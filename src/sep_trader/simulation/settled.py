"""What must be true once everything has come to rest: the broker's record against the books. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sep_trader.execution.marks import OUR_MARK, TAG, terms_of
from sep_trader.simulation.audit import Audit

_PATIENCE_S = 60.0
"""Seconds of the exchange's time that a close may take after a horizon."""


class Disagrees(Exception):
    """An invariant does not hold (yet)."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant, self.text = invariant, text


def check(
    audit: Audit,
    record: Sequence[Mapping[str, Any]],
    trades: Sequence[Mapping[str, Any]],
    balance: Decimal,
    now: datetime,
) -> None:
    """Raise Disagrees for the first invariant that does not hold."""
    _orders(record)
    unsettled = [e.client for e in audit.executions.values() if e.status in ("INTENT", "UNKNOWN")]
    if unsettled:
        raise Disagrees("Q1", f"nobody knows the end of {', '.join(unsettled)}")
    waiting = [name for name, (status, _, _) in audit.signals.items() if status == "NEW"]
    if waiting:
        raise Disagrees("L3", f"{len(waiting)} signals have not ended")
    last = int(record[-1]["id"]) if record else 0
    count, first, newest = audit.record
    if audit.booked != last or (newest is not None and (newest != last or count != last - (first or 0) + 1)):
        raise Disagrees(
            "S6", f"the record ends at {last}; booked are {count} from {first} to {newest}, at {audit.booked}"
        )
    if audit.balance != balance or audit.unexplained or audit.entries:
        raise Disagrees(
            "S7", f"the balance is {balance}, the books say {audit.balance}, {audit.unexplained} unexplained"
        )
    _open(audit, record, trades, now)
    if audit.state != "ACTIVE":
        raise Disagrees("Q4", f"the switch is {audit.state} by {audit.changed_by}")


def _orders(record: Sequence[Mapping[str, Any]]) -> None:
    """S1: one order a signal, whatever happened."""
    names = Counter(
        str((entry.get("clientExtensions") or {}).get("id", "")) for entry in record if entry["type"] == "MARKET_ORDER"
    )
    for name, count in names.items():
        if name.startswith(OUR_MARK) and count > 1:
            raise Disagrees("S1", f"the exchange has {count} orders of the name {name}")


def _open(
    audit: Audit, record: Sequence[Mapping[str, Any]], trades: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    by_trade = {e.trade for e in audit.executions.values() if e.trade is not None}
    for entry in record:
        opened = entry.get("tradeOpened") or {}
        tag = str((opened.get("clientExtensions") or {}).get("tag", ""))
        if tag.startswith(TAG) and int(opened["tradeID"]) not in by_trade:
            raise Disagrees("S4", f"trade {opened['tradeID']} carries our tag, and no row of the books is its own")
    booked = {e.trade: e.open_units for e in audit.executions.values() if e.status == "OPEN"}
    held = {int(trade["id"]): Decimal(str(trade["currentUnits"])) for trade in trades}
    if booked != held:
        raise Disagrees("Q2", f"open in the books: {booked}; open at the broker: {held}")
    for trade in trades:
        terms = terms_of((trade.get("clientExtensions") or {}).get("comment"))
        if terms is not None and (now - terms.horizon_at).total_seconds() > _PATIENCE_S:
            raise Disagrees("L1", f"trade {trade['id']} is open past its horizon {terms.horizon_at:%H:%M:%S}")
        if "stopLossOrder" not in trade:
            raise Disagrees("L2", f"trade {trade['id']} has no stop")
