"""CUDA drivers: grids over candles, rules and sets round the scalar functions. Needs numba-cuda; no GPU to compile."""

# mypy: disable-error-code="no-untyped-def, assignment"

import math
from importlib import import_module
from typing import Any

import numpy as np
from numba import float64, uint32

from sep_trader.research.kernels import scalar
from sep_trader.research.kernels.compiled import calling
from sep_trader.research.kernels.inputs import DOWN, UP
from sep_trader.research.kernels.scalar import (
    BLOCK_SUMS,
    END,
    NEVER,
    STOP,
    SUM_BLOCK,
    SUMS,
    TARGET,
    WORD,
)

cuda: Any = import_module("numba.cuda")
device: Any = cuda.jit(device=True)
kernel: Any = cuda.jit(cache=True)

# Threads of a block of `propose`, and rules that it decides at once: the bits of a mask.
CANDLES, RULES = 256, 32
# Columns of what each series costs: half the spread's multiplier, slippage, financing long and short, step, length.
HALF, SLIPPAGE, LONG_RATE, STEP, LENGTH, COSTS = 0, 1, 2, 4, 5, 6
# Columns of a candle's record: open, half the spread, what a distance of 1 is worth for an entry here, nights passed.
OPEN, HALF_SPREAD, UNIT, NIGHTS, RECORD = 0, 1, 2, 3, 4

if hasattr(cuda, "libdevice"):

    @device
    def product(a, b):
        """As in `scalar`: this multiplication is never joined with an addition."""
        return cuda.libdevice.dmul_rn(a, b)

else:  # the simulator
    product = device(scalar.product)

outcome = device(calling(scalar.outcome, product=product))
add_trade = device(calling(scalar.add_trade, product=product))
trend_sign = device(calling(scalar.trend_sign, product=product))
reason_of = device(scalar.reason_of)
join_block = device(scalar.join_block)
chosen = device(scalar.chosen)
latest_exit = device(scalar.latest_exit)
next_touch = device(scalar.next_touch)


@device
def bits_ending(words, end):
    """The 32 bits that end at a candle, the newest one highest."""
    word, more = (end + 1) >> 5, (end + 1) & 31
    return (((np.int64(words[word]) << 32) | np.int64(words[word - 1])) >> more) & 0xFFFFFFFF


@device
def newest(count):
    """A mask of the newest `count` of 32 bits; of none below 1."""
    return 0 if count <= 0 else (0xFFFFFFFF << (32 - min(count, 32))) & 0xFFFFFFFF


@device
def window_counts(words, at, window):
    """Count in the window that ends at a candle: (null, flip, rupture, corrected, disagreement of the halves)."""
    half = window // 2
    flip, rupture, corrected, apart = 0, 0, 0, 0
    for done in range(0, window, 32):
        end = at - done
        now, one, two, three = (
            bits_ending(words, end), bits_ending(words, end - 1), bits_ending(words, end - 2),
            bits_ending(words, end - 3),
        )  # fmt: skip
        inside = newest(window - 1 - done)
        flip += cuda.popc(np.uint32((now ^ one) & inside))
        rupture += cuda.popc(np.uint32(now & one & inside))
        majority = (one & two) | (one & three) | (two & three)
        corrected += cuda.popc(np.uint32((now ^ majority) & newest(window - 3 - done)))
        if done < half:
            apart += cuda.popc(np.uint32((now ^ bits_ending(words, end - half)) & newest(half - done)))
    return window - 1 - flip - rupture, flip, rupture, corrected, apart


@device
def sign_of_trend(words, bits, at, window, entropy, apart, k1, k2):
    """As `trend_sign`, from the newest bit back; ended as soon as the bits that are left cannot turn it."""
    half = window // 2
    agreement = (half - 2 * apart) / half
    damping = min(max(k1 * entropy + k2 * (1.0 - agreement * agreement), 0.01), 1.0)
    weight = math.exp(-damping)
    total, one, rest = 0.0, 1.0, 1.0 / (1.0 - weight)
    held = 0
    for k in range(window):
        if k % 32 == 0:
            held = bits_ending(words, at - k)
        total += one if (held >> (31 - k % 32)) & 1 else -one
        one *= weight
        if abs(total) > one * rest * 1.000001 + 1e-9:
            return 1 if total > 0.0 else -1
    return trend_sign(bits, at, window, entropy, apart, k1, k2)


