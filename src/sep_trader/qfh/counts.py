"""What the windows of a bit series hold, as whole numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sep_trader.qfh.bits import Bits, Bools
from sep_trader.qfh.reference import entropy_terms

Counts = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class WindowCounts:
    """Counts in the W bits that end at each row: int16[N], 0 where no full window ends.

    null, flip, rupture: of the W-1 transitions, those in each state. corrected: of the newest W-3 bits, those that
    differ from the majority of the three bits before them. mismatched: of the newest floor(W/2) bits, those that differ
    from the bit floor(W/2) before. A share is a count over the number it is of; the count itself was never rounded.
    """

    window: int
    null: Counts
    flip: Counts
    rupture: Counts
    corrected: Counts
    mismatched: Counts

    def entropy(self) -> npt.NDArray[np.float64]:
        """The entropy of every row, exact to float64."""
        terms = entropy_terms(self.window)
        return (terms[self.null] + terms[self.flip]) + terms[self.rupture]


def count_windows(bits: Bits, window: int, valid: Bools) -> WindowCounts:
    """Count in the W bits that end at each row.

    bits: int8, of which the last N belong to the rows; those before them are looked at, too. valid: bool[N], where a
    full window ends.
    """
    rows = min(len(valid), len(bits) - window + 1)
    if rows < 1:
        return WindowCounts(window, *(np.zeros(len(valid), dtype=np.int16) for _ in range(5)))
    bits = bits[len(bits) - rows - window + 1 :]
    half, before, now = window // 2, bits[:-1], bits[1:]
    majority = (bits[:-3] + bits[1:-2] + bits[2:-1]) >= 2

    def counted(found: Bools, length: int) -> Counts:
        """How many of the newest `length` values that end at each row are true."""
        out = np.zeros(len(valid), dtype=np.int16)
        if rows == 1:  # a stream's newest row: no running sums for one difference
            out[-1] = np.count_nonzero(found[-length:])
        else:
            sums = np.concatenate(([0], np.cumsum(found, dtype=np.int32)))
            out[-rows:] = (sums[length:] - sums[:-length])[-rows:]
        return out * valid

    flips = before != now
    return WindowCounts(
        window=window,
        null=counted(~flips & (now == 0), window - 1),
        flip=counted(flips, window - 1),
        rupture=counted(~flips & (now == 1), window - 1),
        corrected=counted(majority != bits[3:], window - 3),
        mismatched=counted(bits[half:] != bits[: len(bits) - half], half),
    )
