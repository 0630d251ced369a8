"""Accounts, trades, positions and prices as the protocol writes them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.accounts.book import Book
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.margin import Worth, call_share, closeout_share
from sep_trader.exchange.accounts.orders import BID, MID, Order
from sep_trader.exchange.accounts.trades import EXIT_TYPES, Position, Side, Trade
from sep_trader.exchange.market.figures import ZERO, money_text, number_text, percent_text, price_text, time_text

Body = dict[str, Any]


def order_body(floor: Floor, order: Order) -> Body:
    """An order object."""
    return order.body(floor.books[order.instrument].precision)


def trade_body(floor: Floor, account: Account, trade: Trade, *, summary: bool = False) -> Body:
    """A trade object; `summary` names its exits by id instead of writing them out."""
    body = trade.body(floor.books[trade.instrument].precision)
    if trade.open:
        worth = floor.valuer.trade(account, trade)
        body["unrealizedPL"] = money_text(worth.unrealized)
        body["marginUsed"] = money_text(worth.margin_used)
    for name, kind in EXIT_TYPES:
        number = trade.exits.get(kind)
        if number is None:
            continue
        if summary:
            body[f"{name}ID"] = str(number)
        else:
            body[name] = order_body(floor, account.pending[number])
    return body


def _side_body(side: Side, trades: list[Trade], unrealized: Decimal, sign: int, precision: int) -> Body:
    body: Body = {"units": str(sign * side.units)}
    if side.units:
        body["averagePrice"] = price_text(round(Decimal(side.cost) / side.units), precision)
        body["tradeIDs"] = [str(trade.id) for trade in trades]
    return body | {
        "pl": money_text(side.pl),
        "unrealizedPL": money_text(unrealized),
        "resettablePL": money_text(side.pl),
        "financing": money_text(side.financing),
        "dividendAdjustment": "0.0000",
        "guaranteedExecutionFees": "0.0000",
    }


def position_body(floor: Floor, account: Account, position: Position) -> Body:
    """A position object."""
    worth = floor.valuer.position(account, position) if position.open else Worth()
    precision = floor.books[position.instrument].precision
    trades = account.trades_in(position.instrument).values()
    long, short = [t for t in trades if t.long], [t for t in trades if not t.long]
    body = {
        "instrument": position.instrument,
        "long": _side_body(position.long, long, worth.long_unrealized, 1, precision),
        "short": _side_body(position.short, short, worth.short_unrealized, -1, precision),
        "pl": money_text(position.long.pl + position.short.pl),
        "resettablePL": money_text(position.long.pl + position.short.pl),
        "financing": money_text(position.long.financing + position.short.financing),
        "commission": "0.0000",
        "dividendAdjustment": "0.0000",
        "guaranteedExecutionFees": "0.0000",
        "unrealizedPL": money_text(worth.unrealized),
    }
    if position.open:
        body["marginUsed"] = money_text(worth.margin_used)
    return body


def worth_body(account: Account, worth: Worth) -> Body:
    """The price-dependent figures that account and changes share."""
    nav = account.balance + worth.unrealized
    used, available = worth.margin_used, max(nav - worth.margin_used, ZERO)
    return {
        "unrealizedPL": money_text(worth.unrealized),
        "NAV": money_text(nav),
        "marginUsed": money_text(used),
        "marginAvailable": money_text(available),
        "positionValue": money_text(worth.position_value),
        "marginCloseoutUnrealizedPL": money_text(worth.unrealized),
        "marginCloseoutNAV": money_text(nav),
        "marginCloseoutMarginUsed": money_text(used),
        "marginCloseoutPositionValue": money_text(worth.position_value),
        "marginCloseoutPercent": percent_text(closeout_share(used, nav)),
        "withdrawalLimit": money_text(min(available, max(account.balance, ZERO))),
        "marginCallMarginUsed": money_text(used),
        "marginCallPercent": percent_text(call_share(used, nav)),
    }


def account_body(floor: Floor, account: Account) -> Body:
    """The account summary."""
    body: Body = {
        "guaranteedStopLossOrderMode": "DISABLED",
        "hedgingEnabled": account.hedging,
        "id": account.id,
        "createdTime": time_text(account.created),
        "currency": account.currency,
        "createdByUserID": account.user,
        "alias": account.alias,
        "marginRate": number_text(account.margin_rate),
        "lastTransactionID": str(account.record.last),
        "balance": money_text(account.balance),
        "openTradeCount": len(account.open_trades),
        "openPositionCount": sum(position.open for position in account.positions.values()),
        "pendingOrderCount": len(account.pending),
        "pl": money_text(account.pl),
        "resettablePL": money_text(account.resettable_pl),
        "resettablePLTime": "0",
        "financing": money_text(account.financing),
        "commission": "0.0000",
        "dividendAdjustment": "0",
        "guaranteedExecutionFees": "0.0000",
    }
    if account.last_fill:
        body["lastOrderFillTimestamp"] = time_text(account.last_fill)
    if account.margin_called:
        body["marginCallEnterTime"] = time_text(account.margin_called)
        body["marginCallExtensionCount"] = 0
    worth = floor.valuer.account(account)
    body["trueUnrealizedPL"] = money_text(worth.unrealized)
    body["trueNAV"] = money_text(account.balance + worth.unrealized)
    return body | worth_body(account, worth)


def full_account_body(floor: Floor, account: Account) -> Body:
    """The account with its open trades, its positions and its pending orders."""
    return account_body(floor, account) | {
        "trades": [trade_body(floor, account, trade, summary=True) for trade in account.open_trades.values()],
        "positions": [position_body(floor, account, position) for position in account.positions.values()],
        "orders": [order_body(floor, order) for order in account.pending.values()],
    }


def price_body(book: Book) -> Body:
    """A PRICE as pricing and its stream write it; an empty book has no buckets."""
    precision = book.precision
    bids, asks = book.bids(), book.asks()
    low, high = (bids[-1][0], asks[-1][0]) if bids and asks else (book.bid, book.ask)
    tradeable = book.tradeable and not book.empty
    return {
        "type": "PRICE",
        "time": time_text(book.time),
        "bids": [{"price": price_text(price, precision), "liquidity": size} for price, size in bids],
        "asks": [{"price": price_text(price, precision), "liquidity": size} for price, size in asks],
        "closeoutBid": price_text(low, precision),
        "closeoutAsk": price_text(high, precision),
        "status": "tradeable" if tradeable else "non-tradeable",
        "tradeable": tradeable,
        "instrument": book.instrument.name,
    }


def conversions_body(floor: Floor, account: Account, instruments: Iterable[str]) -> list[Body]:
    """Home conversions of every currency of some instruments."""
    currencies = sorted({currency for name in instruments for currency in name.split("_")} | {account.currency})
    found = []
    for currency in currencies:
        rate = floor.conversions.rate(currency, account.currency)
        found.append(
            {
                "currency": currency,
                "accountGain": number_text(rate.gain),
                "accountLoss": number_text(rate.loss),
                "positionValue": number_text(rate.mid),
                "unrealizedAccountGain": number_text(rate.bid),
                "unrealizedAccountLoss": number_text(rate.ask),
            }
        )
    return found


def quote_factors(floor: Floor, account: Account, book: Book) -> Body:
    """The deprecated conversion factors of a price."""
    rate = floor.conversions.rate(book.instrument.quote, account.currency)
    return {"positiveUnits": number_text(rate.gain), "negativeUnits": number_text(rate.loss)}


def units_available(floor: Floor, account: Account, book: Book) -> Body:
    """How many units could be bought and sold, by position fill."""
    worth = floor.valuer.account(account)
    free = max(account.balance + worth.unrealized - worth.margin_used, ZERO)
    per_unit = floor.valuer.margin_for(account, book.instrument, 1)
    room = int(free / per_unit) if per_unit else 0
    position = account.holding(book.instrument.name)
    long, short = position.long.units, position.short.units
    both = {"long": str(room), "short": str(room)}
    reduce_first = {"long": str(room + 2 * short), "short": str(room + 2 * long)}
    return {
        "default": both if account.hedging else reduce_first,
        "reduceFirst": reduce_first,
        "reduceOnly": {"long": str(short), "short": str(long)},
        "openOnly": {
            "long": str(0 if short and not account.hedging else room),
            "short": str(0 if long and not account.hedging else room),
        },
    }


def dynamic_order(floor: Floor, order: Order) -> Body:
    """The price-dependent state of a pending order."""
    book = floor.books[order.instrument]
    component = order.component()
    value = book.mid if component == MID else book.bid if component == BID else book.ask
    body: Body = {
        "id": str(order.id),
        "triggerDistance": price_text(abs(order.level() - value), book.precision),
        "isTriggerDistanceExact": True,
    }
    if order.trailing:
        body["trailingStopValue"] = price_text(order.trailing, book.precision)
    return body
