"""Filling an order: what it closes and opens, whether it may, and the transactions that say so."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.book import Book
from sep_trader.exchange.accounts.conversion import Rate
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.exchange.market.figures import (
    ZERO,
    money_text,
    number_text,
    price_text,
    price_value,
    round_money,
    time_text,
)
from sep_trader.exchange.matching.requests import ON_FILL, read_exit

Body = dict[str, Any]
MAX_OPEN_TRADES = 1000


class Cancelled(Exception):
    """The order cannot be filled and is cancelled for a reason of the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Plan:
    """How an order will be filled: signed units at a price (ticks), what it closes in which order, what it opens."""

    units: int
    price: int
    closes: list[tuple[Trade, int]]
    opens: int


def cancel_order(floor: Floor, batch: Batch, order: Order, reason: str, extra: Body | None = None) -> Body:
    """Cancel an order and return the ORDER_CANCEL transaction."""
    fields: Body = {"orderID": str(order.id)}
    if order.client_id:
        fields["clientOrderID"] = order.client_id
    entry = batch.add("ORDER_CANCEL", {**fields, "reason": reason, **(extra or {})})
    order.state = "CANCELLED"
    order.outcome.update(cancellingTransactionID=entry["id"], cancelledTime=entry["time"])
    _retire(floor, batch.account, order)
    return entry


def _retire(floor: Floor, account: Account, order: Order) -> None:
    floor.triggers[order.instrument].remove(order)
    if order.trade_id is not None:
        trade = account.trades.get(order.trade_id)
        if trade is not None and trade.exits.get(order.type) == order.id:
            del trade.exits[order.type]
            account.touched.append(trade)
    account.finish(order)


def execute(
    floor: Floor,
    batch: Batch,
    order: Order,
    reason: str,
    *,
    limit: int | None = None,
    closing: tuple[Trade, int] | None = None,
    whole: bool = False,
) -> Body:
    """Fill an order now, or cancel it; returns the ORDER_FILL or ORDER_CANCEL transaction.

    limit: the worst price in ticks. closing: the one trade to close and how many of its units. whole: size is no
    reason to refuse.
    """
    book = floor.books[order.instrument]
    try:
        plan = _plan(floor, batch.account, order, book, limit, closing, whole)
        if plan.opens:
            _may_open(floor, batch.account, order, book, plan)
    except Cancelled as no:
        return cancel_order(floor, batch, order, no.reason)
    return _book_fill(floor, batch, order, reason, book, plan)


def _plan(
    floor: Floor,
    account: Account,
    order: Order,
    book: Book,
    limit: int | None,
    closing: tuple[Trade, int] | None,
    whole: bool,
) -> Plan:
    if not book.tradeable:
        raise Cancelled("MARKET_HALTED")
    if closing is not None:
        trade, amount = closing
        units = -amount if trade.long else amount
        closes = [closing]
    else:
        units = order.units
        closes = _reductions(account, order)
    closed = sum(amount for _, amount in closes)
    if closing is None and order.position_fill == "REDUCE_ONLY":
        if not closed:
            raise Cancelled("POSITION_CLOSEOUT_FAILED")
        units = closed if units > 0 else -closed
    available, price = book.take(units, limit, whole)
    if available < abs(units):
        if available == 0 or order.time_in_force != "IOC":
            enough = book.take(units, None)[0] == abs(units)
            raise Cancelled("BOUNDS_VIOLATION" if enough and limit is not None else "INSUFFICIENT_LIQUIDITY")
        units = available if units > 0 else -available
        closes = _cut(closes, available)
        closed = sum(amount for _, amount in closes)
    opens = abs(units) - closed
    return Plan(units, price, closes, opens if units > 0 else -opens)


def _reductions(account: Account, order: Order) -> list[tuple[Trade, int]]:
    """The trades an order closes or reduces, oldest first, by the account's kind and the order's position fill."""
    mode = order.position_fill
    if mode == "DEFAULT":
        mode = "OPEN_ONLY" if account.hedging else "REDUCE_FIRST"
    against = [t for t in account.trades_in(order.instrument).values() if t.long != (order.units > 0)]
    if mode == "OPEN_ONLY":
        if against and not account.hedging:
            raise Cancelled("FIFO_VIOLATION")
        return []
    return _cut([(trade, abs(trade.units)) for trade in against], abs(order.units))


def _cut(closes: list[tuple[Trade, int]], units: int) -> list[tuple[Trade, int]]:
    kept = []
    for trade, amount in closes:
        if units <= 0:
            break
        kept.append((trade, min(amount, units)))
        units -= amount
    return kept


