"""Close trades and positions, whole or in part."""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.exchange.market.figures import read_number
from sep_trader.exchange.matching.answers import Answer, Body, outcome, rejected, settle
from sep_trader.exchange.matching.fills import cancel_order, execute
from sep_trader.exchange.matching.refusals import BadParameter, Reject, words
from sep_trader.exchange.matching.resting import close_by_market


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
        status, answer = rejected(floor, batch, "MARKET_ORDER_REJECT", fields, no, "TRADE_CLOSE")
        if status == 400:  # This answer alone comes without ids, says the specification.
            del answer["relatedTransactionIDs"], answer["lastTransactionID"]
        return status, answer
    created, done = _close(floor, batch, trade, units, "TRADE_CLOSE", {"tradeClose": fields["tradeClose"]})
    return 200, settle(floor, batch, {"orderCreateTransaction": created, **outcome(done)})


def close_position(floor: Floor, account: Account, instrument: str, body: object, request: str) -> Answer:
    """PUT positions/{instrument}/close: ALL, NONE or a number of units on each side."""
    if instrument not in floor.instruments:
        raise BadParameter("instrument")
    raw = body if isinstance(body, dict) else {}
    held = account.trades_in(instrument).values()
    sides = {"long": [t for t in held if t.long], "short": [t for t in held if not t.long]}
    asked = {side: raw.get(f"{side}Units", "ALL" if sides[side] else "NONE") for side in sides}
    units, refused = _position_units(sides, asked, given={side for side in sides if f"{side}Units" in raw})
    batch = Batch(account, floor.now, request)
    if refused:
        return _position_refused(floor, batch, instrument, asked, refused)
    answer: Body = {}
    for side, amount in units.items():
        answer |= _close_side(floor, batch, sides[side], side, amount, str(asked[side]))
    return 200, settle(floor, batch, answer)


def _position_units(
    sides: dict[str, list[Trade]], asked: Body, given: set[str]
) -> tuple[dict[str, int], dict[str, Reject]]:
    """How many units to close on each side, and the sides that cannot be closed; `given` sides were asked by name."""
    flat = not any(sides.values())
    units: dict[str, int] = {}
    refused: dict[str, Reject] = {}
    for side, trades in sides.items():
        if asked[side] == "NONE" or (side not in given and not trades):
            continue
        try:
            if not trades:
                raise Reject("CLOSEOUT_POSITION_DOESNT_EXIST", 404 if flat else 400)
            most = sum(abs(t.units) for t in trades)
            units[side] = _closing_units(asked[side], most, "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")
        except Reject as no:
            refused[side] = no
    if not units and not refused:
        nothing = Reject("CLOSEOUT_POSITION_DOESNT_EXIST", 404) if flat else Reject("CLOSEOUT_POSITION_REJECT")
        refused = dict.fromkeys(sides, nothing)
    return units, refused


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
    body = settle(floor, batch, answer)
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
