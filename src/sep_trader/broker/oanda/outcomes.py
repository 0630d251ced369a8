"""What became of an order, read from OANDA's answer or from the account's transactions. Pure.

A request is known to have failed only when the broker says so. Whatever leaves a doubt is Unknown.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from sep_trader.broker.oanda.times import parse_time
from sep_trader.broker.oanda.wire import decimal
from sep_trader.broker.port import Cancelled, Filled, Outcome, Rejected, Resting, Unknown
from sep_trader.ledger.transactions import Transaction

Json = Mapping[str, Any]

NOT_FOUND = "NOT_FOUND"
INCOMPLETE = "INCOMPLETE"
NOT_SENT = "NOT_SENT"
RATE_LIMITED = "RATE_LIMITED"
UNAUTHORIZED = "UNAUTHORIZED"
FORBIDDEN = "FORBIDDEN"

_UNREADABLE = (KeyError, ValueError, TypeError, InvalidOperation, AttributeError)
_BARE = {401: UNAUTHORIZED, 403: FORBIDDEN, 429: RATE_LIMITED}
_TIMEOUT = 408


def from_answer(status: int, content: bytes) -> Outcome:
    """Read the answer to an order, a close or a replacement.

    2xx: what its transactions say, Unknown when they cannot be read. 4xx: Rejected, with the broker's reject reason,
    else its error code, else one named after the status. 408, 5xx and anything else: Unknown.
    """
    if 200 <= status < 300:
        try:
            return _created(orjson.loads(content))
        except _UNREADABLE as error:
            return Unknown(f"HTTP {status} with an answer that cannot be read: {type(error).__name__}")
    if 400 <= status < 500 and status != _TIMEOUT:
        return _rejected(status, content)
    return Unknown(f"HTTP {status}")


def from_cancel(status: int, content: bytes) -> Outcome:
    """Read the answer to a cancellation, whose success is the order's Cancelled."""
    if not 200 <= status < 300:
        return from_answer(status, content)
    try:
        body = orjson.loads(content)
        return _cancelled(body["orderCancelTransaction"])
    except _UNREADABLE as error:
        return Unknown(f"HTTP {status} with an answer that cannot be read: {type(error).__name__}")


def from_exits(status: int, content: bytes) -> Outcome:
    """Read the answer to a change of a trade's exits.

    Filled when a new exit was hit at once, Cancelled when the broker cancelled it as soon as it was made, Resting for
    a new exit, and Cancelled for one that was taken off.
    """
    if not 200 <= status < 300:
        return from_answer(status, content)
    try:
        return _exits(orjson.loads(content))
    except _UNREADABLE as error:
        return Unknown(f"HTTP {status} with an answer that cannot be read: {type(error).__name__}")


def from_mark(status: int, content: bytes) -> Outcome:
    """Read the answer to a mark written on a trade: Resting with the id of the transaction that wrote it."""
    if not 200 <= status < 300:
        return from_answer(status, content)
    try:
        return Resting(int(orjson.loads(content)["tradeClientExtensionsModifyTransaction"]["id"]))
    except _UNREADABLE as error:
        return Unknown(f"HTTP {status} with an answer that cannot be read: {type(error).__name__}")


def from_transactions(client_id: str, items: Iterable[Transaction]) -> Outcome:
    """Find an order by its client id among transactions; Unknown(NOT_FOUND) when none carries it.

    Should several orders carry the id, one that was filled counts before one that rests, was cancelled or refused.
    A market order without its fill or cancellation is Unknown(INCOMPLETE): the record is still being written.
    """
    found = [outcome for outcome in _orders(items) if outcome[0] == client_id]
    return _best([outcome for _, outcome in found])


def close_from_transactions(trade_id: int, items: Iterable[Transaction]) -> Outcome:
    """Find what closed or reduced a trade, whoever asked for it; Unknown(NOT_FOUND) when nothing did."""
    wanted = str(trade_id)
    outcomes: list[Outcome] = []
    requests: set[str] = set()
    for item in items:
        raw: Json = item.raw
        if (raw.get("tradeClose") or {}).get("tradeID") == wanted:
            rejected = item.type.endswith("_REJECT")
            requests.add(raw["id"])
            outcomes.append(_reject_of(raw) if rejected else Unknown(INCOMPLETE))
        elif item.type == "ORDER_FILL" and wanted in _trades_touched(raw):
            outcomes.append(_filled(raw))
        elif item.type == "ORDER_CANCEL" and raw.get("orderID") in requests:
            outcomes.append(_cancelled(raw))
    return _best(outcomes)


