"""OANDA v20 candle answers saved as JSON: one object, or a list of them, with `candles`.

Bid and ask are taken where both are there, else mid (spread unknown), else the one side there is. Candles that are not
complete are left out. What other formats call a line is the candle's place in the file, from 1.
"""

from typing import Any

import orjson

from sep_trader.errors import InputError
from sep_trader.history.sheet import Refused, Sheet, iso_of_rfc3339
from sep_trader.history.source import Parsed, Source, mid_candles, quote_candles, read_text, unknown
from sep_trader.market.candles import Candles, QuoteCandles

_LETTERS = ("o", "h", "l", "c")


def answers_in(source: Source) -> list[dict[str, Any]]:
    """The answers of a file. Raises InputError for JSON that is no candle answer."""
    try:
        document = orjson.loads(read_text(source.path))
    except orjson.JSONDecodeError as error:
        raise InputError(f"{source.path} is not JSON: {error}", "is it cut off?") from None
    answers = document if isinstance(document, list) else [document]
    for answer in answers:
        if not isinstance(answer, dict) or not isinstance(answer.get("candles"), list):
            raise InputError(f"{source.path} holds no 'candles'", "it should be what the candles endpoint answered")
    return answers


def read(source: Source) -> Parsed:
    """Read one file. Raises InputError for JSON that is no candle answer, or one of another pair or granularity."""
    items: list[Any] = []
    for answer in answers_in(source):
        for name, expected in (("instrument", source.instrument), ("granularity", source.granularity.value)):
            if answer.get(name, expected) != expected:
                raise InputError(f"{source.path} is of {str(answer[name])[:40]}, not {expected}", "one series a file")
        items += answer["candles"]
    return _parsed(source, items)


def _parsed(source: Source, items: list[Any]) -> Parsed:
    sides = _sides(items)
    sheet = Sheet([], [], [])
    left_out = []
    for number, item in enumerate(items, start=1):
        try:
            if item["complete"] is not True:
                reason = "the candle is not complete"
                left_out.append(Refused(number, reason, str(item)[:200]))
                continue
            prices = [str(item[side][letter]) for side in sides for letter in _LETTERS]
            row = [str(item["time"]), str(item.get("volume", 0)), *prices]
        except (KeyError, TypeError, AttributeError):
            sheet.refused.append(Refused(number, f"not a candle with {' and '.join(sides)}", str(item)[:200]))
            continue
        sheet.rows.append(row)
        sheet.lines.append(number)
        sheet.texts.append(orjson.dumps(item).decode())
    time = sheet.times(0, _to_iso)
    volume = sheet.integers(1)
    columns = [sheet.floats(i) for i in range(2, 2 + 4 * len(sides))]
    candles: Candles | QuoteCandles
    if len(sides) == 2:
        candles = quote_candles(source, time, columns[:4], columns[4:], volume)
    else:
        candles = mid_candles(source, time, columns, unknown(len(sheet)), volume)
    return Parsed(candles, sheet.lines, sheet.texts.__getitem__, sheet.problems, sheet.refused, left_out)


def _sides(items: list[Any]) -> tuple[str, ...]:
    """Bid and ask where any candle has both, else mid, else the one side that there is."""
    keys = {key for item in items if isinstance(item, dict) for key in item}
    if any(isinstance(item, dict) and "bid" in item and "ask" in item for item in items):
        return ("bid", "ask")
    return next(((side,) for side in ("mid", "bid", "ask") if side in keys), ("mid",))


def _to_iso(text: str) -> str:
    """A v20 time: RFC 3339 with nanoseconds, or UNIX seconds with a fraction."""
    if text[19:] == ".000000000Z" and text[10] == "T":
        return text[:19]
    whole, point, fraction = text.partition(".")
    if point and whole.isdigit() and not fraction.strip("0"):
        return iso_of_rfc3339(whole)
    return iso_of_rfc3339(text)
