"""The admin routes under /_exchange: the time, the state, the stepped clock, the faults. They need no token."""

from typing import Any

import orjson

from sep_trader.exchange.http.faults import BadRule
from sep_trader.exchange.http.pacer import Pacer
from sep_trader.exchange.http.wire import price_body
from sep_trader.exchange.market.figures import SECOND, money_text, read_number, read_time, time_text

Body = dict[str, Any]


async def administer(pacer: Pacer, verb: str, path: tuple[str, ...], body: bytes) -> tuple[int, Body]:
    """Answer an admin request: (status, body)."""
    match verb, path:
        case "GET", ("now",):
            return 200, {"now": time_text(pacer.exchange.now)}
        case "GET", ("state",):
            return 200, state(pacer)
        case "POST", ("step",):
            return await _step(pacer, body)
        case "GET", ("faults",):
            return 200, {"faults": pacer.faults.body()}
        case "POST", ("faults",):
            return _add_faults(pacer, body)
        case "DELETE", ("faults",):
            pacer.faults.clear()
            return 200, {"faults": []}
    return 404, {"errorMessage": "The admin routes are now, state, step and faults"}


def state(pacer: Pacer) -> Body:
    """Where the exchange stands."""
    exchange = pacer.exchange
    floor = exchange.floor
    books = {name: book for name, book in floor.books.items() if book.known}
    upcoming = exchange.next_quote
    return {
        "now": time_text(exchange.now),
        "clock": str(pacer.clock),
        "speed": pacer.speed,
        "finished": pacer.finished,
        "nextQuote": None if upcoming is None else time_text(upcoming),
        "quotes": exchange.quotes,
        "instruments": list(floor.instruments),
        "prices": {name: price_body(book) for name, book in books.items()},
        "accounts": {
            account.id: {
                "balance": money_text(account.balance),
                "NAV": money_text(account.balance + floor.valuer.account(account).unrealized),
                "openTradeCount": len(account.open_trades),
                "pendingOrderCount": len(account.pending),
                "lastTransactionID": str(account.record.last),
            }
            for account in floor.accounts.values()
        },
    }


def _decode(body: bytes) -> object:
    try:
        return orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        return None


async def _step(pacer: Pacer, body: bytes) -> tuple[int, Body]:
    if pacer.speed:
        return 400, {"errorMessage": "Only a stepped clock can be stepped: start with --clock stepped"}
    raw = _decode(body)
    to: int | None = None
    if isinstance(raw, dict) and isinstance(raw.get("to"), str):
        to = read_time(raw["to"])
    elif isinstance(raw, dict) and (seconds := read_number(raw.get("seconds"))) is not None:
        to = pacer.exchange.now + int(seconds * SECOND)
    if to is None or to < pacer.exchange.now:
        return 400, {"errorMessage": 'Say where to: {"to": "2014-05-01T12:00:00Z"} or {"seconds": 60}, never back'}
    await pacer.step(to)
    return 200, {"now": time_text(pacer.exchange.now), "finished": pacer.finished}


def _add_faults(pacer: Pacer, body: bytes) -> tuple[int, Body]:
    raw = _decode(body)
    rules = raw if isinstance(raw, list) else [raw]
    try:
        added = [pacer.faults.add(rule).id for rule in rules]
    except BadRule as error:
        return 400, {"errorMessage": str(error)}
    return 200, {"added": added, "faults": pacer.faults.body()}
