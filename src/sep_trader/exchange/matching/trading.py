"""What a client may do to an account: place, replace and cancel orders, close trades and positions, set their exits.

Every function returns (status, body) as it goes over the wire; refusals without a transaction are raised as Refusal.
"""

from typing import Any

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import ASK, BID, DEPENDENT_TYPES, Order
from sep_trader.exchange.accounts.trades import EXIT_TYPES, Trade
from sep_trader.exchange.market.figures import number_text, read_number
from sep_trader.exchange.matching.fills import attach_exit, cancel_order, execute
from sep_trader.exchange.matching.matching import close_by_market, fill_resting
from sep_trader.exchange.matching.refusals import BadParameter, MissingData, NotFound, Reject, words
from sep_trader.exchange.matching.requests import read_entry, read_exit, read_extensions, read_type

Body = dict[str, Any]
Answer = tuple[int, Body]
MAX_PENDING_ORDERS = 1000


def place_order(floor: Floor, account: Account, body: object, request: str) -> Answer:
    """POST orders: 201 with what came of it, or a reject transaction."""
    raw = _object(body, "order")
    kind = read_type(raw)
    batch = Batch(account, floor.now, request)
    fields: Body = {}
    try:
        order = _read(floor, account, raw, kind, fields)
    except Reject as no:
        return _rejected(floor, batch, f"{_listed(kind)}_ORDER_REJECT", fields, no, "CLIENT_ORDER")
    created, done = _enter(floor, batch, order, {"reason": "CLIENT_ORDER"})
    answer = {"orderCreateTransaction": created, **done}
    return 201, _settle(floor, batch, answer)


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
        return created, _try_at_once(floor, batch, order)
    created = batch.add(f"{order.type}_ORDER", {**order.fields, **why})
    order.id, order.created = int(created["id"]), floor.now
    if order.type == "MARKET":
        return created, _outcome(execute(floor, batch, order, "MARKET_ORDER", limit=order.bound))
    account.keep(order)
    floor.rest(account, order)
    done = _try_at_once(floor, batch, order)
    if not done and order.time_in_force in ("FOK", "IOC"):
        halted = not floor.books[order.instrument].tradeable
        done = _outcome(cancel_order(floor, batch, order, "MARKET_HALTED" if halted else "TIME_IN_FORCE_EXPIRED"))
    return created, done


def _try_at_once(floor: Floor, batch: Batch, order: Order) -> Body:
    """Fill a new resting order if the current quote triggers it already."""
    book = floor.books[order.instrument]
    if not book.tradeable or book.empty or order not in floor.triggers[order.instrument].triggered(book.bid, book.ask):
        return {}
    done = fill_resting(floor, batch, order)
    return {} if done is None else _outcome(done)


def _outcome(entry: Body) -> Body:
    return {"orderFillTransaction" if entry["type"] == "ORDER_FILL" else "orderCancelTransaction": entry}


def _settle(floor: Floor, batch: Batch, answer: Body) -> Body:
    floor.commit(batch)
    return {**answer, "relatedTransactionIDs": batch.ids, "lastTransactionID": str(batch.account.record.last)}


def _rejected(
    floor: Floor, batch: Batch, kind: str, fields: Body, no: Reject, reason: str, key: str = "order"
) -> Answer:
    """Record a reject transaction and answer with it."""
    why = {"reason": reason} if reason else {}
    entry = batch.add(kind, {"rejectReason": no.reason, **fields, **why})
    answer = _settle(floor, batch, {f"{key}RejectTransaction": entry})
    return no.status, {**answer, "errorMessage": words(no.reason), "errorCode": no.reason}


def cancel(floor: Floor, account: Account, specifier: str, request: str) -> Answer:
    """PUT orders/{spec}/cancel."""
    batch = Batch(account, floor.now, request)
    order = account.find_order(specifier)
    if order is None:
        return _no_order(floor, batch, specifier)
    entry = cancel_order(floor, batch, order, "CLIENT_REQUEST")
    return 200, _settle(floor, batch, {"orderCancelTransaction": entry})


