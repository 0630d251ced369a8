"""The changes endpoint: what has happened to an account since a transaction, and its price-dependent state."""

from typing import Any

import orjson

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.http.wire import dynamic_order, order_body, position_body, trade_body, worth_body
from sep_trader.exchange.market.figures import money_text

Body = dict[str, Any]


def changes_body(floor: Floor, account: Account, since: int) -> Body:
    """Changes after transaction `since` and the state now."""
    encoded = account.record.between(since + 1, account.record.last)
    entries = [orjson.loads(line) for line in encoded]
    orders: dict[str, list[int]] = {"ordersCreated": [], "ordersCancelled": [], "ordersFilled": []}
    trades: dict[str, list[int]] = {"tradesOpened": [], "tradesReduced": [], "tradesClosed": []}
    touched: dict[str, None] = {}
    for entry in entries:
        kind = entry["type"]
        if kind == "ORDER_FILL":
            orders["ordersFilled"].append(int(entry["orderID"]))
            touched[entry["instrument"]] = None
            if "tradeOpened" in entry:
                trades["tradesOpened"].append(int(entry["tradeOpened"]["tradeID"]))
            if "tradeReduced" in entry:
                trades["tradesReduced"].append(int(entry["tradeReduced"]["tradeID"]))
            trades["tradesClosed"] += [int(trade["tradeID"]) for trade in entry.get("tradesClosed", [])]
        elif kind == "ORDER_CANCEL":
            orders["ordersCancelled"].append(int(entry["orderID"]))
        elif kind == "DAILY_FINANCING":
            touched |= dict.fromkeys(position["instrument"] for position in entry["positionFinancings"])
        elif kind.endswith("_ORDER"):
            orders["ordersCreated"].append(int(entry["id"]))
    changes: Body = {}
    for key, numbers in orders.items():
        known = (account.pending.get(number) or account.finished.get(number) for number in numbers)
        changes[key] = [order_body(floor, order) for order in known if order is not None]
    changes["ordersTriggered"] = []
    for key, numbers in trades.items():
        changes[key] = [trade_body(floor, account, account.trades[number], summary=True) for number in numbers]
    changes["positions"] = [position_body(floor, account, account.positions[name]) for name in touched]
    changes["transactions"] = entries
    return {"changes": changes, "state": _state(floor, account), "lastTransactionID": str(account.record.last)}


def _state(floor: Floor, account: Account) -> Body:
    positions = []
    for position in account.positions.values():
        if position.open:
            worth = floor.valuer.position(account, position)
            positions.append(
                {
                    "instrument": position.instrument,
                    "netUnrealizedPL": money_text(worth.unrealized),
                    "longUnrealizedPL": money_text(worth.long_unrealized),
                    "shortUnrealizedPL": money_text(worth.short_unrealized),
                    "marginUsed": money_text(worth.margin_used),
                }
            )
    trades = []
    for trade in account.open_trades.values():
        worth = floor.valuer.trade(account, trade)
        trades.append(
            {
                "id": str(trade.id),
                "unrealizedPL": money_text(worth.unrealized),
                "marginUsed": money_text(worth.margin_used),
            }
        )
    return {
        **worth_body(account, floor.valuer.account(account)),
        "orders": [dynamic_order(floor, order) for order in account.pending.values()],
        "trades": trades,
        "positions": positions,
    }
