"""Place, replace and cancel orders.

Every function returns (status, body) as it goes over the wire; a refusal without a transaction is raised as Refusal.
"""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import ASK, BID, DEPENDENT_TYPES, Order
from sep_trader.exchange.matching.answers import Answer, Body, outcome, read_object, rejected, settle
from sep_trader.exchange.matching.fills import attach_exit, cancel_order, execute
from sep_trader.exchange.matching.refusals import BadParameter, Reject
from sep_trader.exchange.matching.requests import read_entry, read_exit, read_type
from sep_trader.exchange.matching.resting import fill_resting

MAX_PENDING_ORDERS = 1000


def place_order(floor: Floor, account: Account, body: object, request: str) -> Answer:
    """POST orders: 201 with what came of it, or a reject transaction."""
    raw = read_object(body, "order")
    kind = read_type(raw)
    batch = Batch(account, floor.now, request)
    fields: Body = {}
    try:
        order = _read(floor, account, raw, kind, fields)
    except Reject as no:
        return rejected(floor, batch, f"{_listed(kind)}_ORDER_REJECT", fields, no, "CLIENT_ORDER")
    created, done = _enter(floor, batch, order, {"reason": "CLIENT_ORDER"})
    answer = {"orderCreateTransaction": created, **done}
    return 201, settle(floor, batch, answer)


