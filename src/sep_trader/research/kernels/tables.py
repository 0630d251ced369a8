"""CPU driver of the tables that sets share: when every trade touches each level, and leaves at the latest."""

# mypy: disable-error-code="no-untyped-def"

from functools import partial
from typing import Any

import numpy as np

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import compiled
from sep_trader.research.kernels.scalar import COARSE, FINE, NEVER, WORD
from sep_trader.research.kernels.vectors import at_or_below, lowest_bit

kernel: Any = partial(compiled, allocates=False)
driver: Any = compiled
product = kernel(scalar.product)
latest_exit = kernel(scalar.latest_exit)
# Entries that are searched for abreast, in the lanes of vectors: those of one block of FINE candles.
LANES = FINE


@kernel
def first_bad(open_, high, low, close, spread, time):
    """The first candle that `check_candles` would refuse, or -1."""
    for i in range(len(open_)):
        good = (open_[i] > 0.0) & (high[i] > 0.0) & (low[i] > 0.0) & (close[i] > 0.0) & (spread[i] >= 0.0)
        good &= (open_[i] < np.inf) & (high[i] < np.inf) & (low[i] < np.inf) & (close[i] < np.inf)
        good &= spread[i] < np.inf
        if not good or (i > 0 and time[i] <= time[i - 1]):
            return i
    return -1


@driver
def checked(open_, high, low, close, spread, time):
    """As `first_bad`."""
    return first_bad(open_, high, low, close, spread, time)


@driver
def half_spreads(spread, multiplier):
    """Half the spread that the quotes of each candle carry, float64[N + 1].

    That is the spread measured at the close of the candle before it, the last one known when it opens; the last one
    belongs to the last close.
    """
    n = len(spread)
    half = np.zeros(n + 1)
    for i in range(n):
        half[i + 1] = spread[i] * (multiplier / 2.0)
    if n:
        half[0] = half[1]
    return half