@kernel
def make_prices(open_, high, low, spread, nights, scale, series_of, begins, costs, record, reach):
    """Write the record and the reach of every candle: one thread a candle. scale: empty for 1.

    series_of: int32, the series of every CANDLES candles. Behind the end of a series nothing is reached, and the first
    candle there has half the spread that belongs to the last close.
    """
    at = cuda.grid(1)
    if at >= record.shape[0]:
        return
    series = series_of[at // CANDLES]
    begin = begins[series]
    end = begin + int(costs[series, LENGTH])
    half = 0.0
    if begin <= at <= end:
        half = product(spread[max(begin, at - 1)], costs[series, HALF])
    record[at, OPEN], record[at, HALF_SPREAD] = open_[at], half
    record[at, UNIT] = scale[at - 1] if scale.shape[0] > 0 and at > begin else 1.0
    record[at, NIGHTS] = nights[at]
    inside = begin <= at < end
    reach[0, at] = low[at] - half if inside else math.inf
    reach[1, at] = -high[at] - half if inside else math.inf
    reach[2, at] = half - high[at] if inside else math.inf
    reach[3, at] = low[at] + half if inside else math.inf


@kernel
def make_minima(values, length, minima):
    """Write the minimum of every `length` values of each row: one thread a minimum."""
    at = cuda.grid(1)
    row = cuda.blockIdx.y
    if at >= minima.shape[1]:
        return
    least = values[row, at * length]
    for k in range(1, length):
        least = min(least, values[row, at * length + k])
    minima[row, at] = least


@kernel
def pack_bits(bits, words):
    """Write the words of the bits: one thread a word."""
    word = cuda.grid(1)
    if word >= words.shape[0]:
        return
    packed = 0
    for k in range(WORD):
        packed |= np.int64(bits[word * WORD + k] & 1) << k
    words[word] = packed


@kernel
def propose(words, bits, ages, allowed, batches, windows, terms, places, limits, k1, k2, proposals):
    """Decide up to RULES rules of one window: one thread a candle, one row of blocks a batch of rules.

    words: uint32, the bits; ages: int16[T], unbroken bits of the session; allowed: int8[K, T], or with no row for both
    signs everywhere; batches: int64[B, 3] of window, first rule and one past the last one; windows: int64[K]; terms:
    float64, entropy by count, of window k at places[k]. proposals: uint32[R, T / 32, 2] of (proposed, short).
    """
    decided = cuda.shared.array(CANDLES, uint32)
    falling = cuda.shared.array(CANDLES, uint32)
    thread = cuda.threadIdx.x
    at = cuda.blockIdx.x * CANDLES + thread
    k, first, past = batches[cuda.blockIdx.y, 0], batches[cuda.blockIdx.y, 1], batches[cuda.blockIdx.y, 2]
    window = windows[k]
    mask, down = 0, 0
    if ages[at] >= window:
        null, flip, rupture, corrected, apart = window_counts(words, at, window)
        place = places[k]
        entropy = (terms[place + null] + terms[place + flip]) + terms[place + rupture]
        for rule in range(first, past):
            if chosen(null, rupture, entropy, corrected, limits[rule, 0], limits[rule, 1], limits[rule, 2]):
                mask |= 1 << (rule - first)
        if mask != 0:
            sign = sign_of_trend(words, bits, at, window, entropy, apart, k1, k2)
            down = 1 if sign < 0 else 0
            counts = sign != 0
            if allowed.shape[0] > 0:
                counts = counts and (allowed[k, at] & (UP if sign > 0 else DOWN)) != 0
            mask = mask if counts else 0
    decided[thread], falling[thread] = mask, down
    cuda.syncthreads()
    rule, word = thread % RULES, thread // RULES
    proposed, short = 0, 0
    for j in range(WORD):
        proposed |= ((np.int64(decided[word * WORD + j]) >> rule) & 1) << j
        short |= np.int64(falling[word * WORD + j]) << j
    if first + rule < past:
        to = cuda.blockIdx.x * (CANDLES // WORD) + word
        proposals[first + rule, to, 0] = proposed
        proposals[first + rule, to, 1] = proposed & short


@kernel
def any_proposals(proposals, turning, wanted):
    """Write which candles any set enters long and short, uint32[T / 32, 2]: one thread a word. turning: see Levels."""
    word = cuda.grid(1)
    if word >= wanted.shape[0]:
        return
    longs, shorts = 0, 0
    for rule in range(proposals.shape[0]):
        proposed, short = np.int64(proposals[rule, word, 0]), np.int64(proposals[rule, word, 1])
        longs |= proposed ^ short
        shorts |= short
    both = longs | shorts if turning == 3 else 0
    wanted[word, 0] = both if turning == 3 else (longs if turning == 1 else shorts)
    wanted[word, 1] = both if turning == 3 else (shorts if turning == 1 else longs)


@kernel
def make_tables(record, reach, fine, coarse, time, wanted, series_of, begins, costs, stops, targets, horizons, table):
    """Write when the trade of every proposal touches each level and leaves at the latest: one thread a candle and side.

    table: uint16[2 * T, columns], candles after the entry: the stops, the targets, NEVER, the horizons, all ascending.
    """
    at = cuda.grid(1)
    t, row = at >> 1, at & 1
    if at >= table.shape[0]:
        return
    if not (np.int64(wanted[t // WORD, row]) >> (t & 31)) & 1:
        return
    series = series_of[t // CANDLES]
    begin, length = begins[series], int(costs[series, LENGTH])
    entry = t + 1
    if entry >= begin + length:
        return
    own, step = time[begin : begin + length], int(costs[series, STEP])
    none = stops.shape[0] + targets.shape[0]
    table[at, none] = NEVER
    end = entry
    for h in range(horizons.shape[0]):
        after = latest_exit(entry - begin, horizons[h], step, own) - (entry - begin)
        table[at, none + 1 + h] = after
        end = min(begin + length, entry + after)
    sign = 1.0 - 2.0 * row
    fill = sign * record[entry, OPEN] + record[entry, HALF_SPREAD] + costs[series, SLIPPAGE]
    unit, found = record[entry, UNIT], entry
    for k in range(stops.shape[0]):
        found = next_touch(found, end, fill - product(stops[k], unit), row, reach, fine, coarse)
        table[at, k] = found - entry if found < end else NEVER
    found = entry
    for k in range(targets.shape[0]):
        found = next_touch(found, end, -(fill + product(targets[k], unit)), 2 + row, reach, fine, coarse)
        table[at, stops.shape[0] + k] = found - entry if found < end else NEVER


@device
def walk(s, at, until, last, priced, series, market, sets, sums):
    """Walk a set from candle `at` over the proposals before `until`; returns the candle where it is free again.

    last: trades still open there leave at the close before it. priced: False finds the way only. market: (proposals,
    table, record, close, costs); sets: (rule, turned, stop and target and horizon columns of the table, stop, target).
    sums: float64[BLOCK_SUMS], continued.
    """
    proposals, table, record, close, costs = market
    rules, turned, stop_of, target_of, horizon_of, stop, target = sets
    rule, turn, stop_at, target_at, horizon_at = rules[s], turned[s], stop_of[s], target_of[s], horizon_of[s]
    slippage = costs[series, SLIPPAGE]
    trades, wins, gross, net, squares, peak, drawdown, trough = (
        sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
    )  # fmt: skip
    while at < until:
        word = at >> 5
        ahead = (np.int64(proposals[rule, word, 0]) >> (at & 31)) << (at & 31)
        while ahead == 0 and (word + 1) * WORD < until:
            word += 1
            ahead = np.int64(proposals[rule, word, 0])
        if ahead == 0:
            at = until
            break
        bit = cuda.ffs(np.uint32(ahead)) - 1
        t = word * WORD + bit
        if t >= until:
            at = until
            break
        row = ((np.int64(proposals[rule, word, 1]) >> bit) & 1) ^ turn
        place, entry = 2 * t + row, t + 1
        stop_after, target_after = np.int64(table[place, stop_at]), np.int64(table[place, target_at])
        longest = np.int64(table[place, horizon_at])
        at = entry + min(longest, min(stop_after, target_after))
        if priced and longest > 0:
            reason, leave = reason_of(stop_after, target_after, longest), at
            ended = leave >= last
            if ended:
                reason, leave = END, last - 1
            quoted = close[leave] if ended else record[leave, OPEN]
            half_out = record[last, HALF_SPREAD] if ended else record[leave, HALF_SPREAD]
            cap, away = 0.0, -math.inf
            if reason == STOP:
                away = product(stop[s], record[entry, UNIT])
            elif reason == TARGET:
                cap, away = math.inf, -product(target[s], record[entry, UNIT])
            moved, earned, _, _ = outcome(
                1.0 - 2.0 * row, slippage, costs[series, LONG_RATE + row], record[entry, OPEN],
                record[entry, HALF_SPREAD], quoted, half_out, record[leave, NIGHTS] - record[entry, NIGHTS], cap, away,
            )  # fmt: skip
            trades, wins, gross, net, squares, peak, drawdown, trough = add_trade(
                moved, earned, trades, wins, gross, net, squares, peak, drawdown, trough
            )
    sums[0], sums[1], sums[2], sums[3] = trades, wins, gross, net
    sums[4], sums[5], sums[6], sums[7] = squares, peak, drawdown, trough
    return at


@device
def walk_block(s, block, begin, at, series, market, sets, sums, block_sums):
    """Walk a set over the block that begins at a candle, and write its sums; returns where it is free again."""
    for k in range(BLOCK_SUMS):
        sums[k] = 0.0
    end = begin + SUM_BLOCK
    at = walk(s, at, end, end + (1 << 30), True, series, market, sets, sums)
    for k in range(BLOCK_SUMS):
        block_sums[block, k, s] = sums[k]
    return at


@kernel
def walk_parts(items, stretches, warm, market, sets, begun, arrived, block_sums):
    """Walk every set over every part of every stretch: one thread a set and part, one row of blocks a stretch.

    items: int32[I, 3] of set, first block in the stretch and number of blocks. stretches: int64[., 5] of the first
    candle of a group of folds, the first block of the stretch in that group, the number of blocks of the group, the
    place of the group's blocks and its series. A part is begun `warm` candles early, in the hope that it then goes the
    way of the part before it. begun: int32[blocks + groups, S], the free candle where each block begins as this part
    has it; arrived: the same where each part begins, as the part before it has it. block_sums: float64[blocks, 8, S].
    """
    item = cuda.grid(1)
    if item >= items.shape[0]:
        return
    s, stretch = items[item, 0], cuda.blockIdx.y
    first, series, offset = stretches[stretch, 0], stretches[stretch, 4], stretches[stretch, 3]
    block = stretches[stretch, 1] + items[item, 1]
    past = min(block + items[item, 2], stretches[stretch, 2])
    if block >= past:
        return
    sums = cuda.local.array(BLOCK_SUMS, float64)
    begin = first + block * SUM_BLOCK
    at = max(first, begin - warm[s])
    at = max(begin, walk(s, at, begin, begin + (1 << 30), False, series, market, sets, sums))
    while block < past:
        begun[offset + block, s] = at
        at = max(begin + SUM_BLOCK, walk_block(s, offset + block, begin, at, series, market, sets, sums, block_sums))
        begin += SUM_BLOCK
        block += 1
    arrived[offset + past, s] = at


@kernel
def repair(groups, part_blocks, market, sets, begun, arrived, block_sums, redone):
    """Walk again what was begun elsewhere than the part before it arrived at: one thread a set and group of folds.

    groups: int64[G, 4] of first candle, number of blocks, place of the blocks and series. part_blocks: int32[S], blocks
    of a part. redone: int64[1], how many blocks were walked again.
    """
    s = cuda.grid(1)
    if s >= part_blocks.shape[0]:
        return
    group = cuda.blockIdx.y
    first, blocks, offset, series = groups[group, 0], groups[group, 1], groups[group, 2], groups[group, 3]
    sums = cuda.local.array(BLOCK_SUMS, float64)
    length = part_blocks[s]
    count = 0
    for boundary in range(length, blocks, length):
        block, at = boundary, arrived[offset + boundary, s]
        # On from here as long as the way differs; where the next part begins, its own boundary goes on.
        while block < min(blocks, boundary + length) and begun[offset + block, s] != at:
            begun[offset + block, s] = at
            begin = first + block * SUM_BLOCK
            at = walk_block(s, offset + block, begin, at, series, market, sets, sums, block_sums)
            at = max(begin + SUM_BLOCK, at)
            block += 1
            count += 1
            if block == min(blocks, boundary + length):
                arrived[offset + block, s] = at
    if count > 0:
        cuda.atomic.add(redone, 0, count)


@kernel
def join(folds, market, sets, begun, arrived, block_sums, out):
    """Add up the blocks of every fold in the order of time, and walk its end: one thread a set and fold.

    folds: int64[F, 6] of first and last candle, whole blocks, place of the group's blocks, the group's whole blocks
    and series. out: float64[F, S, SUMS].
    """
    s = cuda.grid(1)
    if s >= out.shape[1]:
        return
    fold = cuda.blockIdx.y
    first, last, blocks, offset, series = (
        folds[fold, 0], folds[fold, 1], folds[fold, 2], folds[fold, 3], folds[fold, 5]
    )  # fmt: skip
    total = cuda.local.array(SUMS, float64)
    sums = cuda.local.array(BLOCK_SUMS, float64)
    for k in range(SUMS):
        total[k] = 0.0
    for block in range(blocks):
        for k in range(BLOCK_SUMS):
            sums[k] = block_sums[offset + block, k, s]
        join_block(total, sums)
    begin, at = first + blocks * SUM_BLOCK, first
    if blocks > 0:
        at = arrived[offset + blocks, s] if blocks == folds[fold, 4] else begun[offset + blocks, s]
    while begin < last - 1:
        for k in range(BLOCK_SUMS):
            sums[k] = 0.0
        at = walk(s, at, min(last - 1, begin + SUM_BLOCK), last, True, series, market, sets, sums)
        join_block(total, sums)
        begin += SUM_BLOCK
    for k in range(SUMS):
        out[fold, s, k] = total[k]
