"""Matching: which resting orders a quote triggers, and their fills, each in a batch of its own."""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.margin import call_share, closeout_share
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.exchange.matching.fills import cancel_order, execute


def match(floor: Floor, instrument: str, concerns: int = 0) -> None:
    """Fill what the instrument's current quote triggers; `concerns` 1 or -1 keeps to one side of a recorded candle."""
    book, triggers = floor.books[instrument], floor.triggers[instrument]
    if not book.tradeable or book.empty:
        return
    if triggers.trailing:
        for order in triggers.trail(book.bid, book.ask):
            floor.accounts[order.account_id].touched.append(order)
    if not triggers.touched(book.bid, book.ask):
        return
    for order in triggers.triggered(book.bid, book.ask, concerns):
        account = floor.accounts[order.account_id]
        if order.id in account.pending:
            batch = Batch(account, floor.now)
            fill_resting(floor, batch, order)
            floor.commit(batch)


def fill_resting(floor: Floor, batch: Batch, order: Order) -> dict[str, object] | None:
    """Fill a triggered order into a batch; None if it goes on waiting. Limits fill at their price or better."""
    book = floor.books[order.instrument]
    limited = order.type in ("LIMIT", "TAKE_PROFIT")
    limit = order.price if limited else order.bound
    reason = f"{order.type}_ORDER"
    if order.trade_id is not None:
        trade = batch.account.open_trades[order.trade_id]
        units = -trade.units
        if limited and not book.take(units, limit)[0]:
            return None
        return execute(floor, batch, order, reason, limit=limit, closing=(trade, abs(units)), whole=True)
    if limited and not book.take(order.units, limit)[0]:
        return None
    return execute(floor, batch, order, reason, limit=limit, whole=True)


def expire(floor: Floor, account: Account, number: int) -> None:
    """Cancel an order whose time is over, if it still waits."""
    order = account.pending.get(number)
    if order is not None:
        batch = Batch(account, floor.now)
        cancel_order(floor, batch, order, "TIME_IN_FORCE_EXPIRED")
        floor.commit(batch)


def check_margin(floor: Floor, account: Account) -> None:
    """Enter or leave a margin call, and close everything once NAV is down to half of the margin used."""
    if not account.open_trades and not account.margin_called:
        return
    if not account.margin_called and not floor.valuer.strained(account):
        return
    worth = floor.valuer.account(account)
    nav = account.balance + worth.unrealized
    called = call_share(worth.margin_used, nav) >= 1
    if called != bool(account.margin_called):
        batch = Batch(account, floor.now)
        batch.add("MARGIN_CALL_ENTER" if called else "MARGIN_CALL_EXIT", {})
        account.margin_called = floor.now if called else 0
        floor.commit(batch)
    if closeout_share(worth.margin_used, nav) >= 1:
        close_out(floor, account)


def close_out(floor: Floor, account: Account) -> None:
    """Close every open trade that can be traded now, oldest first."""
    for trade in list(account.open_trades.values()):
        if floor.books[trade.instrument].tradeable:
            batch = Batch(account, floor.now)
            close_by_market(
                floor,
                batch,
                trade,
                abs(trade.units),
                "MARGIN_CLOSEOUT",
                {"marginCloseout": {"reason": "MARGIN_CHECK_VIOLATION"}},
            )
            floor.commit(batch)


def close_by_market(
    floor: Floor, batch: Batch, trade: Trade, units: int, reason: str, why: dict[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Close |units| of a trade with a market order of the exchange's own making; returns (order, fill or cancel)."""
    signed = -units if trade.long else units
    fields: dict[str, object] = {
        "instrument": trade.instrument,
        "units": str(signed),
        "timeInForce": "FOK",
        "positionFill": "REDUCE_ONLY",
    }
    order = Order("MARKET", trade.instrument, {**fields, **why}, units=signed, time_in_force="FOK")
    order.position_fill = "REDUCE_ONLY"
    created = batch.add("MARKET_ORDER", {**order.fields, "reason": reason})
    order.id, order.created = int(created["id"]), batch.now
    done = execute(floor, batch, order, f"MARKET_ORDER_{reason}", closing=(trade, units), whole=True)
    return created, done
