"""OANDA v20 candle answers saved as JSON: one object, or a list of them, with `candles`.

Bid and ask are taken where both are there, else mid (spread 0: not recorded). Candles that are not complete are passed
over. What other formats call a line is the candle's place in the file, from 1.
"""

from typing import Any

import numpy as np
import orjson

from sep_trader.errors import InputError
from sep_trader.history.sheet import Refused, Sheet, iso_of_rfc3339
from sep_trader.history.source import Parsed, Source, mid_candles, quote_candles, read_text
from sep_trader.market.candles import Candles, QuoteCandles

_LETTERS = ("o", "h", "l", "c")


def read(source: Source) -> Parsed:
    """Read one file. Raises InputError for JSON that is no candle answer, or one of another pair or granularity."""
    try:
        document = orjson.loads(read_text(source.path))
    except orjson.JSONDecodeError as error:
        raise InputError(f"{source.path} is not JSON: {error}", "is it cut off?") from None
    answers = document if isinstance(document, list) else [document]
    items: list[Any] = []
    for answer in answers:
        if not isinstance(answer, dict) or not isinstance(answer.get("candles"), list):
            raise InputError(f"{source.path} holds no 'candles'", "it should be what the candles endpoint answered")
        for name, expected in (("instrument", source.instrument), ("granularity", source.granularity.value)):
            if answer.get(name, expected) != expected:
                raise InputError(f"{source.path} is of {answer[name]}, not {expected}", "one series a file")
        items += answer["candles"]
    return _parsed(source, items)


def _parsed(source: Source, items: list[Any]) -> Parsed:
    quoted = any(isinstance(item, dict) and "bid" in item and "ask" in item for item in items)
    sides = ("bid", "ask") if quoted else ("mid",)
    sheet = Sheet([], [], [])
    for number, item in enumerate(items, start=1):
        try:
            if not item["complete"]:
                continue
            prices = [str(item[side][letter]) for side in sides for letter in _LETTERS]
            row = [str(item["time"]), str(item.get("volume", 0)), *prices]
        except (KeyError, TypeError):
            sheet.refused.append(Refused(number, f"not a candle with {' and '.join(sides)}", str(item)[:200]))
            continue
        sheet.rows.append(row)
        sheet.lines.append(number)
        sheet.texts.append(orjson.dumps(item).decode())
    time = sheet.times(0, _to_iso)
    volume = sheet.integers(1)
    columns = [sheet.floats(i) for i in range(2, 2 + 4 * len(sides))]
    candles: Candles | QuoteCandles
    if quoted:
        candles = quote_candles(source, time, columns[:4], columns[4:], volume)
    else:
        candles = mid_candles(source, time, columns, np.zeros(len(sheet)), volume)
    return Parsed(candles, sheet.lines, sheet.texts, sheet.problems, sheet.refused)


def _to_iso(text: str) -> str:
    """A v20 time: RFC 3339 with nanoseconds, or UNIX seconds with a fraction."""
    if text[19:] == ".000000000Z" and text[10] == "T":
        return text[:19]
    whole, point, fraction = text.partition(".")
    if point and whole.isdigit() and not fraction.strip("0"):
        return iso_of_rfc3339(whole)
    return iso_of_rfc3339(text)
