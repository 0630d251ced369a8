"""The detector of decay: its arithmetic, its run length, its delay."""

import random
import statistics

import pytest

from sep_trader.research.decay import AGAINST_LIMIT, DecayDetector, against_an_edge, trades_to_decide

MOST = 1.42


def outcomes(edge: float, chance: random.Random) -> float:
    """A trade of -1.08 or 1.42 R with a mean of `edge`."""
    return MOST if chance.random() < (1.08 + edge) / (1.08 + MOST) else -1.08


def test_a_trade_changes_each_sum_by_its_own_share() -> None:
    detector = DecayDetector(promised=0.05)
    detector.take(-1.08, MOST)
    lost = (-1.08 - 0.05) / (MOST - 0.05)
    assert detector.sums == pytest.approx([1 - share * lost for share in (1 / 4, 1 / 8, 1 / 16)])
    detector.take(MOST, MOST)
    assert detector.sums[0] == pytest.approx((1 - 1 / 4) * (1 - 1 / 4 * lost + 1))


def test_a_gain_beyond_the_most_counts_as_the_most() -> None:
    one, other = DecayDetector(0.05), DecayDetector(0.05)
    one.take(9.0, MOST)
    other.take(MOST, MOST)
    assert one.sums == other.sums


def test_while_the_edge_is_there_it_cries_wolf_seldom() -> None:
    """Mean run length at least N at mu0: here N = 200, so that a test is quick."""
    chance, lengths = random.Random(5), []
    for _ in range(150):
        detector, length = DecayDetector(promised=0.05, run_length=200), 0
        while not detector.take(outcomes(0.05, chance), MOST) and length < 5_000:
            length += 1
        lengths.append(length)
    error = statistics.stdev(lengths) / len(lengths) ** 0.5
    assert statistics.mean(lengths) + 2 * error >= 200


def test_a_lost_edge_is_found_within_a_few_hundred_trades() -> None:
    chance, delays = random.Random(6), []
    for _ in range(60):
        detector = DecayDetector(promised=0.05)
        for _ in range(300):
            detector.take(outcomes(0.10, chance), MOST)
        delay = 0
        while not detector.take(outcomes(-0.10, chance), MOST):
            delay += 1
        delays.append(delay)
    assert statistics.median(delays) < 250


def test_losses_refute_an_edge_and_gains_do_not() -> None:
    assert against_an_edge([(-1.0, MOST)] * 20) > AGAINST_LIMIT
    assert against_an_edge([(0.3, MOST)] * 200) < 1


def test_what_more_trades_could_decide() -> None:
    assert trades_to_decide(1.0, 280.0, 0.01) == 564  # ln(280) / 0.01 = 563.5
    assert trades_to_decide(300.0, 280.0, 0.01) == 0
    assert trades_to_decide(1.0, 280.0, 0.0) is None
    assert trades_to_decide(0.0, 280.0, 0.1) is None
