"""What a candle must satisfy to be believed; nothing is repaired.

`refusals` judges the rows of a file one by one. The `check_` functions refuse a whole series that an analysis is given.
"""

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


def refusals(candles: Candles | QuoteCandles, precision: int, now: int, *, crossed: float = 0.0) -> dict[int, str]:
    """Why rows cannot be believed, by their index; rows that can are absent. Rows may be in any order.

    precision: decimals a price may have. now: seconds since the epoch; a candle that is not complete then is refused.
    crossed: how far, in price units, the ask may be below the bid at the close: the sides tick at different moments.
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
    if isinstance(candles, Candles):
        refuse(candles.spread < 0, "the spread is negative")
        refuse(np.isinf(candles.spread), "the spread is not a number")
    else:
        beyond = candles.ask_close - candles.bid_close < -crossed - 0.5 * 10.0**-precision
        refuse(beyond, "ask is below bid at the close")
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


def check_candles(candles: Candles) -> None:
    """Raise InputError that names the first bad price, bad spread or time out of order of a whole series."""
    for name in ("open", "high", "low", "close"):
        check_prices(name, getattr(candles, name))
    bad = ~(np.isfinite(candles.spread) & (candles.spread >= 0.0))
    if bad.any():
        at = int(np.argmax(bad))
        if np.isnan(candles.spread[at]):
            unknown = int(np.count_nonzero(np.isnan(candles.spread)))
            raise InputError(
                f"{unknown} of {len(candles)} candles have no recorded spread", "declare one: --spread-pips"
            )
        raise InputError(f"spread of candle {at} is {candles.spread[at]}", "a spread is finite and not below 0")
    check_times(candles.time)


def check_times(time: npt.NDArray[np.int64]) -> None:
    """Raise InputError that names the first candle whose time is not after that of the candle before it.

    time: int64[N], seconds since the epoch.
    """
    step = np.diff(time)
    if len(step) and step.min() <= 0:
        at = int(np.argmax(step <= 0)) + 1
        raise InputError(
            f"time of candle {at} is {time[at]} s, not after {time[at - 1]} s of the candle before it",
            "sort the candles and drop duplicates",
        )


def _order(candles: Candles | QuoteCandles, found: dict[int, str]) -> None:
    """Refuse what does not come after the last good row: duplicates and steps back in time."""
    kept = np.ones(len(candles), bool)
    kept[list(found)] = False
    if bool(np.all(np.diff(candles.time[kept]) > 0)):
        return
    good = np.flatnonzero(kept).tolist()
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


def _too_precise(prices: Float, precision: int) -> Bool:
    """More decimals than allowed, with room for the representation error of a float8 near 1e6 ticks."""
    with np.errstate(invalid="ignore", over="ignore"):
        ticks = prices * 10.0**precision
        return np.asarray((np.abs(ticks - np.rint(ticks)) > 1e-4).any(axis=0), bool)