def replace(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT orders/{spec}: cancel a pending order and create another in its place, in one batch."""
    raw = read_object(body, "order")
    kind = read_type(raw)
    batch = Batch(account, floor.now, request)
    old = account.find_order(specifier)
    if old is None:
        return _no_order(floor, batch, specifier)
    fields: Body = {}
    try:
        if kind != old.type:
            raise Reject("REPLACING_ORDER_INVALID")
        order = _read(floor, account, raw, kind, fields, replaced=old)
    except Reject as no:
        fields = {**fields, "intendedReplacesOrderID": str(old.id)}
        return rejected(floor, batch, f"{_listed(kind)}_ORDER_REJECT", fields, no, "REPLACEMENT")
    cancelled = cancel_order(
        floor, batch, old, "CLIENT_REQUEST_REPLACED", {"replacedByOrderID": str(batch.next_id + 1)}
    )
    old.outcome["replacedByOrderID"] = cancelled["replacedByOrderID"]
    why = {"reason": "REPLACEMENT", "replacesOrderID": str(old.id), "cancellingTransactionID": cancelled["id"]}
    created, done = _enter(floor, batch, order, why)
    order.outcome["replacesOrderID"] = str(old.id)
    if "orderCancelTransaction" in done:
        done = {"replacingOrderCancelTransaction": done["orderCancelTransaction"]}
    answer = {"orderCancelTransaction": cancelled, "orderCreateTransaction": created, **done}
    return 201, settle(floor, batch, answer)


def cancel(floor: Floor, account: Account, specifier: str, request: str) -> Answer:
    """PUT orders/{spec}/cancel."""
    batch = Batch(account, floor.now, request)
    order = account.find_order(specifier)
    if order is None:
        return _no_order(floor, batch, specifier)
    entry = cancel_order(floor, batch, order, "CLIENT_REQUEST")
    return 200, settle(floor, batch, {"orderCancelTransaction": entry})


def _listed(kind: str) -> str:
    return kind if kind != "GUARANTEED_STOP_LOSS" else "STOP_LOSS"


def _read(floor: Floor, account: Account, raw: Body, kind: str, fields: Body, replaced: Order | None = None) -> Order:
    """Read any order request; Reject or BadParameter say what is wrong with it."""
    if kind in DEPENDENT_TYPES or kind == "GUARANTEED_STOP_LOSS":
        order = _read_dependent(floor, account, raw, kind, fields, replaced)
    else:
        if raw.get("instrument") is None:
            raise Reject("INSTRUMENT_MISSING")
        instrument = floor.instruments.get(str(raw["instrument"]))
        if instrument is None:
            raise BadParameter("order.instrument")
        order = read_entry(raw, kind, instrument, floor.now, fields)
        if kind == "MARKET_IF_TOUCHED":
            book = floor.books[instrument.name]
            component = order.component()
            value = book.bid if component == BID else book.ask if component == ASK else book.mid
            order.rising = order.price > value
    taken = account.client_orders.get(order.client_id) if order.client_id else None
    if taken is not None and (replaced is None or taken != replaced.id):
        raise Reject("CLIENT_ORDER_ID_ALREADY_EXISTS")
    if kind != "MARKET" and len(account.pending) >= MAX_PENDING_ORDERS:
        raise Reject("PENDING_ORDERS_ALLOWED_EXCEEDED")
    return order


def _read_dependent(
    floor: Floor, account: Account, raw: Body, kind: str, fields: Body, replaced: Order | None
) -> Order:
    for key in ("tradeID", "clientTradeID"):
        if raw.get(key) is not None:
            fields[key] = str(raw[key])
    if kind == "GUARANTEED_STOP_LOSS":
        raise Reject("STOP_LOSS_ORDER_GUARANTEED_NOT_ALLOWED")
    if "tradeID" not in fields and "clientTradeID" not in fields:
        raise Reject("TRADE_ID_UNSPECIFIED")
    found = [account.find_trade(("@" if key == "clientTradeID" else "") + fields[key]) for key in fields]
    trade = found[0]
    if trade is None or not trade.open:
        raise Reject("TRADE_DOESNT_EXIST", 404)
    if any(other is not trade for other in found):
        raise Reject("TRADE_IDENTIFIER_INCONSISTENCY")
    if replaced is not None and replaced.trade_id != trade.id:
        raise Reject("REPLACING_TRADE_ID_INVALID")
    if kind in trade.exits and replaced is None:
        raise Reject(f"{kind}_ORDER_ALREADY_EXISTS")
    terms: Body = {}
    try:
        order = read_exit(raw, kind, floor.instruments[trade.instrument], floor.now, terms)
    finally:
        fields.update(terms)
    order.trade_id, order.trade_long = trade.id, trade.long
    return order


def _enter(floor: Floor, batch: Batch, order: Order, why: Body) -> tuple[Body, Body]:
    """Create an accepted order and let it fill or rest; returns its transaction and the keys of what followed."""
    account = batch.account
    if order.trade_id is not None:
        created = attach_exit(floor, batch, account.open_trades[order.trade_id], order, why)
        return created, try_at_once(floor, batch, order)
    created = batch.add(f"{order.type}_ORDER", {**order.fields, **why})
    order.id, order.created = int(created["id"]), floor.now
    if order.type == "MARKET":
        return created, outcome(execute(floor, batch, order, "MARKET_ORDER", limit=order.bound))
    account.keep(order)
    floor.rest(account, order)
    done = try_at_once(floor, batch, order)
    if not done and order.time_in_force in ("FOK", "IOC"):
        halted = not floor.books[order.instrument].tradeable
        done = outcome(cancel_order(floor, batch, order, "MARKET_HALTED" if halted else "TIME_IN_FORCE_EXPIRED"))
    return created, done


def try_at_once(floor: Floor, batch: Batch, order: Order) -> Body:
    """Fill a new resting order if the current quote triggers it already."""
    book = floor.books[order.instrument]
    if not book.tradeable or book.empty or order not in floor.triggers[order.instrument].triggered(book.bid, book.ask):
        return {}
    done = fill_resting(floor, batch, order)
    return {} if done is None else outcome(done)


def _no_order(floor: Floor, batch: Batch, specifier: str) -> Answer:
    fields = {"orderID": specifier}
    if specifier[:1] == "@":
        finished = reversed(batch.account.finished.values())
        past = next((order for order in finished if order.client_id == specifier[1:]), None)
        fields = {"clientOrderID": specifier[1:]} | ({"orderID": str(past.id)} if past else {})
    return rejected(
        floor, batch, "ORDER_CANCEL_REJECT", fields, Reject("ORDER_DOESNT_EXIST", 404), "", key="orderCancel"
    )
