"""What candles themselves say about their length, pair and zone, held against what they are read as.

A file that contradicts its label is refused as a whole: a wrong label stores every row wrong, and none looks bad.
"""

import numpy as np
import numpy.typing as npt

from sep_trader.history.naming import granularity_in, pair_in
from sep_trader.history.source import Source
from sep_trader.market.calendar import DAY, HOUR, new_york_offset
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity

Int = npt.NDArray[np.int64]

# Units of each currency for a US dollar, roughly, over the last decades: what a price can be, within a factor.
_PER_DOLLAR = {
    "AUD": 1.4, "CAD": 1.3, "CHF": 1.0, "CNH": 6.8, "CZK": 22.0, "DKK": 6.5, "EUR": 0.87, "GBP": 0.7, "HKD": 7.8,
    "HUF": 280.0, "JPY": 115.0, "MXN": 15.0, "NOK": 8.0, "NZD": 1.5, "PLN": 3.7, "SEK": 8.5, "SGD": 1.4, "THB": 34.0,
    "TRY": 6.0, "USD": 1.0, "ZAR": 12.0,
}  # fmt: skip
_FACTOR = 3.0
_WIDER = {"TRY": 15.0, "MXN": 5.0, "HUF": 4.0, "THB": 4.0, "ZAR": 5.0, "CZK": 4.0}
_FEW, _MANY, _SAMPLE = 3, 50, 100_000
_EXCHANGED = 0.5
_WEEKS, _MOST, _SOME = 2, 0.6, 0.04
"""Weekends that must speak, the share of them that must agree in both edges, and the share that makes an error."""
_SHORTEST_WEEKEND_S, _LONGEST_WEEKEND_S = 30 * HOUR, 52 * HOUR
_WEEK_S = 7 * DAY
_A_SUNDAY_S = 3 * DAY + 17 * HOUR
"""1970-01-04, 17:00."""
_CLOCK_STEP_S = 1_800
# A broker may open late or close early by this much; a clock is off by half hours or more.
_EDGE_TOLERANCE_S = 25 * 60


def contradictions_of(source: Source, candles: Candles) -> list[str]:
    """A sentence for each thing that the candles say against their label; none where all fits, or nothing is said."""
    found = [
        _pair(source), _length_of_name(source), _step(candles), _magnitude(candles), _clock(candles), _order(candles),
    ]  # fmt: skip
    return [sentence for sentence in found if sentence]


def _pair(source: Source) -> str | None:
    named = pair_in(source.path.stem)
    if named and named != source.instrument:
        return f"its name says {named}, not {source.instrument}"
    return None


def _length_of_name(source: Source) -> str | None:
    named = granularity_in(source.path.stem)
    if named and named is not source.granularity:
        return f"its name says {named}, not {source.granularity}"
    return None


def step_of(time: Int) -> int | None:
    """The usual step between rows, in seconds: the smallest that a fifth of the rows have; None for too few rows."""
    steps = steps_of(time)
    if len(steps) < _FEW - 1:
        return None
    values, counts = np.unique(steps[:_SAMPLE], return_counts=True)
    frequent = values[counts >= 0.2 * counts.sum()]
    return int(frequent[0]) if len(frequent) else int(values[np.argmax(counts)])


def steps_of(time: Int) -> Int:
    """Seconds between neighbouring rows, in the order of time; rows of one time have none."""
    steps = np.diff(time)
    if len(steps) and steps.min() <= 0:
        steps = np.diff(np.unique(time))
    return steps


def length_of_step(step: int) -> Granularity | None:
    """The granularity of a step; None where there is none."""
    lengths = [g for g in Granularity if g.seconds == step]
    if step in (23 * HOUR, 25 * HOUR):
        return Granularity.D
    if 28 * DAY <= step <= 31 * DAY:
        return Granularity.M
    return lengths[0] if lengths else None


def _step(candles: Candles) -> str | None:
    """Rows that are nearer than a candle's length, or never nearer than a multiple of it, are of another length."""
    step, length = step_of(candles.time), candles.granularity
    if step is None:
        return None
    if step < length.seconds * 0.8:
        return f"its rows are {_words(step)} apart, nearer than {length} candles can be"
    smallest = int(steps_of(candles.time).min())
    if smallest >= 2 * length.seconds and length not in (Granularity.W, Granularity.M):
        named = length_of_step(smallest)
        return f"no two of its rows are nearer than {_words(smallest)}: not {length}" + (
            f" but {named} candles" if named else ""
        )
    return None


