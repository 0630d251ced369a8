"""CPU driver for the individual trades of one parameter set, and for every proposal on its own."""

# mypy: disable-error-code="no-untyped-def"

import math
from functools import partial
from typing import Any

import numpy as np

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import calling, compiled
from sep_trader.research.kernels.scalar import END, HORIZON, NEVER, SIDE, STOP, TARGET
from sep_trader.research.kernels.tables import latest_exit, product, reach_of

kernel: Any = partial(compiled, allocates=False)
driver: Any = compiled
next_touch = kernel(scalar.next_touch)
reason_of = kernel(scalar.reason_of)
outcome = kernel(calling(scalar.outcome, product=product))


@kernel
def level_of(price, power):
    """A level as a broker takes it: in units of 1/power, half-even; power 0 leaves it as it is."""
    return price if power == 0.0 or math.isinf(price) else np.rint(price * power) / power


@kernel
def one_trade(
    t, row, stop, target, horizon, open_, close, half, reach, fine, coarse, time, step, slippage, nights, rates, power,
    turned,
):  # fmt: skip
    """The trade that a proposal at candle t makes: (exit's candle, gross, net, entry fill, exit fill, reason)."""
    n, entry, sign = len(open_), t + 1, 1.0 - 2.0 * row
    by_clock = latest_exit(entry, horizon, step, time)
    latest = min(by_clock, turned)
    fill = sign * open_[entry] + half[entry] + slippage
    end = min(n, latest)
    stop_level, target_level = level_of(fill - stop, power), level_of(fill + target, power)
    if power != 0.0:
        stop, target = fill - stop_level, target_level - fill
    stopped = next_touch(entry, end, stop_level, row, reach, fine, coarse)
    reached = next_touch(entry, end, -target_level, 2 + row, reach, fine, coarse)
    leave = min(stopped, reached)
    stop_after = stopped - entry if stopped < end else NEVER
    target_after = reached - entry if reached < end else NEVER
    ended = leave >= n
    if ended:
        leave = n - 1
    reason = HORIZON if ended else reason_of(stop_after, target_after, latest - entry)
    cap, away = 0.0, -math.inf
    if reason == STOP:
        away = stop
    elif reason == TARGET:
        cap, away = math.inf, -target
    gross, net, fill, out = outcome(
        sign, slippage, rates[row], open_[entry], half[entry], close[leave] if ended else open_[leave],
        half[n] if ended else half[leave], nights[leave] - nights[entry], cap, away,
    )  # fmt: skip
    if reason == HORIZON and latest < by_clock:
        reason = SIDE
    return leave, gross, net, sign * fill, sign * out, END if ended else reason


@kernel
def turned_at(side, at):
    """The candle after the first proposal of the other side than candle at's; beyond the series where none comes."""
    for t in range(at + 1, len(side)):
        if side[t] == -side[at]:
            return t + 1
    return len(side)


@driver
def run_trades(
    side, stop, target, horizon, open_, high, low, close, half, time, step, slippage, nights, rates, power,
    side_closes, index, price
):  # fmt: skip
    """Walk one set's proposals and write its trades: index [N, 4] of entry, exit, row, reason; price [N, 4] of
    entry fill, exit fill, gross, net. Returns the number of trades. A proposal while a trade is open is passed over,
    and so is one whose horizon has passed when the next candle opens.
    """
    n, count, at = len(side), 0, 0
    reach, fine, coarse = reach_of(high, low, half)
    while at < n - 1:
        if side[at] == 0:
            at += 1
            continue
        row, entry = 0 if side[at] > 0 else 1, at + 1
        if latest_exit(entry, horizon, step, time) == entry:
            at += 1
            continue
        leave, gross, net, bought, sold, reason = one_trade(
            at, row, stop[at], target[at], horizon, open_, close, half, reach, fine, coarse, time, step, slippage,
            nights, rates, power, turned_at(side, at) if side_closes else len(side),
        )  # fmt: skip
        index[count, 0], index[count, 1], index[count, 2], index[count, 3] = entry, leave, row, reason
        price[count, 0], price[count, 1], price[count, 2], price[count, 3] = bought, sold, gross, net
        count += 1
        at = leave
    return count


@driver
def run_each(
    side, stop, target, horizon, open_, high, low, close, half, time, step, slippage, nights, rates, power, net_of
):  # fmt: skip
    """Write the net of every proposal's trade as if it were the only one: float64[N], untouched where there is none."""
    reach, fine, coarse = reach_of(high, low, half)
    for t in range(len(side) - 1):
        if side[t] != 0 and latest_exit(t + 1, horizon, step, time) > t + 1:
            _, _, net, _, _, _ = one_trade(
                t, 0 if side[t] > 0 else 1, stop[t], target[t], horizon, open_, close, half, reach, fine, coarse, time,
                step, slippage, nights, rates, power, len(side),
            )  # fmt: skip
            net_of[t] = net
