"""Mistakes that look harmless. Each of them must be seen to fail, or the self-test could not tell a sound rule from a
broken one. Each gives which series were ever READY without an edge. Pure."""

from collections.abc import Callable, Iterator

import numpy as np

from sep_trader.research.selftest.outcomes import SCALE, Accounts, Flags, Float, ever, related, trades
from sep_trader.research.selftest.rules import LIMIT, bold_play

_LAMBDAS = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16])
Control = Callable[[np.random.Generator, int], Flags]


def product_at_exits(rng: np.random.Generator, series: int, number: int) -> Flags:
    """Trades that are open at once are multiplied as if they followed each other."""
    accounts = Accounts.new(series)

    def values() -> Iterator[Float]:
        for _ in range(60):
            outcomes = related(rng, series, number)
            for at in range(number):
                accounts.trade(outcomes[:, at])
            yield accounts.value

    return ever(values(), LIMIT)


def fresh_capital(rng: np.random.Generator, series: int) -> Flags:
    """Each registration begins with a capital of 1 instead of its weight."""
    current, number = Accounts.new(series), np.ones(series, dtype=np.int64)

    def values() -> Iterator[Float]:
        for _ in range(2_000):
            current.trade(trades(rng, series))
            yield current.value
            again = (current.value < 0.5) & (number < 5)
            number[again] += 1
            current.cash[again] = 0.25

    return ever(values(), LIMIT)


def credited_with_history(rng: np.random.Generator, series: int, tries: int = 200) -> Flags:
    """A registration begins with what the best of many tries has made of candles that were seen."""
    reached = np.zeros(series, dtype=bool)
    for at in range(series):
        accounts = Accounts.new(tries)
        for _ in range(100):
            accounts.trade(trades(rng, tries))
        best = Accounts(accounts.cash[[int(np.argmax(accounts.value))]])
        reached[at] = bool(best.value[0] >= LIMIT)
        for _ in range(0 if reached[at] else 400):
            best.trade(trades(rng, 1))
            if best.value[0] >= LIMIT:
                reached[at] = True
                break
    return reached


def losing_weeks_unbooked(rng: np.random.Generator, series: int) -> Flags:
    """At each upgrade the weeks that were lost are left out."""
    accounts = Accounts.new(series)

    def values() -> Iterator[Float]:
        for _ in range(60):
            week = trades(rng, (series, 5))
            kept = week.sum(axis=1) > 0
            for at in range(week.shape[1]):
                accounts.trade(week[:, at], kept)
            yield accounts.value

    return ever(values(), LIMIT)


def candles_withheld(rng: np.random.Generator, series: int, designs: int = 20) -> Flags:
    """The design that is registered is chosen on the candles that it is then booked on."""
    accounts = Accounts.new(series)

    def values() -> Iterator[Float]:
        for _ in range(10):
            batch = trades(rng, (series, designs, 10))
            best = batch.sum(axis=2).argmax(axis=1)
            chosen = batch[np.arange(series), best]
            for at in range(chosen.shape[1]):
                accounts.trade(chosen[:, at])
            yield accounts.value

    return ever(values(), LIMIT)


def rebooked_if_better(rng: np.random.Generator, series: int, lower: bool = False) -> Flags:
    """Corrected candles: the account goes on from the better of what was booked and what is booked again.

    lower: from the lower of both, as it is specified.
    """
    accounts = Accounts.new(series)

    def values() -> Iterator[Float]:
        for _ in range(100):
            again = Accounts(accounts.cash.copy())
            outcome = trades(rng, (series, 5))
            # A correction decides one trade in five anew.
            corrected = np.where(rng.random(outcome.shape) < 0.2, trades(rng, outcome.shape), outcome)
            for at in range(outcome.shape[1]):
                accounts.trade(outcome[:, at])
                again.trade(corrected[:, at])
            worse = again.value < accounts.value
            take = worse if lower else ~worse
            accounts.cash = np.where(take[:, None], again.cash, accounts.cash)
            yield accounts.value

    return ever(values(), LIMIT)


def threshold_by_pairs_so_far(rng: np.random.Generator, series: int, shaped: bool = False, pairs: int = 28) -> Flags:
    """The threshold of the k-th pair is k/alpha: cheap for the first ones, and they add up."""
    reached = np.zeros(series, dtype=bool)
    for number in range(1, pairs + 1):
        accounts, wanted = Accounts.new(series), LIMIT * number
        values = bold_play(rng, accounts, wanted, 60) if shaped else _alone(rng, accounts, 2_000)
        reached |= ever(values, wanted * (1 - 1e-9))
    return reached


def best_of_a_catalogue(rng: np.random.Generator, series: int, designs: int = 24) -> Flags:
    """The entry of the catalogue is the best of many designs on the trades that it is judged by."""
    reached = np.zeros(series, dtype=bool)
    for _ in range(designs):
        reached |= ever(_alone(rng, Accounts.new(series), 400), LIMIT)
    return reached


def moving_test_region(rng: np.random.Generator, series: int, looks: int = 27) -> Flags:
    """Where the test begins moves with the length of the data: each look is another account."""
    outcomes = trades(rng, (series, 1_600))
    reached = np.zeros(series, dtype=bool)
    for look in range(1, looks + 1):
        end = 1_600 * look // looks
        accounts = Accounts.new(series)
        for at in range(int(0.4 * end), end):
            accounts.trade(outcomes[:, at])
            reached |= accounts.value >= LIMIT
    return reached


def _alone(rng: np.random.Generator, accounts: Accounts, number: int) -> Iterator[Float]:
    for _ in range(number):
        accounts.trade(trades(rng, len(accounts.cash)))
        yield accounts.value


assert SCALE > 1, "a stop is less than the stake"  # noqa: S101 - else a gambler could be in debt here
CONTROLS: dict[str, Control] = {
    "product at exits, 7 pairs": lambda rng, n: product_at_exits(rng, n, 7),
    "product at exits, 40 designs": lambda rng, n: product_at_exits(rng, n, 40),
    "fresh capital at each registration": fresh_capital,
    "credited with history seen": credited_with_history,
    "losing weeks left unbooked": losing_weeks_unbooked,
    "candles withheld": candles_withheld,
    "corrected candles rebooked if better": rebooked_if_better,
    "threshold by pairs so far": threshold_by_pairs_so_far,
    "threshold by pairs so far, bold play": lambda rng, n: threshold_by_pairs_so_far(rng, n, shaped=True),
    "catalogue entry is the best of 24": best_of_a_catalogue,
    "test region moves with the data": moving_test_region,
}
