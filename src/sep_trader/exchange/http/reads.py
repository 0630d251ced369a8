"""Handlers that read an account: its summary, trades, positions, orders, transactions and changes."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.exchange.http.call import Answer, Call
from sep_trader.exchange.http.changes import changes_body
from sep_trader.exchange.http.wire import account_body, full_account_body, order_body, position_body, trade_body
from sep_trader.exchange.market.figures import SECOND, time_text
from sep_trader.exchange.matching.refusals import BadParameter, NotFound, Refusal

T = TypeVar("T", Trade, Order)
_WEEK = 7 * 86_400 * SECOND
_TYPE = re.compile(r"[A-Z_]+")
FUNDING = frozenset({"TRANSFER_FUNDS", "TRANSFER_FUNDS_REJECT"})
ADMIN = frozenset({"CREATE", "CLOSE", "REOPEN", "CLIENT_CONFIGURE", "CLIENT_CONFIGURE_REJECT"})
_ORDER_KINDS = ("MARKET", "LIMIT", "STOP", "MARKET_IF_TOUCHED", "TAKE_PROFIT", "STOP_LOSS", "TRAILING_STOP_LOSS")
ORDER = frozenset(
    [f"{kind}_ORDER{end}" for kind in _ORDER_KINDS for end in ("", "_REJECT")]
    + ["ORDER_FILL", "ORDER_CANCEL", "ORDER_CANCEL_REJECT"]
    + [f"{noun}_CLIENT_EXTENSIONS_MODIFY{end}" for noun in ("ORDER", "TRADE") for end in ("", "_REJECT")]
)


def accounts(call: Call) -> Answer:
    """GET accounts."""
    return 200, {"accounts": [{"id": account.id, "tags": []} for account in call.accounts]}


def account(call: Call) -> Answer:
    """GET accounts/{id}."""
    return _with_last(call, {"account": full_account_body(call.floor, call.account)})


def summary(call: Call) -> Answer:
    """GET summary."""
    return _with_last(call, {"account": account_body(call.floor, call.account)})


def _with_last(call: Call, body: dict[str, Any]) -> Answer:
    return 200, {**body, "lastTransactionID": str(call.account.record.last)}


def changes(call: Call) -> Answer:
    """GET changes."""
    since = call.whole("sinceTransactionID", call.account.record.last)
    if since > call.account.record.last:
        raise Refusal(416, "The sinceTransactionID specified is not within the account's transactions")
    return 200, changes_body(call.floor, call.account, since)


def open_trades(call: Call) -> Answer:
    """GET openTrades."""
    trades = sorted(call.account.open_trades.values(), key=lambda trade: -trade.id)
    return _with_last(call, {"trades": [trade_body(call.floor, call.account, trade) for trade in trades]})


def trades(call: Call) -> Answer:
    """GET trades, newest first."""
    state = call.text("state", "OPEN")
    if state not in ("OPEN", "CLOSED", "CLOSE_WHEN_TRADEABLE", "ALL"):
        raise BadParameter("state")
    pool = call.account.open_trades if state == "OPEN" else call.account.trades
    found = [t for t in pool.values() if state in ("ALL", "OPEN") or (state == "CLOSED" and not t.open)]
    page = _page(call, found)
    return _with_last(call, {"trades": [trade_body(call.floor, call.account, trade) for trade in page]})


def _page(call: Call, found: Sequence[T]) -> list[T]:
    """Apply ids, instrument, beforeID and count; a Link header points to the next page."""
    ids, instrument = call.listed("ids"), call.query.get("instrument")
    if instrument is not None and instrument not in call.floor.instruments:
        raise BadParameter("instrument")
    count = call.whole("count", 50, 1)
    if count > 500:
        raise Refusal(400, "Maximum value for 'count' exceeded")
    before = call.whole("beforeID", 0)
    kept = [
        item
        for item in sorted(found, key=lambda item: -item.id)
        if (not ids or str(item.id) in ids)
        and (instrument is None or item.instrument == instrument)
        and (not before or item.id < before)
    ]
    if len(kept) > count:
        query = urlencode({**call.query, "beforeID": kept[count - 1].id})
        url = f"{call.base_url}/v3/accounts/{call.account.id}/{'/'.join(call.path)}?{query}"
        call.headers.append((b"link", f'<{url}>; rel="next"'.encode()))
    return kept[:count]


def trade(call: Call) -> Answer:
    """GET trades/{spec}."""
    found = call.account.find_trade(call.path[1])
    if found is None:
        raise NotFound("NO_SUCH_TRADE", call.account.record.last)
    return _with_last(call, {"trade": trade_body(call.floor, call.account, found)})


def positions(call: Call) -> Answer:
    """GET positions: every instrument ever traded."""
    every = call.account.positions.values()
    return _with_last(call, {"positions": [position_body(call.floor, call.account, p) for p in every]})


def open_positions(call: Call) -> Answer:
    """GET openPositions."""
    every = [p for p in call.account.positions.values() if p.open]
    return _with_last(call, {"positions": [position_body(call.floor, call.account, p) for p in every]})


def position(call: Call) -> Answer:
    """GET positions/{instrument}."""
    if call.path[1] not in call.floor.instruments:
        raise BadParameter("instrument")
    found = call.account.positions.get(call.path[1])
    if found is None:
        raise NotFound("NO_SUCH_POSITION", call.account.record.last)
    return _with_last(call, {"position": position_body(call.floor, call.account, found)})


def pending_orders(call: Call) -> Answer:
    """GET pendingOrders."""
    found = sorted(call.account.pending.values(), key=lambda order: -order.id)
    return _with_last(call, {"orders": [order_body(call.floor, order) for order in found]})


def orders(call: Call) -> Answer:
    """GET orders; finished ones only where the policy looks them up."""
    state = call.text("state", "PENDING")
    if state not in ("PENDING", "FILLED", "TRIGGERED", "CANCELLED", "ALL"):
        raise BadParameter("state")
    pool = list(call.account.pending.values()) if state in ("PENDING", "ALL") else []
    if call.floor.policy.order_lookup == "historic" and state != "PENDING":
        pool += [order for order in call.account.finished.values() if state in ("ALL", order.state)]
    elif state == "ALL":
        pool = []  # As seen in practice.
    return _with_last(call, {"orders": [order_body(call.floor, order) for order in _page(call, pool)]})


def order(call: Call) -> Answer:
    """GET orders/{spec}: pending ones; finished ones where the policy looks them up."""
    found = call.account.find_order(call.path[1])
    if found is None and call.floor.policy.order_lookup == "historic" and call.path[1].isdigit():
        found = call.account.finished.get(int(call.path[1]))
    if found is None:
        raise NotFound("NO_SUCH_ORDER", call.account.record.last)
    return _with_last(call, {"order": order_body(call.floor, found)})


def _kinds(call: Call) -> frozenset[str] | None:
    names = call.listed("type")
    if not names:
        return None
    kinds: set[str] = set()
    groups = {"ORDER": ORDER, "FUNDING": FUNDING, "ADMIN": ADMIN}
    for name in names:
        if not _TYPE.fullmatch(name):
            raise BadParameter("type")
        kinds |= groups.get(name, {name})
    return frozenset(kinds)


def transactions(call: Call) -> Answer:
    """GET transactions: addresses of pages, not transactions."""
    kinds, size = _kinds(call), call.whole("pageSize", 100, 1)
    if size > 1000:
        raise Refusal(400, "Maximum value for 'pageSize' exceeded")
    end = call.time("to")
    end = call.now if end is None else end
    start = call.time("from")
    start = end - _WEEK if start is None else start
    if end > call.now:
        raise BadParameter("to", ". Time is in the future")
    if start > end:
        raise Refusal(416, "The time range specified is invalid")
    ids = call.account.record.ids(start, end, kinds)
    pages = []
    for at in range(0, len(ids), size):
        page = ids[at : at + size]
        query = f"from={page[0]}&to={page[-1]}" + (f"&type={','.join(call.listed('type'))}" if kinds else "")
        pages.append(f"{call.base_url}/v3/accounts/{call.account.id}/transactions/idrange?{query}")
    body: dict[str, Any] = {"from": time_text(start), "to": time_text(end), "pageSize": size}
    if kinds:
        body["type"] = call.listed("type")
    return _with_last(call, {**body, "count": len(ids), "pages": pages})


def transaction(call: Call) -> Answer:
    """GET transactions/{id}."""
    record, text = call.account.record, call.path[1]
    if not text.isdigit():
        raise BadParameter("transactionID")
    if not 0 < int(text) <= record.last:
        raise NotFound("NO_SUCH_TRANSACTION", record.last)
    found = record.between(int(text), int(text))[0]
    return 200, b'{"transaction":' + found + f',"lastTransactionID":"{record.last}"}}'.encode()


def _transactions(last: int, found: list[bytes]) -> bytes:
    return b'{"transactions":[' + b",".join(found) + f'],"lastTransactionID":"{last}"}}'.encode()


def id_range(call: Call) -> Answer:
    """GET transactions/idrange, both ends included."""
    first, last = call.whole("from"), call.whole("to")
    if not 0 < first <= last <= call.account.record.last:
        raise Refusal(416, "The transaction range specified is invalid")
    return 200, _transactions(call.account.record.last, call.account.record.between(first, last, _kinds(call)))


def since_id(call: Call) -> Answer:
    """GET transactions/sinceid, the id itself not included."""
    since, record = call.whole("id"), call.account.record
    if since > record.last:
        raise Refusal(416, "The transaction ID specified is not within the account's transactions")
    last = record.last
    while call.hidden_after is not None and last > since and record.time_of(last) > call.hidden_after:
        last -= 1
    return 200, _transactions(last, record.between(since + 1, last, _kinds(call)))
