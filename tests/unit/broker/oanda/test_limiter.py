import threading
import time

from sep_trader.broker.oanda.limiter import RateLimiter


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def limiter(limit: int, clock: Clock) -> RateLimiter:
    return RateLimiter(limit, clock=clock, sleep=clock.sleep)


def test_no_window_of_a_second_holds_more_than_the_limit() -> None:
    clock = Clock()
    limited = limiter(3, clock)
    times = []
    for pause in [0, 0, 0, 0, 0.9, 0, 0, 0, 2.5, 0, 0, 0, 0]:
        clock.now += pause
        assert limited.acquire()
        times.append(clock.now)
    assert times[:5] == [0, 0, 0, 1, 1.9]
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(times, times[3:], strict=False))


def test_a_slot_too_far_away_is_refused_and_not_taken() -> None:
    clock = Clock()
    limited = limiter(1, clock)
    assert limited.acquire()
    assert not limited.acquire(max_wait_s=0.5)
    assert limited.acquire(max_wait_s=1.0)
    assert clock.now == 1.0


def test_a_pause_holds_everything_back_and_a_shorter_one_does_not_shorten_it() -> None:
    clock = Clock()
    limited = limiter(100, clock)
    limited.pause(3)
    limited.pause(1)
    assert not limited.acquire(max_wait_s=2)
    assert limited.acquire()
    assert clock.now == 3


def test_threads_share_one_limit() -> None:
    limited = RateLimiter(10, per_s=0.2)
    times: list[float] = []

    def take() -> None:
        for _ in range(10):
            limited.acquire()
            times.append(time.monotonic())

    threads = [threading.Thread(target=take) for _ in range(4)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 40 slots at 10 in 0.2 s: the last ten are given out three windows after the first ten.
    assert len(times) == 40
    assert max(times) - started >= 3 * 0.2
