"""What a candle must satisfy to be believed. Rows are judged one by one; nothing is repaired."""

import numpy as np
import numpy.typing as npt

from sep_trader.errors import InputError
from sep_trader.market.calendar import candle_start
from sep_trader.market.candles import Candles, QuoteCandles

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


def check_prices(name: str, values: Float) -> None:
    """Raise InputError that names the first candle whose price is NaN, infinite or not positive.

    name: of the column, such as close. values: float64[N]. This is for computations, which need whole columns;
    `refusals` judges the rows of a file one by one.
    """
    bad = ~(np.isfinite(values) & (values > 0.0))
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(f"{name} of candle {at} is {values[at]}", "prices are finite and above 0")


def refusals(candles: Candles | QuoteCandles, precision: int, now: int) -> dict[int, str]:
    """Why rows cannot be believed, by their index; rows that can are absent. Rows may be in any order.

    precision: decimals a price may have. now: seconds since the epoch; a candle that is not complete then is refused.
    """
    found: dict[int, str] = {}

    def refuse(mask: npt.ArrayLike, reason: str) -> None:
        for index in np.flatnonzero(np.asarray(mask)).tolist():
            found.setdefault(index, reason)

    for side, prices in _sides(candles):
        stacked = np.stack(prices)
        refuse(~np.isfinite(stacked).all(axis=0), f"{side}a price is not a number")
        refuse((stacked <= 0).any(axis=0), f"{side}a price is not positive")
        opening, high, low, close = prices
        refuse(high < np.maximum(opening, close), f"{side}high is below open or close")
        refuse(low > np.minimum(opening, close), f"{side}low is above open or close")
        refuse(_too_precise(stacked, precision), f"{side}a price has more than {precision} decimals")
    refuse(_spread(candles) < 0, "ask is below bid at the close")
    refuse(candles.volume < 0, "volume is negative")
    refuse(candles.volume > np.iinfo(np.int32).max, "volume is out of range")
    length = candles.granularity.seconds
    refuse(
        candle_start(candles.time, candles.granularity) != candles.time,
        f"time is not on the {candles.granularity} grid",
    )
    refuse(candles.time + length > now, "time is in the future")
    _order(candles, found)
    return found


def _order(candles: Candles | QuoteCandles, found: dict[int, str]) -> None:
    """Refuse what does not come after the last good row: duplicates and steps back in time."""
    good = [i for i in range(len(candles)) if i not in found]
    if bool(np.all(np.diff(candles.time[good]) > 0)):
        return
    seen: set[int] = set()
    newest = None
    for index in good:
        time = int(candles.time[index])
        if time in seen:
            found[index] = "duplicate time"
        elif newest is not None and time < newest:
            found[index] = "time is before that of the row above"
        else:
            newest = time
            seen.add(time)


def _sides(candles: Candles | QuoteCandles) -> list[tuple[str, tuple[Float, Float, Float, Float]]]:
    if isinstance(candles, Candles):
        return [("", (candles.open, candles.high, candles.low, candles.close))]
    return [
        ("bid: ", (candles.bid_open, candles.bid_high, candles.bid_low, candles.bid_close)),
        ("ask: ", (candles.ask_open, candles.ask_high, candles.ask_low, candles.ask_close)),
    ]


def _spread(candles: Candles | QuoteCandles) -> Float:
    return candles.spread if isinstance(candles, Candles) else candles.ask_close - candles.bid_close


def _too_precise(prices: Float, precision: int) -> Bool:
    """More decimals than allowed, with room for the representation error of a float8 near 1e6 ticks."""
    ticks = prices * 10.0**precision
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(ticks - np.rint(ticks)) > 1e-4).any(axis=0), bool)