def price_range(pair: str) -> tuple[float, float]:
    """What a price of a pair can be at all."""
    base, quote = pair.split("_")
    usual = _PER_DOLLAR[quote] / _PER_DOLLAR[base]
    factor = max(_FACTOR, _WIDER.get(base, 0.0), _WIDER.get(quote, 0.0))
    return usual / factor, usual * factor


def scale_of(pair: str, price: float) -> int | None:
    """By which power of ten a price must be divided to be the pair's; None where none makes it so."""
    low, high = price_range(pair)
    return next((10**power for power in range(7) if low <= price / 10**power <= high), None)


def _magnitude(candles: Candles) -> str | None:
    if len(candles) == 0:
        return None
    price = float(np.median(candles.close))
    scale = scale_of(candles.instrument, price)
    if scale == 1:
        return None
    low, high = price_range(candles.instrument)
    sentence = f"prices around {price:g} are not {candles.instrument}'s ({low:.2g} to {high:.2g})"
    return sentence if scale is None else f"{sentence}; --price-scale {scale} would make them so"


def clock_error(time: Int, granularity: Granularity) -> int | None:
    """By how many seconds a series' clock is ahead of UTC, read off its weeks; None where it does not show.

    The market opens on Sunday at 17:00 New York and closes on Friday at 17:00: the first candle after each weekend and
    the last before it say what UTC was. Both must say the same. An error in a part of the weeks counts: that is what
    clocks look like that are changed on other days.
    """
    if granularity.seconds > HOUR or len(time) < _FEW:
        return None
    after = np.flatnonzero(np.diff(time) >= _SHORTEST_WEEKEND_S) + 1
    opens, closes = time[after], time[after - 1] + granularity.seconds
    # A weekend is 48 hours; whatever is longer has a holiday or a hole at one of its edges.
    whole = opens - closes <= _LONGEST_WEEKEND_S
    early, late = _after_sunday(opens[whole]), _after_sunday(closes[whole] + 2 * DAY)
    step = max(_CLOCK_STEP_S, granularity.seconds)
    errors = np.rint((early + late) / 2 / step).astype(np.int64) * step
    apart = max(_EDGE_TOLERANCE_S, granularity.seconds // 2)
    agree = (np.abs(early - errors) <= apart) & (np.abs(late - errors) <= apart)
    errors = errors[agree]
    if len(errors) < _WEEKS or agree.mean() < _MOST:
        return None
    wrong = errors[errors != 0]
    if len(wrong) < _WEEKS or len(wrong) < _SOME * len(errors):
        return 0
    values, counts = np.unique(wrong, return_counts=True)
    return int(values[np.argmax(counts)])


def _after_sunday(time: Int) -> Int:
    """Seconds by which each time is after the nearest Sunday 17:00 New York; negative before it."""
    local = time + new_york_offset(time)
    since = (local - _A_SUNDAY_S) % _WEEK_S
    return np.where(since > _WEEK_S // 2, since - _WEEK_S, since)


def ahead_of_new_york(time: Int, granularity: Granularity, hours: int) -> bool:
    """Whether the times are a wall clock that is so many hours ahead of New York's."""
    local = time - hours * HOUR
    return clock_error(local - new_york_offset(local), granularity) == 0


def _clock(candles: Candles) -> str | None:
    error = clock_error(candles.time, candles.granularity)
    if not error:
        return None
    side = "after" if error > 0 else "before"
    sentence = f"its weeks begin and end {_words(abs(error))} {side} the market's, as if its clock were another zone's"
    if ahead_of_new_york(candles.time, candles.granularity, 7):
        return sentence + ": the times look like New York plus 7 hours (--timezone ny+7)"
    return sentence


def _order(candles: Candles) -> str | None:
    """A candle opens where the one before it closed, more or less; with both columns exchanged it is the other way."""
    if len(candles) < _MANY:
        return None
    as_read = np.nansum(np.abs(candles.open[1:] - candles.close[:-1]))
    exchanged = np.nansum(np.abs(candles.close[1:] - candles.open[:-1]))
    if exchanged < _EXCHANGED * as_read:
        return "its candles close where the one before opened: open and close seem to be exchanged, see --columns"
    return None


def _words(seconds: int) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = seconds // unit
            return f"an {name}" if count == 1 and name == "hour" else f"a {name}" if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"
