"""Strategies that look ahead, each in another way, and honest ones: the first must be caught, the others not. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.research.lookahead import Propose, looks_ahead
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.selftest.markets import null_market
from sep_trader.research.strategies import Proposals, propose

_RULE = RuleParameters(window=16, theta_run=0.3, entropy_max=0.99, stability_min=0.3)


@dataclass(frozen=True, slots=True)
class Peeks:
    """How many strategies that look ahead were tried and caught, and honest ones that were taken for one."""

    tried: int
    caught: int
    honest: int
    accused: int


def _later_move(ahead: int) -> Propose:
    """The side is the sign of the move that follows."""

    def peek(candles: Candles) -> Proposals:
        found = propose(candles, _RULE)
        later = np.concatenate([candles.close[ahead:], np.full(min(ahead, len(candles)), candles.close[-1])])
        move = np.sign(later[: len(candles)] - candles.close).astype(np.int8)
        return replace(found, side=np.where(found.side != 0, move, 0).astype(np.int8))

    return peek


def _of_the_whole_series(candles: Candles) -> Proposals:
    """A limit that is the median of the whole series."""
    found = propose(candles, _RULE)
    quiet = candles.high - candles.low < np.median(candles.high - candles.low)
    return replace(found, side=np.where(quiet, found.side, 0).astype(np.int8))


def _centred_range(candles: Candles) -> Proposals:
    """Stops from a range that is centred: half of it is later."""
    found = propose(candles, _RULE)
    mean = np.convolve(candles.high - candles.low, np.ones(31) / 31, mode="same")
    return replace(found, stop=6 * mean, target=9 * mean)


def _unfinished_candle(candles: Candles) -> Proposals:
    """The trend of the quarter of an hour that is not over yet, as its last candle shows it."""
    found = propose(candles, _RULE)
    quarter = candles.time // 900
    last = np.searchsorted(quarter, quarter, side="right") - 1
    first = np.searchsorted(quarter, quarter, side="left")
    move = np.sign(candles.close[last] - candles.open[first]).astype(np.int8)
    return replace(found, side=np.where(found.side == move, found.side, 0).astype(np.int8))


def _filled_backwards(candles: Candles) -> Proposals:
    """A confidence that is filled from the next proposal backwards."""
    found = propose(candles, _RULE)
    at = np.flatnonzero(found.side)
    following = at[np.minimum(np.searchsorted(at, np.arange(len(candles)), side="right"), max(len(at) - 1, 0))]
    return replace(found, confidence=found.confidence[following])


PEEKS: tuple[Propose, ...] = (
    _later_move(1),
    _later_move(2),
    _later_move(10),
    _of_the_whole_series,
    _centred_range,
    _unfinished_candle,
    _filled_backwards,
)


def _honest(parameters: RuleParameters) -> Callable[[Candles], Proposals]:
    return lambda candles: propose(candles, parameters)


HONEST: tuple[Propose, ...] = tuple(
    _honest(replace(_RULE, **changes))
    for changes in ({}, {"mode": "fade"}, {"confirm": ("M5", "M15")}, {"encoder": "body"}, {"window": 64})
)


def peeks(seed: int) -> Peeks:
    """Ask every strategy on a market without an edge."""
    candles = null_market(np.random.default_rng(seed), 1)
    caught = sum(bool(looks_ahead(one, candles, cuts=20, seed=seed)) for one in PEEKS)
    accused = sum(bool(looks_ahead(one, candles, cuts=20, seed=seed)) for one in HONEST)
    return Peeks(len(PEEKS), caught, len(HONEST), accused)
