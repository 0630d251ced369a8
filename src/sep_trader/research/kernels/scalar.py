"""The trade and the decision, written once in plain Python; the drivers compile these for the CPU and for CUDA.

A short trade is a long one in mirrored prices: every price negated, bid and ask exchanged. So the functions know one
side only: `sign` is +1 for a long trade and -1 for a short one, and what they return is in mirrored prices. Negation is
exact, so nothing is lost by it. The one function that others call is `product`: each target gives its own.
"""

import math

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]
Times = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.uint16]
"""Candles after the entry, NEVER for never."""
Words = npt.NDArray[np.uint32]

STOP, TARGET, HORIZON, END, SIDE = 0, 1, 2, 3, 4
NEVER = 65535
# By reason: what the price of an exit may be above the quote. With a distance of stop, -target or -inf from the fill,
# one expression without a branch prices all three: no processor can foresee how a trade ends.
CAPS = (0.0, math.inf, 0.0)
# Candles of one word of proposals: candle t is bit t % 32 of word t // 32.
WORD = 32
# Trades of so many candles are added up by themselves, from the fold's first candle on; the sums of these blocks are
# added in the order of time. This order of additions is the same on any number of threads and on any device.
SUM_BLOCK = 4096
# Candles that one entry of the fine and the coarse minima sums up; powers of two.
FINE, COARSE = 8, 64
# Damping's weights of entropy and incoherence.
K1, K2 = 0.3, 0.2
# The float32 trend is within 1e-5 of the exact one: its sign is certain beyond this, and computed exactly below.
CERTAIN = 1e-4
# Of one set: trades, wins, gross, net, squares of net, peak and drawdown of the net sum.
SUMS = 7
# Of one block of a set: the same, and the lowest net sum.
BLOCK_SUMS = 8


def product(a: float, b: float) -> float:
    """Multiply and round: nothing is added to the product before it is rounded, as some compilers would have it."""
    return a * b


def rule_limits(window: int, theta: float, max_entropy: float, min_stability: float) -> tuple[int, int, float]:
    """Turn a rule's shares into counts for `chosen`: least, most_corrected, most_entropy.

    Exactly: n / (W - 1) >= theta and 1 - n / (W - 3) >= min_stability as float64 has it.
    """
    least = int(np.argmax(np.append(np.arange(window) / (window - 1) >= theta, True)))
    stable = 1.0 - np.arange(window - 2) / (window - 3) >= min_stability
    return least, int(np.count_nonzero(stable)) - 1, max_entropy


def chosen(
    null: int, rupture: int, entropy: float, corrected: int, least: int, most_corrected: int, most_entropy: float
) -> bool:
    """Whether the collapse rule proposes a trade, from the counts of a window; its side is the sign of the trend.

    least: fewest nulls or ruptures of a collapse; most_corrected: corrections that stability allows.
    """
    # Bit by bit: a branch for each would keep the compiler from doing many windows at once.
    return ((null >= least) | (rupture >= least)) & (corrected <= most_corrected) & (entropy <= most_entropy)


def trend_sign(bits: Int8, at: int, window: int, entropy: float, apart: int, k1: float, k2: float) -> int:
    """Sign of the damped trend of the window that ends at `at`, from its entropy and its disagreement of halves."""
    half = window // 2
    agreement = (half - 2 * apart) / half
    damping = min(max(product(k1, entropy) + product(k2, 1.0 - product(agreement, agreement)), 0.01), 1.0)
    weight = math.exp(-damping)
    total = 0.0
    for k in range(window - 1, -1, -1):
        total = product(total, weight) + (1.0 if bits[at - k] == 1 else -1.0)
    if total > 0.0:
        return 1
    return -1 if total < 0.0 else 0


