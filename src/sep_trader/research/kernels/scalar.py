"""The trade and the decision, written once in plain Python; the drivers compile these for the CPU and for CUDA.

A short trade is a long one in mirrored prices: every price negated, bid and ask exchanged. Arrays of shape [2, N] hold
the long side's prices in row 0 and the short side's mirrored prices in row 1, so that the functions know one side only.
Negation is exact, so nothing is lost by it. No function here calls another: each target compiles them alone.
"""

import math

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]

STOP, TARGET, HORIZON, END = 0, 1, 2, 3
# Candles of one chunk: the walk of many sets over its proposals and prices stays in the cache.
CHUNK = 1024
# Instead of a proposal: there is none in the rest of the chunk.
NOTHING = -1
# Damping's weights of entropy and incoherence.
K1, K2 = 0.3, 0.2
# The float32 trend is within 1e-5 of the exact one: its sign is certain beyond this, and computed exactly below.
CERTAIN = 1e-4
# Candles that one entry of block_low and block_high sums up; a power of two.
BLOCK = 8


def rule_limits(
    window: int, theta: float, max_entropy: float, min_stability: float, fade: bool
) -> tuple[int, int, float, int]:
    """Turn a rule's shares into counts for `decide`: least, most_corrected, most_entropy, fade.

    Exactly: n / (W - 1) >= theta and 1 - n / (W - 3) >= min_stability as float64 has it.
    """
    least = int(np.argmax(np.append(np.arange(window) / (window - 1) >= theta, True)))
    stable = 1.0 - np.arange(window - 2) / (window - 3) >= min_stability
    return least, int(np.count_nonzero(stable)) - 1, max_entropy, int(fade)


def find_exit(
    row: int,
    entry: int,
    fill: float,
    stop_distance: float,
    target_distance: float,
    horizon: int,
    end: int,
    quotes: Float,
    block_low: Float,
    block_high: Float,
) -> tuple[int, float, int]:
    """Find where a trade that was filled at candle `entry` leaves: (candle, exit price before slippage, reason).

    end: candles from there on are not looked at. quotes: float64[4, 2, N], what the trade could be closed at: open,
    low, high, close. The stop is looked at before the target; a candle that opens beyond the stop fills at its open; a
    target fills at its price, never better.
    """
    last = entry + horizon
    if last > end:
        last = end
    stop = fill - stop_distance
    target = fill + target_distance
    at = entry
    if stop_distance == math.inf and target_distance == math.inf:
        at = last
    while at < last:
        if at % BLOCK == 0:
            # Whole blocks that touch neither price are passed in one step.
            block = at // BLOCK
            while at + BLOCK <= last and block_low[row, block] > stop and block_high[row, block] < target:
                at += BLOCK
                block += 1
            if at >= last:
                break
        if quotes[1, row, at] <= stop:
            return at, min(quotes[0, row, at], stop), STOP
        if quotes[2, row, at] >= target:
            return at, target, TARGET
        at += 1
    if last < end:
        return last, quotes[0, row, last], HORIZON
    return end - 1, quotes[3, row, end - 1], END


def trade_result(
    row: int,
    entry: int,
    leave: int,
    fill: float,
    price: float,
    reason: int,
    slippage: float,
    half: Float,
    nights: Int32,
    rates: Float,
) -> tuple[float, float, float]:
    """Gross and net of one trade in price units: (gross, net, exit fill), from mirrored prices.

    half: float64[N], half the spread that the quotes of a candle carry; half[N] is that of the last close. nights:
    cumulative count of 17:00 New York passed. rates: daily financing, long and short. Gross is between mid prices.
    """
    exit_half = half[leave + 1] if reason == END else half[leave]
    out = price - slippage
    gross = (price + exit_half) - (fill - slippage - half[entry])
    paid_for = nights[leave] - nights[entry]
    value = fill if row == 0 else -fill
    net = (out - fill) + paid_for * rates[row] * value
    return gross, net, out


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
) -> tuple[float, float, float, float, float, float, float]:
    """Take a trade into the sums of its set; the peak starts at 0, the drawdown is that of the net sum at the exits."""
    total_net += net
    if total_net > peak:
        peak = total_net
    if peak - total_net > drawdown:
        drawdown = peak - total_net
    if net > 0.0:
        wins += 1.0
    return trades + 1.0, wins, total_gross + gross, total_net, squares + net * net, peak, drawdown


def decide(
    null: int,
    rupture: int,
    entropy: float,
    corrected: int,
    trend: int,
    least: int,
    most_corrected: int,
    most_entropy: float,
    fade: int,
) -> int:
    """Decide the side of the collapse rule from the counts of a window and the sign of its trend: -1, 0, +1.

    least: fewest nulls or ruptures of a collapse; most_corrected: corrections that stability allows.
    """
    if (null >= least or rupture >= least) and corrected <= most_corrected and entropy <= most_entropy:
        return -trend if fade else trend
    return 0


def window_counts(bits: Int8, at: int, window: int) -> tuple[int, int, int, int, int]:
    """Count by definition over the `window` bits that end at `at`: (null, flip, rupture, corrected, disagreement)."""
    first = at - window + 1
    half = window // 2
    null, flip, rupture, corrected, apart = 0, 0, 0, 0, 0
    for i in range(first + 1, at + 1):
        total = bits[i - 1] + bits[i]
        if total == 0:
            null += 1
        elif total == 1:
            flip += 1
        else:
            rupture += 1
        if i >= first + 3 and (bits[i - 3] + bits[i - 2] + bits[i - 1] >= 2) != (bits[i] == 1):
            corrected += 1
        if i > at - half and bits[i] != bits[i - half]:
            apart += 1
    return null, flip, rupture, corrected, apart


def trend_sign(bits: Int8, at: int, window: int, entropy: float, apart: int, k1: float, k2: float) -> int:
    """Sign of the damped trend of the window that ends at `at`, from its entropy and its disagreement of halves."""
    half = window // 2
    coherence = ((half - 2 * apart) / half) ** 2
    damping = min(max(k1 * entropy + k2 * (1.0 - coherence), 0.01), 1.0)
    weight = math.exp(-damping)
    total = 0.0
    for k in range(window - 1, -1, -1):
        total = total * weight + (1.0 if bits[at - k] == 1 else -1.0)
    if total > 0.0:
        return 1
    return -1 if total < 0.0 else 0
