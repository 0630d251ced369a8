"""The same through the whole pipeline: candles, walk-forward, bookings and thresholds. Pure but for the time it takes.

One walk-forward serves all looks, since what a look finds is the beginning of what a later one finds; some series are
really trained again at every look, and must give the same.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.resample import resample
from sep_trader.research.catalogue import CATALOGUE, Design
from sep_trader.research.costs import CostModel
from sep_trader.research.evidence import MIN_TRADES
from sep_trader.research.grid import Grid
from sep_trader.research.selftest.markets import null_market
from sep_trader.research.standing import Accounts, Standing, accounts_of, bets_of, most_of, standing_of
from sep_trader.research.student import student_t
from sep_trader.research.walk_forward import HeldOut, walk_forward

WEEKS = 8
_FREE = CostModel(slippage_pips=0.0, spread_multiplier=0.0, financing_long=0.0, financing_short=0.0)
"""Nothing is charged: the exact boundary of the null."""
_PAIR = "EUR_USD"
_TWELVE = 12


@dataclass(frozen=True, slots=True)
class Looks:
    """What became of one series without an edge. p: of the t test on its daily sums, None for too few days."""

    once: bool
    twelve: bool
    weekly: bool
    p: float | None
    trades: int
    same_again: bool | None
    """Whether really training at every look gave the same; None where that was not tried."""


def null_looks(seed: int, *, again: bool = False) -> Looks:
    """Judge one series without an edge once, at twelve looks at fixed times, and every week."""
    candles = null_market(np.random.default_rng(seed), WEEKS)
    designs = [one for one in CATALOGUE if one.granularity.seconds <= 900]
    found = {one.name: _walk(candles, one) for one in designs}
    ends = [from_epoch(int(candles.time[-1]) + 60)]
    span = ends[0] - from_epoch(int(candles.time[0]))
    twelve = [ends[0] - span * k / (2 * _TWELVE) for k in reversed(range(_TWELVE))]
    weekly = [ends[0] - span * k / WEEKS for k in reversed(range(WEEKS - 2))]
    same = None
    if again:
        same = all(_trained_again(candles, one, found[one.name], at) for one in designs for at in weekly)
    main = found[designs[0].name]
    return Looks(
        once=_ready(designs, found, ends),
        twelve=_ready(designs, found, twelve),
        weekly=_ready(designs, found, weekly),
        p=student_t(main.left // 86_400, main.net / main.stop),
        trades=len(main),
        same_again=same,
    )


def _walk(candles: Candles, design: Design) -> HeldOut:
    made = candles if design.granularity is candles.granularity else resample(candles, design.granularity)
    return walk_forward(
        made, Grid(), _FREE, _FREE, design.plan, lambda *_: None, device="cpu", threads=1
    ).trades  # fmt: skip


def _trained_again(candles: Candles, design: Design, whole: HeldOut, at: datetime) -> bool:
    """Whether training on what is known at a look gives the trades that the whole series gave up to then."""
    known = int(np.searchsorted(candles.time, int(at.timestamp()) - 60, side="right"))
    ends = int(candles.time[known - 1]) + 60
    expected = int(np.count_nonzero(whole.left <= ends))
    try:
        look = _walk(candles.take(slice(0, known)), design)
    except InputError:  # no fold has begun yet
        return expected == 0
    return len(look) == expected and look.net.tobytes() == whole.net[:expected].tobytes()


def _ready(designs: list[Design], found: dict[str, HeldOut], looks: list[datetime]) -> bool:
    """Whether the pair was READY at any of the looks."""
    before: dict[str, Accounts] = {}
    for at in looks:
        for one in designs:
            before[one.name] = _booked(one, found[one.name], at, before.get(one.name))
        standing = standing_of(_PAIR, before, [_PAIR])
        if _enough(standing, before[designs[0].name]):
            return True
    return False


def _enough(standing: Standing, main: Accounts) -> bool:
    return standing.enough and main.trades >= MIN_TRADES


def _booked(design: Design, trades: HeldOut, at: datetime, before: Accounts | None) -> Accounts:
    bets = bets_of(_PAIR, design.name, trades, _FREE, design.granularity.seconds)
    most = most_of(trades, bets, _FREE, design.granularity.seconds)
    return accounts_of(design, bets, most, at, before)
