"""CPU driver of everything that sets share but the proposals: the tables of one piece of a series, in one call."""

# mypy: disable-error-code="no-untyped-def"

from functools import partial
from typing import Any

import numpy as np

from sep_trader.research.kernels.compiled import compiled
from sep_trader.research.kernels.scalar import WORD
from sep_trader.research.kernels.tables import write_tables

kernel: Any = partial(compiled, allocates=False)
driver: Any = compiled
# Candles of one block of `write_ahead`, a power of two.
AHEAD = 1024
# Instead of a proposal: there is none in the rest of the block.
NOTHING = 65535


@kernel
def write_ahead(words, first, last, base, ahead):
    """Write for every rule and candle the next proposal in its block of AHEAD candles: 2 * offset + (1 if short).

    words: uint32[R, 2, .], the proposals from candle `first` on. ahead: uint16[R, .] from candle `base` on, NOTHING
    where there is none at the candle or after it; first - base is a multiple of AHEAD.
    """
    for r in range(len(words)):
        proposed, short, to = words[r, 0], words[r, 1], ahead[r]
        for block in range(first, last, AHEAD):
            newest = np.uint16(NOTHING)
            for t in range(min(last, block + AHEAD) - 1, block - 1, -1):
                word, bit = (t - first) // WORD, np.uint32((t - first) & (WORD - 1))
                here = np.uint16(2 * (t - block) + np.int64((short[word] >> bit) & np.uint32(1)))
                newest = here if (proposed[word] >> bit) & np.uint32(1) else newest
                to[t - base] = newest


@driver
def write_piece(market, exits, words, first, last, base, ahead, touch, latest):
    """Write ahead, touch and latest for the proposals of candles first..last-1, as `walk_sets` reads them.

    words: uint32[R, 2, .], the proposals from candle `first` on. base: the candle of the first column of ahead, touch
    and latest.
    """
    write_tables(market, exits, words, first, last, base, touch, latest)
    write_ahead(words, first, last, base, ahead)
