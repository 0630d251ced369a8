"""Quotes of a simulated day: seldom while nothing happens, each second round the moments that matter."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sep_trader.exchange.market.tape import NO_ROWS, Points, Rows

DAY_S = 86_400
_SECOND = 1_000_000_000
_APART_S = 45
_SIGMA_PIPS = 0.35
"""Of a second. Four hours move 42 pips: a third of the trades meet their stop or their target."""
PAIRS = ("EUR_USD", "USD_JPY")
_MIDDLE = {"EUR_USD": 137_000, "USD_JPY": 101_500}
_SPREAD = {"EUR_USD": 12, "USD_JPY": 14}
_PIP = 10


@dataclass(frozen=True, slots=True)
class Jump:
    """The market moves at once. at: seconds of the day."""

    at: float
    pair: str
    pips: int


class SparseMarket:
    """A source of the exchange's tape: one walk a pair, quoted where somebody looks. start: the day's first second."""

    instruments: tuple[str, ...] = PAIRS
    chunk_seconds = DAY_S

    def __init__(self, seed: int, start: int, busy: Sequence[tuple[float, float]], jumps: Sequence[Jump] = ()) -> None:
        """busy: spans (seconds of the day) with a quote each second."""
        self._first = start // DAY_S
        offset = start - self._first * DAY_S
        chance = random.Random(f"market {seed}")  # noqa: S311 - a market, not a secret
        self._points: Mapping[tuple[str, int], Points] = {
            (pair, self._first + day): points
            for pair in PAIRS
            for day, points in enumerate(_walk(pair, chance.randrange(1 << 32), offset, self._first, busy, jumps))
            if points is not None
        }

    def points(self, instrument: str, number: int) -> Points | None:
        """The quotes of a calendar day."""
        return self._points.get((instrument, number))

    def following(self, number: int) -> int | None:
        """The next day with quotes."""
        return min((n for _, n in self._points if n > number), default=None)

    def preceding(self, instrument: str, number: int) -> int | None:
        """The day before with quotes."""
        return max((n for name, n in self._points if name == instrument and n < number), default=None)

    def hours(self, instrument: str) -> Rows:
        """Nothing reaches further back."""
        return NO_ROWS


def _walk(
    pair: str, seed: int, offset: int, first: int, busy: Sequence[tuple[float, float]], jumps: Sequence[Jump]
) -> list[Points | None]:
    """The quotes of the simulated day, which may reach into the next calendar day, and an hour before and after it."""
    begin, end = offset - 3600, offset + DAY_S + 7200
    quoted = np.zeros(end - begin, dtype=bool)
    quoted[::_APART_S] = True
    for a, b in busy:
        quoted[max(0, int(a) + 3600) : max(0, int(b) + 3600)] = True
    steps = np.random.default_rng(seed).normal(0, _SIGMA_PIPS * _PIP, end - begin)
    for jump in jumps:
        if jump.pair == pair:
            steps[min(len(steps) - 1, int(jump.at) + 3600)] += jump.pips * _PIP
    middle = np.rint(_MIDDLE[pair] + np.cumsum(steps)).astype(np.int64)
    at = np.flatnonzero(quoted)
    seconds, middle = at + begin, middle[at]
    half = _SPREAD[pair] // 2
    days: list[Points | None] = []
    for day in range((end - 1) // DAY_S + 1):
        here = (seconds >= day * DAY_S) & (seconds < (day + 1) * DAY_S)
        if not here.any():
            days.append(None)
            continue
        # A quote comes a little after the full second, so that it never meets a timer.
        time = (first * DAY_S + seconds[here]) * _SECOND + 137_000_000
        days.append(Points(time, middle[here] - half, middle[here] + half))
    return days
