"""The broker's clock: its time goes on by itself, and one bad line does not move it."""

from datetime import UTC, datetime, timedelta

from sep_trader.execution.clocks import BrokerClock, ClockRules

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Here:
    """This machine's seconds."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def clock(**rules: float) -> tuple[BrokerClock, Here]:
    here = Here()
    return BrokerClock(here, ClockRules(**rules) if rules else None), here  # type: ignore[arg-type]


def test_it_is_not_known_before_rest_has_told_it() -> None:
    broker, _ = clock()
    assert broker.now() is None
    assert not broker.told(NOON, stream=True)
    assert broker.now() is None
    assert broker.told(NOON)
    assert broker.now() == NOON


def test_it_goes_on_by_itself() -> None:
    """Findings A1, B11: it stood when the streams stood."""
    broker, here = clock()
    broker.told(NOON)
    here.at += 40
    assert broker.now() == NOON + 40 * SECOND


def test_small_corrections_are_taken_at_once_forwards_and_after_eight_answers_backwards() -> None:
    broker, here = clock()
    broker.told(NOON)
    here.at += 10
    assert broker.told(NOON + 15 * SECOND)
    assert broker.now() == NOON + 15 * SECOND
    here.at += 10
    for _ in range(7):
        assert broker.told(NOON + 20 * SECOND)
        assert broker.now() == NOON + 25 * SECOND
    assert broker.told(NOON + 20 * SECOND)
    assert broker.now() == NOON + 20 * SECOND


def test_a_stream_moves_it_forward_a_little_and_nothing_else() -> None:
    """Finding A11: one line two hours ahead closed everything."""
    broker, _ = clock()
    broker.told(NOON)
    assert not broker.told(NOON + 7200 * SECOND, stream=True)
    assert not broker.told(NOON - SECOND, stream=True)
    assert not broker.told(NOON, stream=True)
    assert broker.now() == NOON
    assert broker.doubted is None
    assert broker.told(NOON + 5 * SECOND, stream=True)
    assert broker.now() == NOON + 5 * SECOND
    assert not broker.told(NOON + 11 * SECOND, stream=True)


def test_a_jump_needs_rest_twice_ten_seconds_apart() -> None:
    broker, here = clock()
    broker.told(NOON)
    there = NOON + 7200 * SECOND
    assert not broker.told(there)
    assert broker.doubted == there
    here.at += 9.9
    assert not broker.told(there + 9.9 * SECOND)
    assert broker.now() == NOON + 9.9 * SECOND
    here.at += 0.1
    assert broker.told(there + 10 * SECOND)
    assert broker.now() == there + 10 * SECOND
    assert broker.doubted is None


def test_a_clock_that_stands_still_confirms_nothing() -> None:
    """A frozen answer: what it tells falls further behind, and does not go on as a clock does."""
    broker, here = clock()
    broker.told(NOON)
    for _ in range(10):
        here.at += 10
        broker.told(NOON)
    assert broker.now() == NOON + 100 * SECOND


def test_a_right_answer_between_two_wrong_ones_ends_the_doubt() -> None:
    broker, here = clock()
    broker.told(NOON)
    broker.told(NOON + 7200 * SECOND)
    here.at += 5
    assert broker.told(NOON + 5 * SECOND)
    assert broker.doubted is None
    here.at += 5
    assert not broker.told(NOON + 7210 * SECOND)


def test_the_edges_of_the_tolerance() -> None:
    broker, _ = clock()
    broker.told(NOON)
    assert broker.told(NOON + 5 * SECOND)
    assert broker.told(NOON)
    assert not broker.told(NOON + 10.001 * SECOND)
    assert not broker.told(NOON - 0.001 * SECOND)


def test_an_answer_that_took_seconds_does_not_turn_the_clock_back() -> None:
    """Found by the simulation (seeds 7079 and 8977, S3): an order left 1.9 s after its signal's end."""
    broker, here = clock()
    broker.told(NOON)
    here.at += 10
    assert broker.told(NOON + 7 * SECOND)
    assert broker.now() == NOON + 10 * SECOND


def test_what_this_machine_gains_on_the_broker_is_given_back() -> None:
    broker, here = clock()
    broker.told(NOON)
    for number in range(1, 9):
        here.at += 100
        assert broker.told(NOON + 99.9 * number * SECOND)
    assert broker.now() == NOON + 799.9 * SECOND, "of the newest eight, 0.1 s apart, the oldest"


def test_only_the_newest_counts_of_a_broker_whose_time_stands_still_between_steps() -> None:
    broker, here = clock(tolerance_s=1e9)
    broker.told(NOON)
    here.at += 30
    broker.told(NOON)
    assert broker.now() == NOON


def test_a_simulated_exchange_may_run_faster() -> None:
    broker, here = clock(tolerance_s=1e9)
    broker.told(NOON)
    here.at += 1
    assert broker.told(NOON + 600 * SECOND)
    assert broker.now() == NOON + 600 * SECOND


def test_a_correction_of_a_fraction_of_a_second_is_taken_of_a_stream_too() -> None:
    broker, _ = clock()
    broker.told(NOON)
    assert broker.told(NOON + 0.5 * SECOND, stream=True)
    assert broker.now() == NOON + 0.5 * SECOND


def test_three_confirmations_where_the_rules_ask_for_them() -> None:
    broker, here = clock(confirmations=3)
    broker.told(NOON)
    there = NOON + 7200 * SECOND
    for waited, accepted in ((0, False), (10, False), (5, False), (5, True)):
        here.at += waited
        there += waited * SECOND
        assert broker.told(there) is accepted


def test_a_doubted_time_that_drifts_is_still_the_same_doubt() -> None:
    broker, here = clock()
    broker.told(NOON)
    assert not broker.told(NOON + 7200 * SECOND)
    here.at += 10
    assert broker.told(NOON + 7215 * SECOND), "5 s off is within the tolerance"
    here.at += 1
    assert not broker.told(NOON)
    here.at += 10
    assert not broker.told(NOON + 15.1 * SECOND), "what does not go on as a clock begins a new doubt"