def _best(outcomes: list[Outcome]) -> Outcome:
    for kind in (Filled, Resting, Cancelled, Rejected, Unknown):
        for outcome in reversed(outcomes):
            if isinstance(outcome, kind):
                return outcome
    return Unknown(NOT_FOUND)


def _orders(items: Iterable[Transaction]) -> Iterable[tuple[str, Outcome]]:
    """Each order's client id and its latest state, in the order of creation."""
    states: dict[str, tuple[str, Outcome]] = {}
    for item in items:
        raw: Json = item.raw
        if item.type.endswith("_ORDER_REJECT"):
            states[raw["id"]] = (_own_id(raw), _reject_of(raw))
        elif item.type.endswith("_ORDER"):
            waits = item.type != "MARKET_ORDER"
            states[raw["id"]] = (_own_id(raw), Resting(item.id) if waits else Unknown(INCOMPLETE))
        elif item.type == "ORDER_FILL":
            own = states.get(raw["orderID"], ("", None))[0]
            states[raw["orderID"]] = (raw.get("clientOrderID") or own, _filled(raw))
        elif item.type == "ORDER_CANCEL":
            own, before = states.get(raw["orderID"], ("", None))
            if not isinstance(before, Filled):  # of a partly filled order only the rest is cancelled
                states[raw["orderID"]] = (raw.get("clientOrderID") or own, _cancelled(raw))
    return states.values()


def _created(body: Json) -> Outcome:
    if fill := body.get("orderFillTransaction"):
        return _filled(fill)
    replaced = "orderCancelTransaction" in body and "replacedByOrderID" in body["orderCancelTransaction"]
    cancel = body.get("replacingOrderCancelTransaction" if replaced else "orderCancelTransaction")
    if cancel:
        return _cancelled(cancel)
    create = body["orderCreateTransaction"]
    if create["type"] == "MARKET_ORDER":
        return Unknown("the answer tells neither a fill nor a cancellation")
    return Resting(int(create["id"]))


def _exits(body: Json) -> Outcome:
    def first(suffix: str) -> Json | None:
        names = (f"{kind}{suffix}" for kind in ("stopLossOrder", "takeProfitOrder", "trailingStopLossOrder"))
        return next((body[name] for name in names if name in body), None)

    if fill := first("FillTransaction"):
        return _filled(fill)
    if cancel := first("CreatedCancelTransaction"):
        return _cancelled(cancel)
    if create := first("Transaction"):
        return Resting(int(create["id"]))
    if cancel := first("CancelTransaction"):
        return _cancelled(cancel)
    raise KeyError("orderTransaction")


def _filled(fill: Json) -> Filled:
    opened = fill.get("tradeOpened") or {}
    return Filled(
        order_id=int(fill["orderID"]),
        fill_id=int(fill["id"]),
        time=parse_time(fill["time"]),
        price=_fill_price(fill),
        units=decimal(fill["units"]),
        trade_id=int(opened["tradeID"]) if opened else None,
        pl=decimal(fill.get("pl", 0)),
        financing=decimal(fill.get("financing", 0)),
        half_spread_cost=decimal(fill.get("halfSpreadCost", 0)),
        balance=decimal(fill["accountBalance"]),
    )


def _fill_price(fill: Json) -> Decimal:
    """The price of the trade it opened, else of the fill as a whole, else of the first trade that it closed."""
    touched = [fill.get("tradeOpened"), fill, *(fill.get("tradesClosed") or ()), fill.get("tradeReduced")]
    for part in touched:
        if part and "price" in part:
            return decimal(part["price"])
    return decimal(fill["fullVWAP"])


def _trades_touched(fill: Json) -> set[str]:
    parts = [*(fill.get("tradesClosed") or ()), fill.get("tradeReduced") or {}]
    return {part["tradeID"] for part in parts if "tradeID" in part}


def _cancelled(cancel: Json) -> Cancelled:
    return Cancelled(int(cancel["orderID"]), cancel["reason"])


def _reject_of(reject: Json) -> Rejected:
    return Rejected(reject["rejectReason"], reject.get("errorMessage", ""), recorded=True)


def _rejected(status: int, content: bytes) -> Rejected:
    try:
        body = orjson.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Rejected(_BARE.get(status, f"HTTP_{status}"), "")
    reasons = [part["rejectReason"] for part in body.values() if isinstance(part, dict) and "rejectReason" in part]
    reason = next(iter(reasons), None) or _BARE.get(status) or body.get("errorCode") or f"HTTP_{status}"
    return Rejected(str(reason), str(body.get("errorMessage", "")), recorded=bool(reasons))


def _own_id(raw: Json) -> str:
    return str((raw.get("clientExtensions") or {}).get("id", ""))
