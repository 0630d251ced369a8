"""Handlers that read the market: instruments, candles and prices."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sep_trader.errors import InputError
from sep_trader.exchange.http.call import Answer, Call
from sep_trader.exchange.http.wire import conversions_body, price_body, quote_factors, units_available
from sep_trader.exchange.market.candles import (
    DEFAULT_COUNT,
    MAX_COUNT,
    Alignment,
    CandleQuery,
    candles_body,
    find_candles,
    weekday_number,
)
from sep_trader.exchange.market.figures import SECOND, time_text
from sep_trader.exchange.market.terms import instrument_body
from sep_trader.exchange.matching.refusals import BadParameter, Refusal
from sep_trader.market.granularity import Granularity


def instruments(call: Call) -> Answer:
    """GET instruments."""
    names = call.instruments(needed=False)
    bodies = [instrument_body(call.floor.instruments[name]) for name in names]
    return 200, {"instruments": bodies, "lastTransactionID": str(call.account.record.last)}


def account_candles(call: Call) -> Answer:
    """GET accounts/{id}/instruments/{instrument}/candles."""
    return _candles(call, call.path[1])


def candles(call: Call) -> Answer:
    """GET instruments/{instrument}/candles."""
    return _candles(call, call.path[1])


def latest_candles(call: Call) -> Answer:
    """GET candles/latest: the newest candles of several specifications, such as EUR_USD:M1:BM."""
    found = []
    for specification in call.listed("candleSpecifications"):
        name, _, rest = specification.partition(":")
        granularity, _, price = rest.partition(":")
        if name not in call.floor.instruments:
            raise BadParameter("candleSpecifications")
        query = CandleQuery(
            _granularity(granularity, "candleSpecifications"), _price(price or "M"), 2, alignment=_alignment(call)
        )
        rows = find_candles(call.exchange.tape, name, query, call.now)
        found.append(candles_body(call.floor.instruments[name], query, rows, call.now))
    if not found:
        raise BadParameter("candleSpecifications")
    return 200, {"latestCandles": found}


def _granularity(text: str, name: str = "granularity") -> Granularity:
    try:
        return Granularity(text)
    except ValueError:
        raise BadParameter(name) from None


def _price(text: str) -> str:
    if not text or set(text) - set("MBA"):
        raise BadParameter("price")
    return text


def _alignment(call: Call) -> Alignment:
    hour = call.whole("dailyAlignment", 17)
    weekday = weekday_number(call.text("weeklyAlignment", "Friday"))
    if hour > 23:
        raise BadParameter("dailyAlignment")
    if weekday is None:
        raise BadParameter("weeklyAlignment")
    try:
        zone = ZoneInfo(call.text("alignmentTimezone", "America/New_York"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadParameter("alignmentTimezone") from None
    return Alignment(hour, zone, weekday)


def _candles(call: Call, name: str) -> Answer:
    if name not in call.floor.instruments:
        raise BadParameter("instrument")
    start, end = call.time("from"), call.time("to")
    granularity = _granularity(call.text("granularity", "S5"))
    for key, value in (("from", start), ("to", end)):
        if value is not None and value > call.now:
            raise BadParameter(key, ". Time is in the future")
    asked = call.whole("count", DEFAULT_COUNT, 1)
    count: int | None = asked
    if start is not None and end is not None:
        if "count" in call.query:
            raise Refusal(400, "'count' cannot be specified when 'to' and 'from' are set")
        if start > end:
            raise BadParameter("from", ". Time is after 'to'")
        count = None
        if (end - start) // SECOND > MAX_COUNT * granularity.seconds:
            raise Refusal(400, "Maximum value for 'count' exceeded")
    elif asked > MAX_COUNT:
        raise Refusal(400, "Maximum value for 'count' exceeded")
    query = CandleQuery(
        granularity=granularity,
        price=_price(call.text("price", "M")),
        count=count,
        start=start,
        end=end,
        include_first=call.flag("includeFirst", True),
        smooth=call.flag("smooth", False),
        alignment=_alignment(call),
    )
    try:
        rows = find_candles(call.exchange.tape, name, query, call.now)
    except InputError as error:
        raise Refusal(500, str(error)) from None
    return 200, candles_body(call.floor.instruments[name], query, rows, call.now)


def pricing(call: Call) -> Answer:
    """GET pricing."""
    names, since = call.instruments(), call.time("since")
    prices: list[dict[str, Any]] = []
    for name in names:
        book = call.floor.books[name]
        if not book.known or (since is not None and book.time <= since):
            continue
        body = price_body(book)
        body["quoteHomeConversionFactors"] = quote_factors(call.floor, call.account, book)
        if call.flag("includeUnitsAvailable", True):
            body["unitsAvailable"] = units_available(call.floor, call.account, book)
        prices.append(body)
    answer: dict[str, Any] = {"time": time_text(call.now), "prices": prices}
    if call.flag("includeHomeConversions", False):
        answer["homeConversions"] = conversions_body(call.floor, call.account, names)
    return 200, answer
