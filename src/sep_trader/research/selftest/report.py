"""The whole self-test: rates with their intervals, and whether every bound holds and every mistake was seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sep_trader.research.cluster import run_many
from sep_trader.research.decay import DecayDetector
from sep_trader.research.selftest import rules
from sep_trader.research.selftest.controls import CONTROLS
from sep_trader.research.selftest.outcomes import TARGET, Flags, deviation, trades
from sep_trader.research.selftest.peeks import peeks
from sep_trader.research.selftest.pipeline import Looks, null_looks

ALLOWED = 0.05
_FULL = 200
"""Series of a full run: everything else is so many times that."""
_UPPER_ALLOWED = 0.07
_AGAIN = 20
_EDGE_SD = 0.15
_LEAST_POWER = 0.8
_LEAST_KS = 0.01
_RUN_LENGTH = 1_000
_LONGEST_RUN = 20_000
_PROMISED_R = 0.1
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of n with its 95 % interval (Clopper and Pearson)."""

    rate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Control:
    """A mistake, how often it is READY without an edge, and whether that is seen: surely more than 5 %."""

    name: str
    rate: float
    caught: bool


@dataclass(frozen=True, slots=True)
class RunLength:
    """Trades until the decay detector cries wolf, the edge being just what it watches for: mean and standard error."""

    mean: float
    se: float
    wanted: int


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What `sep research selftest` prints."""

    false_ready_once: Rate
    false_ready_twelve_looks: Rate
    false_ready_weekly: Rate
    false_ready_adversary: Rate
    false_ready_28_pairs: Rate
    negative_controls: list[Control]
    ks_p: float
    power_at_1000_trades: Rate
    edge_sd: float
    peeks: int
    peeks_caught: int
    honest_accused: int
    run_length: RunLength
    trained_again: int
    trained_again_same: int
    failed: list[str]
    """What does not hold."""

    @property
    def ok(self) -> bool:
        """Whether every bound holds and every mistake was seen."""
        return not self.failed


def rate_of(flags: Flags | list[bool]) -> Rate:
    """The share of true ones."""
    from scipy.stats import beta

    n, k = len(flags), int(np.count_nonzero(flags))
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return Rate(k / n, low, high, n)


def selftest(series: int, seed: int, progress: Progress, *, cluster: str | None = None) -> SelfTest:
    """Run all of it; 200 series are a full run. `progress(done, total)`. The same seed gives the same result, on any
    number of processes."""
    looks = _looks(series, seed, progress, cluster)
    draw = partial(_rng, seed)
    adversary = np.concatenate(
        [rules.redesigning(draw(1), 20 * series), rules.bold(draw(2), 100 * series)]  # 100 x 200 = 20,000
    )
    families = rules.families(draw(3), max(20, series * 5 // 2))
    power = rules.power(draw(4), 10 * series, _EDGE_SD * deviation(), 28 * rules.LIMIT, 1_000)
    again = [one.same_again for one in looks if one.same_again is not None]
    peeking = peeks(seed)
    found = SelfTest(
        false_ready_once=rate_of([one.once for one in looks]),
        false_ready_twelve_looks=rate_of([one.twelve for one in looks]),
        false_ready_weekly=rate_of([one.weekly for one in looks]),
        false_ready_adversary=rate_of(adversary),
        false_ready_28_pairs=rate_of(families),
        negative_controls=_controls(series, seed),
        ks_p=_uniform([one.p for one in looks if one.p is not None]),
        power_at_1000_trades=rate_of(power),
        edge_sd=_EDGE_SD,
        peeks=peeking.tried,
        peeks_caught=peeking.caught,
        honest_accused=peeking.accused,
        run_length=run_length(draw(5), 5 * series),
        trained_again=len(again),
        trained_again_same=sum(again),
        failed=[],
    )
    found.failed.extend(_failures(found, series))
    return found


def run_length(rng: np.random.Generator, series: int) -> RunLength:
    """Let the detector watch trades whose edge is just what it watches for."""
    lengths = np.full(series, _LONGEST_RUN)
    for at in range(series):
        detector = DecayDetector(_PROMISED_R, _RUN_LENGTH)
        for number, outcome in enumerate(trades(rng, _LONGEST_RUN, _PROMISED_R).tolist(), 1):
            if detector.take(outcome, TARGET):
                lengths[at] = number
                break
    return RunLength(float(lengths.mean()), float(lengths.std(ddof=1) / np.sqrt(series)), _RUN_LENGTH)


def _looks(series: int, seed: int, progress: Progress, cluster: str | None) -> list[Looks]:
    done = 0

    def finished(_number: int) -> None:
        nonlocal done
        done += 1
        progress(done, series)

    again = min(_AGAIN, max(1, series // 10))
    arguments = [(seed * 1_000_003 + number, number < again) for number in range(series)]
    return run_many(_look, arguments, cluster=cluster, finished=finished)


def _look(seed: int, again: bool) -> Looks:
    return null_looks(seed, again=again)


def _controls(series: int, seed: int) -> list[Control]:
    found = []
    for number, (name, control) in enumerate(CONTROLS.items()):
        rate = rate_of(control(_rng(seed, 100 + number), 20 * series))
        found.append(Control(name, rate.rate, rate.low > ALLOWED))
    return found


def _uniform(values: list[float]) -> float:
    """Kolmogorov and Smirnov: the p-value of these being uniform."""
    from scipy.stats import kstest

    return float(kstest(np.array(values, dtype=float), "uniform").pvalue) if values else 0.0


def _rng(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


def _failures(found: SelfTest, series: int) -> list[str]:
    """What does not hold. A reduced run fails only where a rate is surely too high."""
    failed = []
    for name in ("once", "twelve_looks", "weekly", "adversary", "28_pairs"):
        rate: Rate = getattr(found, f"false_ready_{name}")
        if rate.low > ALLOWED or (series >= _FULL and rate.high > _UPPER_ALLOWED):
            failed.append(f"false_ready_{name} is {rate.rate:.1%}, {rate.low:.1%} to {rate.high:.1%}")
    failed += [f"not seen to fail: {one.name} ({one.rate:.1%})" for one in found.negative_controls if not one.caught]
    if found.ks_p < _LEAST_KS:
        failed.append(f"the p-values of the t test are not uniform: {found.ks_p:.2g}")
    if found.power_at_1000_trades.high < _LEAST_POWER:
        failed.append(f"power {found.power_at_1000_trades.rate:.0%} at {found.edge_sd} sd a trade")
    if found.peeks_caught < found.peeks or found.honest_accused:
        failed.append(f"{found.peeks_caught} of {found.peeks} peeks caught, {found.honest_accused} honest accused")
    if found.run_length.mean + 2 * found.run_length.se < found.run_length.wanted:
        failed.append(f"the decay detector cries wolf after {found.run_length.mean:.0f} trades")
    if found.trained_again_same < found.trained_again:
        failed.append(f"{found.trained_again - found.trained_again_same} series differ when trained at every look")
    return failed
