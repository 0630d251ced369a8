"""CPU driver for the individual trades of one parameter set."""

import numpy as np
import numpy.typing as npt

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import compiled
from sep_trader.research.kernels.scalar import BLOCK, Float, Int32

find_exit = compiled(scalar.find_exit, allocates=False)
trade_result = compiled(scalar.trade_result, allocates=False)


def trade_prices(
    open_: Float, high: Float, low: Float, close: Float, spread: Float, spread_multiplier: float, slippage: float
) -> tuple[Float, Float, Float, Float, Float]:
    """Prepare what trades are priced from: (fills [2, N], quotes [4, 2, N], half [N + 1], block_low, block_high).

    The quotes of a candle carry the spread measured at the close of the candle before it, the last one known when it
    opens; half[N] belongs to the last close. Row 0 is the long side, row 1 the short side mirrored.
    """
    n = len(open_)
    half = np.empty(n + 1)
    half[1:] = spread * (spread_multiplier / 2.0)
    half[0] = half[1] if n else 0.0
    now = half[:n]
    fills = np.stack((open_ + now + slippage, -(open_ - now - slippage)))
    quotes = np.empty((4, 2, n))
    for at, (bid_side, ask_side) in enumerate(((open_, open_), (low, high), (high, low))):
        quotes[at, 0] = bid_side - now
        quotes[at, 1] = -(ask_side + now)
    quotes[3, 0] = close - half[1:]
    quotes[3, 1] = -(close + half[1:])
    return fills, quotes, half, _by_block(quotes[1], np.inf, np.minimum), _by_block(quotes[2], -np.inf, np.maximum)


def _by_block(values: Float, filler: float, reduce: np.ufunc) -> Float:
    n = values.shape[1]
    blocks = -(-n // BLOCK)
    padded = np.full((2, blocks * BLOCK), filler)
    padded[:, :n] = values
    return np.ascontiguousarray(reduce.reduce(padded.reshape(2, blocks, BLOCK), axis=2))


@compiled
def run_trades(
    side: npt.NDArray[np.int8],
    stop: Float,
    target: Float,
    horizon: int,
    fills: Float,
    quotes: Float,
    half: Float,
    block_low: Float,
    block_high: Float,
    slippage: float,
    nights: Int32,
    rates: Float,
    index: npt.NDArray[np.int64],
    price: Float,
) -> int:
    """Walk one set's proposals and write its trades: index [N, 4] of entry, exit, row, reason; price [N, 4] of
    entry fill, exit fill, gross, net. Returns the number of trades. A proposal while a trade is open is passed over.
    """
    n = len(side)
    count = 0
    at = 0
    while at < n - 1:
        if side[at] == 0:
            at += 1
            continue
        row = 0 if side[at] > 0 else 1
        entry = at + 1
        fill = fills[row, entry]
        leave, out, reason = find_exit(
            row, entry, fill, stop[at], target[at], horizon, n, quotes, block_low, block_high
        )
        gross, net, out = trade_result(row, entry, leave, fill, out, reason, slippage, half, nights, rates)
        sign = 1.0 if row == 0 else -1.0
        index[count, 0], index[count, 1], index[count, 2], index[count, 3] = entry, leave, row, reason
        price[count, 0], price[count, 1], price[count, 2], price[count, 3] = sign * fill, sign * out, gross, net
        count += 1
        at = leave
    return count
