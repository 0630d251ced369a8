"""The rules as they are specified, against honest series and against adversaries. Each gives which series were ever
READY without an edge. Pure."""

from collections.abc import Iterator

import numpy as np

from sep_trader.research.selftest.outcomes import SCALE, Accounts, Flags, Float, ever, related, trades
from sep_trader.research.weights import ALPHA, CROSSES, MAJORS, nth_weight, pair_weight, threshold

LIMIT = 1 / ALPHA
_TRADES = 2_000


def one_account(rng: np.random.Generator, series: int) -> Flags:
    """One account of one design."""
    return ever(_alone(rng, Accounts.new(series), _TRADES), LIMIT)


def open_at_once(rng: np.random.Generator, series: int, number: int, rounds: int = 300) -> Flags:
    """One account with so many related trades open at once."""
    accounts = Accounts.new(series)

    def values() -> Iterator[Float]:
        for _ in range(rounds):
            accounts.together(related(rng, series, number))
            yield accounts.value

    return ever(values(), LIMIT)


def redesigning(rng: np.random.Generator, series: int, registrations: int = 40) -> Flags:
    """An adversary who opens another registration whenever the one before has lost half: each begins with its own,
    smaller weight, and what the earlier ones have left stays in the sum."""
    kept = np.zeros(series)
    current, number = Accounts.new(series), np.ones(series, dtype=np.int64)
    weights = np.array([0.0] + [nth_weight(k) for k in range(1, registrations + 1)])

    def values() -> Iterator[Float]:
        nonlocal kept
        for _ in range(_TRADES):
            current.trade(trades(rng, series))
            worth = current.value
            yield kept + weights[number] * worth
            again = (worth < 0.5) & (number < registrations)
            kept = kept + np.where(again, weights[number] * worth, 0.0)
            number[again] += 1
            current.cash[again] = Accounts.new(1).cash[0]

    return ever(values(), LIMIT)


def bold(rng: np.random.Generator, series: int, rounds: int = 60) -> Flags:
    """An adversary whose trades are shaped to reach the threshold at once, or to lose the stake."""
    return ever(bold_play(rng, Accounts.new(series), LIMIT, rounds), LIMIT * (1 - 1e-9))


def bold_play(rng: np.random.Generator, accounts: Accounts, wanted: float, rounds: int) -> Iterator[Float]:
    """Fair trades that bring an account to what is wanted with one win."""
    lambdas = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16])
    for _ in range(rounds):
        worth, staked = accounts.value, accounts.cash @ lambdas
        missing = np.maximum(wanted - worth, 0.0)
        gain = np.where(staked > 0, missing / np.maximum(staked, 1e-300) * SCALE, 0.0)
        won = rng.random(len(worth)) < SCALE / (gain + SCALE)
        betting = (missing > 0) & (staked > 1e-12)
        accounts.trade(np.where(won, gain, -SCALE), betting)
        yield accounts.value


def families(rng: np.random.Generator, series: int, number: int = 1_000) -> Flags:
    """All majors and crosses, related through their currencies, each with its own weight: is any ever READY?"""
    thresholds = np.array([threshold(pair_weight(pair)) for pair in (*MAJORS, *CROSSES)])
    cash = np.full((series, len(thresholds), 4), 0.25)
    lambdas = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16])
    reached = np.zeros(series, dtype=bool)
    for _ in range(number):
        cash *= 1 + lambdas * (related(rng, series, len(thresholds)) / SCALE)[:, :, None]
        reached |= (cash.sum(axis=2) >= thresholds).any(axis=1)
    return reached


def power(rng: np.random.Generator, series: int, edge: float, wanted: float, number: int) -> Flags:
    """Which series with an edge (R a trade) reach what is wanted within so many trades."""
    return ever(_alone(rng, Accounts.new(series), number, edge), wanted)


def _alone(rng: np.random.Generator, accounts: Accounts, number: int, edge: float = 0.0) -> Iterator[Float]:
    for _ in range(number):
        accounts.trade(trades(rng, len(accounts.cash), edge))
        yield accounts.value