def _may_open(floor: Floor, account: Account, order: Order, book: Book, plan: Plan) -> None:
    """Raise Cancelled if the account may not open what the plan opens."""
    extensions = order.fields.get("tradeClientExtensions") or {}
    if extensions.get("id") in account.client_trades:
        raise Cancelled("CLIENT_TRADE_ID_ALREADY_EXISTS")
    if len(account.open_trades) >= MAX_OPEN_TRADES:
        raise Cancelled("OPEN_TRADES_ALLOWED_EXCEEDED")
    buys = plan.opens > 0
    for key, kind in ON_FILL:
        if (given := order.fields.get(key)) is None or kind == "TRAILING_STOP_LOSS":
            continue
        level = exit_level(floor, order.instrument, kind, given, plan.price, buys)
        value = book.bid if buys else book.ask
        rises = (kind == "TAKE_PROFIT") == buys
        if (value >= level) if rises else (value <= level):
            raise Cancelled(f"{kind}_ON_FILL_LOSS")
    if account.fifo:
        _fifo_safeguard(account, order, abs(plan.opens))
    worth = floor.valuer.account(account)
    position = account.holding(order.instrument)
    long, short = position.long.units, position.short.units
    for trade, amount in plan.closes:
        long, short = (long - amount, short) if trade.long else (long, short - amount)
    long, short = (long + plan.opens, short) if buys else (long, short - plan.opens)
    bound = max(position.long.units, position.short.units)
    margin = floor.valuer.margin_for
    more = margin(account, book.instrument, max(long, short)) - margin(account, book.instrument, bound)
    if more > 0 and worth.margin_used + more > account.balance + worth.unrealized:
        raise Cancelled("INSUFFICIENT_MARGIN")


def _fifo_safeguard(account: Account, order: Order, units: int) -> None:
    exits = any(order.fields.get(key) for key, _ in ON_FILL)
    for trade in account.trades_in(order.instrument).values():
        if abs(trade.units) == units and (exits or trade.exits):
            raise Cancelled("FIFO_VIOLATION_SAFEGUARD_VIOLATION")


def exit_level(floor: Floor, instrument: str, kind: str, terms: Body, price: int, long: bool) -> int:
    """Where an exit given by price or distance would stand for a trade opened at `price` (ticks)."""
    book = floor.books[instrument]
    order = read_exit(terms, kind, book.instrument, 0, {})
    if order.price:
        return order.price
    return price + order.distance if (kind == "TAKE_PROFIT") == long else price - order.distance


def _book_fill(floor: Floor, batch: Batch, order: Order, reason: str, book: Book, plan: Plan) -> Body:
    account, precision = batch.account, book.precision
    quote = floor.conversions.rate(book.instrument.quote, account.currency)
    base = floor.conversions.rate(book.instrument.base, account.currency)
    entry = batch.add("ORDER_FILL", {"orderID": str(order.id)})
    number = int(entry["id"])
    spread = price_value(book.ask - book.bid, precision) / 2 * quote.mid
    closed, quote_pl, pl, half_spread = [], ZERO, ZERO, ZERO
    for trade, amount in plan.closes:
        gain = price_value(amount * (plan.price - trade.price) * (1 if trade.long else -1), precision)
        realized, cost = round_money(quote.realise(gain)), round_money(amount * spread)
        account.reduce_trade(trade, amount, plan.price, realized, number, batch.now)
        quote_pl, pl, half_spread = quote_pl + gain, pl + realized, half_spread + cost
        closed.append((trade, _trade_reduce(trade, amount, plan.price, precision, realized, cost)))
    opened = _open(floor, batch, order, book, plan, number, base) if plan.opens else None
    if opened is not None:
        cost = round_money(abs(plan.opens) * spread)
        half_spread += cost
        opened["halfSpreadCost"] = money_text(cost)
    if order.client_id:
        entry["clientOrderID"] = order.client_id
    asked = order.units or plan.units
    entry |= {
        "instrument": order.instrument,
        "units": str(plan.units),
        "requestedUnits": str(asked),
        "price": price_text(plan.price, precision),
        "pl": money_text(pl),
        "quotePL": number_text(quote_pl),
        "financing": "0.0000",
        "baseFinancing": "0",
        "commission": "0.0000",
        "accountBalance": money_text(account.balance),
        "gainQuoteHomeConversionFactor": number_text(quote.gain),
        "lossQuoteHomeConversionFactor": number_text(quote.loss),
        "guaranteedExecutionFee": "0.0000",
        "quoteGuaranteedExecutionFee": "0",
        "halfSpreadCost": money_text(half_spread),
        "fullVWAP": price_text(plan.price, precision),
        "reason": reason,
    }
    _describe(entry, order, opened, closed, book, quote, base)
    account.last_fill = batch.now
    order.state = "FILLED"
    order.outcome |= {"fillingTransactionID": entry["id"], "filledTime": entry["time"]}
    _retire(floor, account, order)
    for trade, _ in closed:
        if not trade.open:
            _cancel_linked(floor, batch, trade, entry["id"])
    if opened is not None:
        attach_on_fill(floor, batch, order, account.trades[number])
    return entry