@driver
def reach_of(high, low, half):
    """How far down each candle goes against a level, four ways: (float64[4, N'], minima of FINE, of COARSE candles).

    By row: a long trade's stop (the low's bid), a short one's (the high's ask, mirrored), a long trade's target (the
    high's bid, upside down), a short one's. A trade touches a level where the value is at it or below. N' is a multiple
    of COARSE; what is behind the end touches nothing.
    """
    n = len(high)
    size = (n + COARSE - 1) // COARSE * COARSE
    reach = np.empty((4, size))
    reach[:, n:] = np.inf
    stop, short_stop, target, short_target = reach[0], reach[1], reach[2], reach[3]
    for i in range(n):
        stop[i] = low[i] - half[i]
        short_stop[i] = -high[i] - half[i]
        target[i] = half[i] - high[i]
        short_target[i] = low[i] + half[i]
    fine, coarse = np.empty((4, size // FINE)), np.empty((4, size // COARSE))
    for way in range(4):
        row = reach[way]
        for block in range(size // FINE):
            least = row[block * FINE]
            for k in range(1, FINE):
                least = min(least, row[block * FINE + k])
            fine[way, block] = least
        for block in range(size // COARSE):
            coarse[way, block] = fine[way, block * (COARSE // FINE) : (block + 1) * (COARSE // FINE)].min()
    return reach, fine, coarse


@kernel
def write_latest(first, last, base, time, step, horizons, latest):
    """Write the candles from the entry to the latest exit of the proposals first..last-1, for every horizon."""
    n, begin = len(time), first
    while begin < last:
        # A run of candles without a gap, up to the one that may matter last.
        end = begin
        while end + 1 < n and time[end + 1] - time[end] == step and end <= last + horizons[-1]:
            end += 1
        for h in range(len(horizons)):
            usual = max(begin, min(last, end - horizons[h]))
            latest[h, begin - base : usual - base] = horizons[h]
            for t in range(usual, min(last, end + 1)):
                latest[h, t - base] = latest_exit(t + 1, horizons[h], step, time) - (t + 1)
        begin = end + 1


@kernel
def touch_block(levels, found, entries, closing, reach, first):
    """Search a block of FINE candles for all lanes; returns the highest level that is still looked for.

    entries: int64[LANES], candles before them do not count. A lane that is done has a level of -inf.
    """
    for lane in range(LANES):
        early = max(0, entries[lane] - first)
        touched = (at_or_below(reach, first, levels[lane]) >> early) << early
        found[lane] = first + lowest_bit(touched) if touched else found[lane]
        # Looked up, not chosen: no processor can foresee which it is.
        levels[lane] += closing[1 if touched else 0]
    return max(
        max(max(levels[0], levels[1]), max(levels[2], levels[3])),
        max(max(levels[4], levels[5]), max(levels[6], levels[7])),
    )


@kernel
def search_lanes(levels, found, entries, closing, reach, fine, coarse, block, end, highest):
    """Write where each lane's level is touched first, from a block on: `found` must be `end` in lanes that search.

    levels: float64[LANES], -inf in lanes that do not search; entries: int64[LANES]; reach, fine, coarse: of one way.
    end: candles from there on are not looked at. highest: of the levels.
    """
    while block * FINE < end and highest > -np.inf:
        if fine[block] > highest:
            block += 1
            while block % (COARSE // FINE) == 0 and block * FINE < end and coarse[block // (COARSE // FINE)] > highest:
                block += COARSE // FINE
            continue
        highest = touch_block(levels, found, entries, closing, reach, block * FINE)
        block += 1


@kernel
def write_touches(
    entries, fills, units, wanted, ends, distances, first_level, side, way, reach, fine, coarse, lanes, touch, column
):
    """Write, level by level, candles until each is touched; a farther level is touched no earlier than a nearer one.

    entries, ends: int64[LANES], local candles; fills, units: float64[LANES]; wanted: bool[LANES]. side: +1 for stops,
    -1 for targets. lanes: float64[LANES] and int64[LANES] to work in, and what
    is added to a level that is looked for, or that was found: 0 and -inf. column: of the first lane in `touch`.
    """
    levels, found, closing = lanes
    end = ends[LANES - 1]
    block = entries[0] // FINE
    for k in range(len(distances)):
        highest = -np.inf
        for lane in range(LANES):
            distance = product(distances[k], units[lane])
            level = side * (fills[lane] - side * distance)
            levels[lane] = level + closing[0 if wanted[lane] else 1]
            highest = max(highest, levels[lane])
            found[lane] = end
        search_lanes(levels, found, entries, closing, reach[way], fine[way], coarse[way], block, end, highest)
        nearest = end
        for lane in range(LANES):
            nearest = min(nearest, found[lane])
            if wanted[lane]:
                touch[first_level + k, column + 2 * lane] = (
                    found[lane] - entries[lane] if found[lane] < ends[lane] else NEVER
                )
        block = nearest // FINE


@kernel
def sides_of(words, turning, longs, shorts):
    """Write which candles any set enters long and short, as words. turning: see Levels."""
    longs[:], shorts[:] = 0, 0
    for r in range(len(words)):
        for word in range(len(longs)):
            up, down = words[r, 0, word] & ~words[r, 1, word], words[r, 1, word]
            longs[word] |= (up if turning & 1 else down) | (down if turning & 2 else up)
            shorts[word] |= (down if turning & 1 else up) | (up if turning & 2 else down)


@driver
def write_tables(market, exits, words, first, last, base, touch, latest):
    """Write the tables for the proposals of candles first..last-1, at the columns from first - base on.

    words: uint32[R, 2, .], the proposals from candle `first` on; where no rule proposes a side, its column is left as
    it is. touch: uint16[levels + 1, 2 * .], long and short by turns: stops, targets, and a row of NEVER. latest:
    uint16[H, .], candles after the entry.
    """
    stops, targets, n = exits.stops, exits.targets, len(market.open)
    touch[len(stops) + len(targets), 2 * (first - base) : 2 * (last - base)] = NEVER
    last = min(last, n - 1)
    if last <= first:
        return
    write_latest(first, last, base, market.time, market.step, exits.horizons, latest)
    if len(stops) + len(targets) == 0:
        return
    longest = latest[len(exits.horizons) - 1]
    past = min(n, last + 1 + longest[last - 1 - base])
    # Local candles count from the first entry.
    origin = first + 1
    reach, fine, coarse = reach_of(market.high[origin:past], market.low[origin:past], market.half[origin:past])
    sides = np.empty((2, (last - first) // WORD + 1), np.uint32)
    sides_of(words, exits.turning, sides[0, : words.shape[2]], sides[1, : words.shape[2]])
    entries, ends, wanted = np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.bool_)
    fills, units = np.empty(LANES), np.ones(LANES)
    lanes = np.empty(LANES), np.empty(LANES, np.int64), np.array((0.0, -np.inf))
    for t0 in range(first, last, LANES):
        for row in range(2):
            proposed = sides[row, (t0 - first) // WORD] >> np.uint32((t0 - first) & (WORD - 1))
            if proposed & np.uint32((1 << LANES) - 1) == 0:
                continue
            sign = 1.0 - 2.0 * row
            for lane in range(LANES):
                t = min(t0 + lane, last - 1)
                wanted[lane] = t0 + lane < last and (proposed >> np.uint32(lane)) & np.uint32(1)
                entries[lane] = t + 1 - origin
                ends[lane] = min(n, t + 1 + longest[t - base]) - origin
                fills[lane] = sign * market.open[t + 1] + market.half[t + 1] + market.slippage
                if len(market.scale):
                    units[lane] = market.scale[t]
            column = 2 * (t0 - base) + row
            write_touches(
                entries, fills, units, wanted, ends, stops, 0, 1, row, reach, fine, coarse, lanes, touch, column
            )
            write_touches(
                entries, fills, units, wanted, ends, targets, len(stops), -1, 2 + row, reach, fine, coarse, lanes,
                touch, column,
            )  # fmt: skip
