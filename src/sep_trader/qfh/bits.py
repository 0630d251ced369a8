"""Candles to bits, session by session."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sep_trader.market.validate import check_prices, check_times
from sep_trader.qfh.encoder import Encoder

Bits = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

NO_BIT = -1


def session_starts(time: Int, granularity_seconds: int, max_gap: int = 10) -> Bools:
    """Mark the first candle of every session: neighbours within a session are at most `max_gap` candles apart.

    time: candle starts, seconds, strictly increasing. Returns bool[N]. Raises InputError for unsorted times.
    """
    time = np.asarray(time, dtype=np.int64)
    starts = np.zeros(len(time), dtype=np.bool_)
    if len(time) == 0:
        return starts
    check_times(time)
    starts[0] = True
    starts[1:] = np.diff(time) > max_gap * granularity_seconds
    return starts


def encode_bits(open_: Float, close: Float, starts: Bools, encoder: Encoder) -> Bits:
    """Encode candles as bits 0 and 1; -1 marks a missing bit (at a session's first candle, and in a warm-up).

    open_, close: mid prices float64[N]; starts: bool[N], from `session_starts`. Returns int8[N].
    Raises InputError for NaN or non-positive prices.
    """
    open_ = np.ascontiguousarray(open_, dtype=np.float64)
    close = np.ascontiguousarray(close, dtype=np.float64)
    check_prices("open", open_)
    check_prices("close", close)
    if not len(open_) == len(close) == len(starts):
        raise ValueError(f"open, close and starts differ in length: {len(open_)}, {len(close)}, {len(starts)}")
    return bits_of(open_, close, starts, encoder)


def bits_of(open_: Float, close: Float, starts: Bools, encoder: Encoder) -> Bits:
    """As `encode_bits`, for prices that were checked."""
    if len(close) == 0:
        return np.zeros(0, dtype=np.int8)
    if encoder.kind == "magnitude":
        return _magnitude_bits(close, starts, encoder.m)
    move = close - open_ if encoder.kind == "body" else np.diff(close, prepend=close[0])
    return _held_sign(move, starts)


def _held_sign(move: Float, starts: Bools) -> Bits:
    """1 for up, 0 for down, the last one where equal, 0 before the session's first move."""
    index = np.arange(len(move), dtype=np.int64)
    # A start counts as a down move, so that the bits after it are 0 until the session's first move.
    known = starts | (move != 0.0)
    last = np.maximum.accumulate(np.where(known, index, 0))
    bits = ((move[last] > 0.0) & ~starts[last]).astype(np.int8)
    bits[starts] = NO_BIT
    return bits


def _magnitude_bits(close: Float, starts: Bools, m: int) -> Bits:
    """1 where the move is larger than the median of the m moves before it in the session."""
    bits = np.full(len(close), NO_BIT, dtype=np.int8)
    edges = np.append(np.flatnonzero(starts), len(close))
    for first, end in pairwise(edges.tolist()):
        size = np.abs(np.diff(close[first:end]))
        if len(size) > m:
            bits[first + m + 1 : end] = size[m:] > _rolling_median(size, m)
    return bits


def _rolling_median(size: Float, m: int) -> Float:
    """Median of size[i-m:i] for i = m..len-1, in chunks that stay small."""
    windows = np.lib.stride_tricks.sliding_window_view(size, m)[:-1]
    chunk = max(1, (1 << 20) // m)
    parts = [np.median(windows[lo : lo + chunk], axis=1) for lo in range(0, len(windows), chunk)]
    return np.concatenate(parts)
