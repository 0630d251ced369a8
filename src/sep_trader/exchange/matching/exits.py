"""Set, replace and take off the exits of a trade."""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import EXIT_TYPES, Trade
from sep_trader.exchange.matching.answers import Answer, Body, rejected, settle
from sep_trader.exchange.matching.fills import attach_exit, cancel_order
from sep_trader.exchange.matching.placing import try_at_once
from sep_trader.exchange.matching.refusals import BadParameter, MissingData, NotFound, Reject
from sep_trader.exchange.matching.requests import read_exit


def set_exits(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT trades/{spec}/orders: create, replace or (null) cancel a trade's exits; keys left out are left alone."""
    raw = body if isinstance(body, dict) else {}
    trade = account.find_trade(specifier)
    if trade is None or not trade.open:
        raise NotFound("NO_SUCH_TRADE", account.record.last)
    batch = Batch(account, floor.now, request)
    read: dict[str, Order | None] = {}
    for name, kind in EXIT_TYPES:
        key = name.removesuffix("Order")
        if key not in raw:
            continue
        if raw[key] is not None and not isinstance(raw[key], dict):
            raise BadParameter(key)
        fields: Body = {"tradeID": str(trade.id)}
        try:
            read[name] = None if raw[key] is None else _read_exit(floor, account, trade, raw[key], kind, fields)
        except Reject as no:
            return rejected(floor, batch, f"{kind}_ORDER_REJECT", fields, no, "CLIENT_ORDER", key=name)
    if not read:
        raise MissingData
    answer: Body = {}
    for name, kind in EXIT_TYPES:
        if name in read and trade.open:
            answer |= _set_exit(floor, batch, trade, name, kind, read[name])
    return 200, settle(floor, batch, answer)


def _read_exit(floor: Floor, account: Account, trade: Trade, raw: Body, kind: str, fields: Body) -> Order:
    order = read_exit(raw, kind, floor.instruments[trade.instrument], floor.now, fields)
    order.fields = {key: value for key, value in fields.items() if key != "tradeID"}
    taken = account.client_orders.get(order.client_id) if order.client_id else None
    if taken is not None and taken != trade.exits.get(kind):
        raise Reject("CLIENT_ORDER_ID_ALREADY_EXISTS")
    return order


def _set_exit(floor: Floor, batch: Batch, trade: Trade, name: str, kind: str, order: Order | None) -> Body:
    answer: Body = {}
    why: Body = {"reason": "CLIENT_ORDER"}
    old = batch.account.pending.get(trade.exits.get(kind, 0))
    if old is not None:
        reason = "CLIENT_REQUEST" if order is None else "CLIENT_REQUEST_REPLACED"
        extra = {} if order is None else {"replacedByOrderID": str(batch.next_id + 1)}
        cancelled = answer[f"{name}CancelTransaction"] = cancel_order(floor, batch, old, reason, extra)
        old.outcome.update(extra)
        why = {"reason": "REPLACEMENT", "replacesOrderID": str(old.id), "cancellingTransactionID": cancelled["id"]}
    if order is not None:
        answer[f"{name}Transaction"] = attach_exit(floor, batch, trade, order, why)
        done = try_at_once(floor, batch, order)
        if "orderFillTransaction" in done:
            answer[f"{name}FillTransaction"] = done["orderFillTransaction"]
        elif done:
            answer[f"{name}CreatedCancelTransaction"] = done["orderCancelTransaction"]
    return answer