def _no_order(floor: Floor, batch: Batch, specifier: str) -> Answer:
    fields = {"orderID": specifier}
    if specifier[:1] == "@":
        finished = reversed(batch.account.finished.values())
        past = next((order for order in finished if order.client_id == specifier[1:]), None)
        fields = {"clientOrderID": specifier[1:]} | ({"orderID": str(past.id)} if past else {})
    return _rejected(
        floor, batch, "ORDER_CANCEL_REJECT", fields, Reject("ORDER_DOESNT_EXIST", 404), "", key="orderCancel"
    )


def replace(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT orders/{spec}: cancel a pending order and create another in its place, in one batch."""
    raw = _object(body, "order")
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
        return _rejected(floor, batch, f"{_listed(kind)}_ORDER_REJECT", fields, no, "REPLACEMENT")
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
    return 201, _settle(floor, batch, answer)


def close_trade(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT trades/{spec}/close, whole or in part."""
    raw = body if isinstance(body, dict) else {}
    batch = Batch(account, floor.now, request)
    trade = account.find_trade(specifier)
    asked = raw.get("units", "ALL")
    key = {"clientTradeID": specifier[1:]} if specifier[:1] == "@" else {"tradeID": specifier}
    fields: Body = {"timeInForce": "FOK", "positionFill": "REDUCE_ONLY"}
    fields["tradeClose"] = {"tradeID": str(trade.id) if trade else next(iter(key.values())), "units": str(asked)}
    try:
        if trade is None or not trade.open:
            raise Reject("TRADE_DOESNT_EXIST", 404)
        fields["instrument"] = trade.instrument
        units = _closing_units(asked, abs(trade.units), "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE")
    except Reject as no:
        status, answer = _rejected(floor, batch, "MARKET_ORDER_REJECT", fields, no, "TRADE_CLOSE")
        if status == 400:  # This answer alone comes without ids, says the specification.
            del answer["relatedTransactionIDs"], answer["lastTransactionID"]
        return status, answer
    created, done = _close(floor, batch, trade, units, "TRADE_CLOSE", {"tradeClose": fields["tradeClose"]})
    return 200, _settle(floor, batch, {"orderCreateTransaction": created, **_outcome(done)})


def _closing_units(asked: object, most: int, too_many: str) -> int:
    if asked == "ALL":
        return most
    value = read_number(asked)
    if value is None:
        raise BadParameter("units")
    if value <= 0:
        raise Reject("UNITS_INVALID")
    if value != int(value):
        raise Reject("UNITS_PRECISION_EXCEEDED")
    if value > most:
        raise Reject(too_many)
    return int(value)


def _close(floor: Floor, batch: Batch, trade: Trade, units: int, reason: str, why: Body) -> tuple[Body, Body]:
    """Close a trade, or cancel with the FIFO reasons of an account that must close oldest first."""
    account = batch.account
    if account.fifo:
        same = [t for t in account.trades_in(trade.instrument).values() if t.long == trade.long]
        rest = abs(trade.units) - units
        no = ""
        if any(t.id < trade.id and abs(t.units) == abs(trade.units) for t in same):
            no = "FIFO_VIOLATION"
        elif rest and any(t is not trade and abs(t.units) == rest and (t.exits or trade.exits) for t in same):
            no = "FIFO_VIOLATION_SAFEGUARD_PARTIAL_CLOSE_VIOLATION"
        if no:
            signed = -units if trade.long else units
            fields = {"instrument": trade.instrument, "units": str(signed), "timeInForce": "FOK"}
            order = Order("MARKET", trade.instrument, {**fields, "positionFill": "REDUCE_ONLY", **why}, units=signed)
            created = batch.add("MARKET_ORDER", {**order.fields, "reason": reason})
            order.id, order.created = int(created["id"]), floor.now
            return created, cancel_order(floor, batch, order, no)
    return close_by_market(floor, batch, trade, units, reason, why)


def close_position(floor: Floor, account: Account, instrument: str, body: object, request: str) -> Answer:
    """PUT positions/{instrument}/close: ALL, NONE or a number of units on each side."""
    if instrument not in floor.instruments:
        raise BadParameter("instrument")
    raw = body if isinstance(body, dict) else {}
    trades = account.trades_in(instrument)
    sides = {"long": [t for t in trades.values() if t.long], "short": [t for t in trades.values() if not t.long]}
    asked = {side: raw.get(f"{side}Units", "ALL" if sides[side] else "NONE") for side in sides}
    batch = Batch(account, floor.now, request)
    units: dict[str, int] = {}
    refused: dict[str, Reject] = {}
    for side, open_trades in sides.items():
        if asked[side] == "NONE" or (f"{side}Units" not in raw and not open_trades):
            continue
        try:
            if not open_trades:
                raise Reject("CLOSEOUT_POSITION_DOESNT_EXIST", 400 if trades else 404)
            most = sum(abs(t.units) for t in open_trades)
            units[side] = _closing_units(asked[side], most, "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")
        except Reject as no:
            refused[side] = no
    if not units and not refused:
        missing = Reject("CLOSEOUT_POSITION_DOESNT_EXIST", 404) if not trades else Reject("CLOSEOUT_POSITION_REJECT")
        refused = {"long": missing, "short": missing}
    if refused:
        return _position_refused(floor, batch, instrument, asked, refused)
    answer: Body = {}
    for side, amount in units.items():
        answer |= _close_side(floor, batch, sides[side], side, amount, str(asked[side]))
    return 200, _settle(floor, batch, answer)


def _closeout(instrument: str, side: str, asked: str) -> Body:
    return {f"{side}PositionCloseout": {"instrument": instrument, "units": asked}}


def _position_refused(floor: Floor, batch: Batch, instrument: str, asked: Body, refused: dict[str, Reject]) -> Answer:
    answer: Body = {}
    for side, no in refused.items():
        fields = {"instrument": instrument, "timeInForce": "FOK", "positionFill": "REDUCE_ONLY"}
        answer[f"{side}OrderRejectTransaction"] = batch.add(
            "MARKET_ORDER_REJECT",
            {
                "rejectReason": no.reason,
                **fields,
                **_closeout(instrument, side, str(asked[side])),
                "reason": "POSITION_CLOSEOUT",
            },
        )
    first = next(iter(refused.values()))
    body = _settle(floor, batch, answer)
    return first.status, {**body, "errorMessage": words(first.reason), "errorCode": first.reason}


def _close_side(floor: Floor, batch: Batch, trades: list[Trade], side: str, amount: int, asked: str) -> Body:
    """One market order that closes a side of a position, oldest trade first."""
    signed = -amount if side == "long" else amount
    instrument = trades[0].instrument
    fields = {"instrument": instrument, "units": str(signed), "timeInForce": "FOK", "positionFill": "REDUCE_ONLY"}
    order = Order("MARKET", instrument, {**fields, **_closeout(instrument, side, asked)}, units=signed)
    order.time_in_force, order.position_fill = "FOK", "REDUCE_ONLY"
    created = batch.add("MARKET_ORDER", {**order.fields, "reason": "POSITION_CLOSEOUT"})
    order.id, order.created = int(created["id"]), floor.now
    done = execute(floor, batch, order, "MARKET_ORDER_POSITION_CLOSEOUT", whole=True)
    key = "OrderFillTransaction" if done["type"] == "ORDER_FILL" else "OrderCancelTransaction"
    return {f"{side}OrderCreateTransaction": created, f"{side}{key}": done}


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
            return _rejected(floor, batch, f"{kind}_ORDER_REJECT", fields, no, "CLIENT_ORDER", key=name)
    if not read:
        raise MissingData
    answer: Body = {}
    for name, kind in EXIT_TYPES:
        if name in read and trade.open:
            answer |= _set_exit(floor, batch, trade, name, kind, read[name])
    return 200, _settle(floor, batch, answer)


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
        done = _try_at_once(floor, batch, order)
        if "orderFillTransaction" in done:
            answer[f"{name}FillTransaction"] = done["orderFillTransaction"]
        elif done:
            answer[f"{name}CreatedCancelTransaction"] = done["orderCancelTransaction"]
    return answer


def modify_order_extensions(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT orders/{spec}/clientExtensions."""
    raw = body if isinstance(body, dict) else {}
    batch = Batch(account, floor.now, request)
    order = account.find_order(specifier)
    fields: Body = {"orderID": str(order.id) if order else specifier.lstrip("@")}
    try:
        if order is None:
            raise Reject("ORDER_DOESNT_EXIST", 404)
        own = _extensions(
            raw.get("clientExtensions"), "clientExtensions", "CLIENT_ORDER", fields, "clientExtensionsModify"
        )
        trade = _extensions(
            raw.get("tradeClientExtensions"),
            "tradeClientExtensions",
            "CLIENT_TRADE",
            fields,
            "tradeClientExtensionsModify",
        )
        if not own and not trade:
            raise Reject("CLIENT_EXTENSIONS_DATA_MISSING")
        if account.client_orders.get(own.get("id", ""), order.id) != order.id:
            raise Reject("CLIENT_ORDER_ID_ALREADY_EXISTS")
    except Reject as no:
        return _rejected(
            floor, batch, "ORDER_CLIENT_EXTENSIONS_MODIFY_REJECT", fields, no, "", key="orderClientExtensionsModify"
        )
    account.extend_order(order, own, trade)
    entry = batch.add("ORDER_CLIENT_EXTENSIONS_MODIFY", fields)
    return 200, _settle(floor, batch, {"orderClientExtensionsModifyTransaction": entry})


def modify_trade_extensions(floor: Floor, account: Account, specifier: str, body: object, request: str) -> Answer:
    """PUT trades/{spec}/clientExtensions."""
    raw = body if isinstance(body, dict) else {}
    batch = Batch(account, floor.now, request)
    trade = account.find_trade(specifier)
    fields: Body = {"tradeID": str(trade.id) if trade else specifier.lstrip("@")}
    try:
        if trade is None or not trade.open:
            raise Reject("TRADE_DOESNT_EXIST", 404)
        given = raw.get("clientExtensions")
        own = _extensions(given, "clientExtensions", "CLIENT_TRADE", fields, "tradeClientExtensionsModify")
        if not own:
            raise Reject("CLIENT_EXTENSIONS_DATA_MISSING")
        if account.client_trades.get(own.get("id", ""), trade.id) != trade.id:
            raise Reject("CLIENT_TRADE_ID_ALREADY_EXISTS")
    except Reject as no:
        return _rejected(
            floor, batch, "TRADE_CLIENT_EXTENSIONS_MODIFY_REJECT", fields, no, "", key="tradeClientExtensionsModify"
        )
    account.extend_trade(trade, own)
    entry = batch.add("TRADE_CLIENT_EXTENSIONS_MODIFY", fields)
    return 200, _settle(floor, batch, {"tradeClientExtensionsModifyTransaction": entry})


def _extensions(raw: object, name: str, prefix: str, fields: Body, key: str) -> Body:
    return {} if raw is None else read_extensions(raw, name, prefix, fields, key)


def configure(floor: Floor, account: Account, body: object, request: str) -> Answer:
    """PATCH configuration: alias and margin rate."""
    raw = body if isinstance(body, dict) else {}
    batch = Batch(account, floor.now, request)
    fields: Body = {}
    status = 400
    try:
        if raw.get("alias") is None and raw.get("marginRate") is None:
            raise Reject("CLIENT_CONFIGURE_DATA_MISSING")
        if raw.get("alias") is not None:
            fields["alias"] = str(raw["alias"])
            if not 0 < len(fields["alias"]) <= 128:
                raise Reject("ALIAS_INVALID")
        if raw.get("marginRate") is not None:
            rate = read_number(raw["marginRate"])
            fields["marginRate"] = str(raw["marginRate"]) if rate is None else number_text(rate)
            if rate is None or not 0 < rate <= 1:
                raise Reject("MARGIN_RATE_INVALID")
            account.margin_rate = rate
        account.alias = fields.get("alias", account.alias)
    except Reject as no:
        entry = batch.add("CLIENT_CONFIGURE_REJECT", {**fields, "rejectReason": no.reason})
        floor.commit(batch)
        answer = {"clientConfigureRejectTransaction": entry, "lastTransactionID": str(account.record.last)}
        return status, {**answer, "errorMessage": words(no.reason), "errorCode": no.reason}
    entry = batch.add("CLIENT_CONFIGURE", fields)
    floor.commit(batch)
    return 200, {"clientConfigureTransaction": entry, "lastTransactionID": str(account.record.last)}


def _object(body: object, key: str) -> Body:
    if not isinstance(body, dict) or not isinstance(body.get(key), dict):
        raise MissingData
    return dict(body[key])
