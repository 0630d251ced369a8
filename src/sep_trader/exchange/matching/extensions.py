"""Change the client's own names and comments of orders and trades."""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.matching.answers import Answer, Body, rejected, settle
from sep_trader.exchange.matching.refusals import Reject
from sep_trader.exchange.matching.requests import read_extensions


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
        return rejected(
            floor, batch, "ORDER_CLIENT_EXTENSIONS_MODIFY_REJECT", fields, no, "", key="orderClientExtensionsModify"
        )
    account.extend_order(order, own, trade)
    entry = batch.add("ORDER_CLIENT_EXTENSIONS_MODIFY", fields)
    return 200, settle(floor, batch, {"orderClientExtensionsModifyTransaction": entry})


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
        return rejected(
            floor, batch, "TRADE_CLIENT_EXTENSIONS_MODIFY_REJECT", fields, no, "", key="tradeClientExtensionsModify"
        )
    account.extend_trade(trade, own)
    entry = batch.add("TRADE_CLIENT_EXTENSIONS_MODIFY", fields)
    return 200, settle(floor, batch, {"tradeClientExtensionsModifyTransaction": entry})


def _extensions(raw: object, name: str, prefix: str, fields: Body, key: str) -> Body:
    return {} if raw is None else read_extensions(raw, name, prefix, fields, key)