def _open(floor: Floor, batch: Batch, order: Order, book: Book, plan: Plan, number: int, base: Rate) -> Body:
    account = batch.account
    margin = round_money(floor.valuer.margin_for(account, book.instrument, plan.opens))
    extensions = order.fields.get("tradeClientExtensions")
    trade = Trade(
        number, order.instrument, plan.price, batch.now, plan.opens, plan.opens, margin, extensions=extensions
    )
    account.open_trade(trade)
    body: Body = {
        "price": price_text(plan.price, book.precision),
        "tradeID": str(number),
        "units": str(plan.opens),
        "guaranteedExecutionFee": "0.0000",
        "quoteGuaranteedExecutionFee": "0",
        "halfSpreadCost": "0.0000",
        "initialMarginRequired": money_text(margin),
    }
    if extensions:
        body["clientExtensions"] = extensions
    return body


def _trade_reduce(trade: Trade, amount: int, price: int, precision: int, realized: Decimal, cost: Decimal) -> Body:
    return {
        "tradeID": str(trade.id),
        "units": str(-amount if trade.long else amount),
        "realizedPL": money_text(realized),
        "financing": "0.0000",
        "baseFinancing": "0",
        "price": price_text(price, precision),
        "guaranteedExecutionFee": "0.0000",
        "quoteGuaranteedExecutionFee": "0",
        "halfSpreadCost": money_text(cost),
    }


def _describe(
    entry: Body,
    order: Order,
    opened: Body | None,
    closed: list[tuple[Trade, Body]],
    book: Book,
    quote: Rate,
    base: Rate,
) -> None:
    """Add the trades and the prices to a fill, and to its order what it did."""
    whole = [body for trade, body in closed if not trade.open]
    part = [body for trade, body in closed if trade.open]
    if opened is not None:
        entry["tradeOpened"] = opened
        order.outcome["tradeOpenedID"] = opened["tradeID"]
    if whole:
        entry["tradesClosed"] = whole
        order.outcome["tradeClosedIDs"] = [body["tradeID"] for body in whole]
    if part:
        entry["tradeReduced"] = part[0]
        order.outcome["tradeReducedID"] = part[0]["tradeID"]
    precision = book.precision
    bids, asks = book.bids(), book.asks()
    entry["fullPrice"] = {
        "closeoutBid": price_text(bids[-1][0], precision),
        "closeoutAsk": price_text(asks[-1][0], precision),
        "time": time_text(book.time),
        "bids": [{"price": price_text(p, precision), "liquidity": str(size)} for p, size in bids],
        "asks": [{"price": price_text(p, precision), "liquidity": str(size)} for p, size in asks],
    }
    entry["homeConversionFactors"] = {
        "gainQuoteHome": {"factor": number_text(quote.gain)},
        "lossQuoteHome": {"factor": number_text(quote.loss)},
        "gainBaseHome": {"factor": number_text(base.gain)},
        "lossBaseHome": {"factor": number_text(base.loss)},
    }


def _cancel_linked(floor: Floor, batch: Batch, trade: Trade, closer: str) -> None:
    extra = {"closedTradeID": str(trade.id), "tradeCloseTransactionID": closer}
    for number in sorted(trade.exits.values()):
        order = batch.account.pending.get(number)
        if order is not None:
            cancel_order(floor, batch, order, "LINKED_TRADE_CLOSED", extra)


def attach_on_fill(floor: Floor, batch: Batch, order: Order, trade: Trade) -> None:
    """Create the exits that came with an order, in the order take profit, stop loss, trailing stop."""
    book = floor.books[order.instrument]
    for key, kind in ON_FILL:
        if order.fields.get(key) is None:
            continue
        terms = read_exit(order.fields[key], kind, book.instrument, 0, {})
        attach_exit(floor, batch, trade, terms, {"reason": "ON_FILL", "orderFillTransactionID": str(trade.id)})


def attach_exit(floor: Floor, batch: Batch, trade: Trade, order: Order, why: Body) -> Body:
    """Attach an exit order to a trade and let it rest; returns its transaction. `order` was read by read_exit."""
    book = floor.books[trade.instrument]
    order.trade_id, order.trade_long = trade.id, trade.long
    order.fields = {"tradeID": str(trade.id), **order.fields}
    if trade.client_id:
        order.fields = {"clientTradeID": trade.client_id, **order.fields}
    if order.type == "TRAILING_STOP_LOSS":
        order.trailing = book.bid - order.distance if trade.long else book.ask + order.distance
    elif not order.price:
        away = order.distance if (order.type == "TAKE_PROFIT") == trade.long else -order.distance
        order.price = trade.price + away
        order.fields["price"] = price_text(order.price, book.precision)
    entry = batch.add(f"{order.type}_ORDER", {**order.fields, **why})
    order.id, order.created = int(entry["id"]), batch.now
    trade.exits[order.type] = order.id
    batch.account.touched.append(trade)
    batch.account.keep(order)
    floor.rest(batch.account, order)
    return entry
