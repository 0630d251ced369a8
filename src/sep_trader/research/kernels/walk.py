"""CPU driver of the walks: many parameter sets over one series, chunk by chunk so that tables stay in the cache."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-any-return"

from functools import partial
from typing import Any

import numpy as np

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import calling, compiled
from sep_trader.research.kernels.pieces import AHEAD, NOTHING
from sep_trader.research.kernels.scalar import BLOCK_SUMS, CAPS, HORIZON, SUM_BLOCK

kernel: Any = partial(compiled, allocates=False)
driver: Any = compiled
product = kernel(scalar.product)
outcome = kernel(calling(scalar.outcome, product=product))
add_trade = kernel(calling(scalar.add_trade, product=product))
reason_of = kernel(scalar.reason_of)
join_block = kernel(scalar.join_block)
# Candles that all sets walk before the first one goes on: what they read stays in the cache.
CHUNK = SUM_BLOCK
# Columns of a walk's state: the free candle, then the sums of the open block, then those of the blocks before it.
STATE = 1 + BLOCK_SUMS + scalar.SUMS


# Indices below this: the compiler then knows that they are not negative, and need not count from the end.
MOST = (1 << 40) - 1


@kernel
def walk_one(market, base, caps, proposals, turn, stops, targets, latest_of, distance, at, past, last, state):
    """Walk one set from candle `at` on over the proposals before `past`, with candles counted from `base`.

    proposals, stops, targets, latest_of, distance: the set's rows; turn: 1 for the other side; state: its row, of which
    the sums are continued. Returns the candle where it is free again.
    """
    open_, close, half, nights = market.open[base:], market.close[base:], market.half[base:], market.nights[base:]
    scale, scaled, slippage, rates = market.scale[base:], len(market.scale) > 0, market.slippage, market.rates
    trades, wins, gross, net, squares, peak, drawdown, trough = (
        state[1], state[2], state[3], state[4], state[5], state[6], state[7], state[8]
    )  # fmt: skip
    while at < past:
        next_one = np.int64(proposals[at])
        block = at & -AHEAD
        if next_one == NOTHING:
            at = block + AHEAD
            continue
        # Twice the candle, and one more for a short trade: where the tables have it.
        place = (2 * block + next_one) ^ turn
        t, row = place >> 1, place & 1
        if t >= past:
            at = past
            break
        stop_after, target_after = np.int64(stops[place]), np.int64(targets[place])
        longest = np.int64(latest_of[t])
        entry = t + 1
        at = entry + min(longest, min(stop_after, target_after))
        if longest > 0:
            leave = at
            quoted, reason = open_[min(leave, last - 1)], reason_of(stop_after, target_after, longest)
            half_out = half[min(leave, last)]
            if leave >= last:
                # The fold ends before the trade does: it is left at the last close.
                leave = last - 1
                quoted, reason = close[leave], HORIZON
            away = product(distance[reason], scale[t]) if scaled else distance[reason]
            moved, earned, _, _ = outcome(
                1.0 - 2.0 * row, slippage, rates[row], open_[entry], half[entry], quoted, half_out,
                nights[leave] - nights[entry], caps[reason], away,
            )  # fmt: skip
            trades, wins, gross, net, squares, peak, drawdown, trough = add_trade(
                moved, earned, trades, wins, gross, net, squares, peak, drawdown, trough
            )
    state[1], state[2], state[3], state[4] = trades, wins, gross, net
    state[5], state[6], state[7], state[8] = squares, peak, drawdown, trough
    return at


@driver
def walk_sets(
    market, ahead, touch, latest, base, rule, turned, horizon_of, stop_of, target_of, distances, first, begin, until,
    last, state,
):  # fmt: skip
    """Walk parameter sets over the proposals of candles begin..until-1 of the fold first..last-1.

    ahead, touch, latest: as `write_piece` writes them, from candle `base` on. rule, horizon_of, stop_of, target_of:
    int64[S], a set's rows in them. turned: int64[S], 1 for the other side. distances: float64[S, 3], by reason, in
    units of scale: stop, -target, -inf. state: float64[S, STATE], zeros and the first candle in its column 0 to begin
    with, is continued; a whole number of chunks lies between first and begin.
    """
    caps = np.array(CAPS)
    last = (last - base) & MOST
    for lo in range(begin - base, until - base, CHUNK):
        past = min(last - 1, min(until - base, lo + CHUNK))
        for s in range(len(rule)):
            at = np.int64(state[s, 0]) - base
            if at < past:
                at = walk_one(
                    market, base, caps, ahead[rule[s]], turned[s] & 1, touch[stop_of[s]], touch[target_of[s]],
                    latest[horizon_of[s]], distances[s], at & MOST, past, last, state[s],
                )  # fmt: skip
                state[s, 0] = base + at
        if (base + lo + CHUNK - first) % SUM_BLOCK == 0:
            close_block(state)


@kernel
def close_block(state):
    """Add the open block's sums to those before it, and begin the next block."""
    for s in range(len(state)):
        join_block(state[s, 1 + BLOCK_SUMS :], state[s, 1 : 1 + BLOCK_SUMS])
        state[s, 1 : 1 + BLOCK_SUMS] = 0.0


@driver
def finish(state):
    """Close the last block; the sums are then in the last SUMS columns."""
    close_block(state)