def latest_exit(entry: int, horizon: int, step: int, time: Times) -> int:
    """The candle at whose open a trade leaves at the latest; len(time) if the series ends before.

    By the clock: the first candle from the entry on that opens `horizon` steps after the signal's candle, the one
    before the entry, has ended, or later. time: seconds; step: seconds of one candle. It is the entry itself where no
    price was known in time: then there is no trade.
    """
    deadline = time[entry - 1] + step * (horizon + 1)
    low, high = entry, min(len(time), entry + 2 * horizon)
    usual = entry + horizon
    if usual < len(time) and time[usual] == deadline:
        return usual
    while low < high:
        middle = (low + high) // 2
        if time[middle] < deadline:
            low = middle + 1
        else:
            high = middle
    return low


def next_touch(at: int, end: int, level: float, way: int, reach: Float, fine: Float, coarse: Float) -> int:
    """The first candle of at..end-1 that reaches down to a level; `end` if none does.

    reach: float64[4, N'], as `reach_of` has it, of N' candles, a multiple of COARSE; way: its row. fine, coarse: minima
    of every FINE and COARSE candles of it.
    """
    while at < end:
        block = at // FINE
        if fine[way, block] > level:
            # Whole blocks that do not reach the level are passed in one step.
            at = (block + 1) * FINE
            while at % COARSE == 0 and at < end and coarse[way, at // COARSE] > level:
                at += COARSE
            continue
        found = FINE
        for k in range(FINE - 1, -1, -1):
            if reach[way, block * FINE + k] <= level and block * FINE + k >= at:
                found = k
        at = block * FINE + found
        if found < FINE:
            return min(at, end)
    return end


def reason_of(stop_after: int, target_after: int, latest: int) -> int:
    """Why a trade is left, from the candles between its entry and each of the three; the stop is looked at first."""
    reason = TARGET if target_after < stop_after else STOP
    return HORIZON if latest <= min(stop_after, target_after) else reason


def outcome(
    sign: float,
    slippage: float,
    rate: float,
    open_in: float,
    half_in: float,
    quoted: float,
    half_out: float,
    nights: float,
    cap: float,
    distance: float,
) -> tuple[float, float, float, float]:
    """Price a trade: (gross, net, entry fill, exit fill), in mirrored price units.

    open_in, half_in: the open of the entry's candle and half its spread. quoted, half_out: the mid price at which the
    exit's candle opened, and half its spread. nights: 17:00 New York passed; rate: financing of one. cap, distance: the
    price is at most the quote plus `cap`, and at most the fill less `distance`; see CAPS. A candle that opens beyond
    the stop fills at its open; a target fills at its price, never better. Gross is between mid prices.
    """
    fill = sign * open_in + half_in + slippage
    price = min(sign * quoted - half_out + cap, fill - distance)
    gross = (price + half_out) - (fill - slippage - half_in)
    out = price - slippage
    net = (out - fill) + product(product(nights, rate), sign * fill)
    return gross, net, fill, out


def add_trade(
    gross: float,
    net: float,
    trades: float,
    wins: float,
    total_gross: float,
    total_net: float,
    squares: float,
    peak: float,
    drawdown: float,
    trough: float,
) -> tuple[float, float, float, float, float, float, float, float]:
    """Take a trade into the sums of its block, which begin at 0; the drawdown is that of the net sum at the exits."""
    total_net += net
    peak = max(peak, total_net)
    trough = min(trough, total_net)
    drawdown = max(drawdown, peak - total_net)
    wins += 1.0 if net > 0.0 else 0.0
    return trades + 1.0, wins, total_gross + gross, total_net, squares + product(net, net), peak, drawdown, trough


def join_block(total: Float, block: Float) -> None:
    """Add the sums of a block to those of the blocks before it. total: float64[SUMS]; block: float64[BLOCK_SUMS]."""
    total[6] = max(total[6], block[6], total[5] - (total[3] + block[7]))
    total[5] = max(total[5], total[3] + block[5])
    total[0] += block[0]
    total[1] += block[1]
    total[2] += block[2]
    total[3] += block[3]
    total[4] += block[4]
