"""Several reads or writes at once, with one total deadline: what has not ended by then is left behind, and said."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from sep_trader.broker.deadline import deadline
from sep_trader.errors import BrokerUnavailable

T = TypeVar("T")


class Calls(Protocol):
    """Makes calls side by side. A simulation makes them one after the other."""

    def run(self, calls: Sequence[Callable[[], T]], seconds: float) -> list[T | Exception]:
        """The result of each call, or the error that it raised; none of them takes longer than `seconds`."""
        ...

    def close(self) -> None:
        """End the helpers. What still hangs is left behind."""
        ...


class ThreadedCalls:
    """Calls on a few threads. A call that hangs holds its thread until its own waits end; others take its place."""

    _GRACE_S = 0.25

    def __init__(self, size: int = 16) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="trader-call")

    def run(self, calls: Sequence[Callable[[], T]], seconds: float) -> list[T | Exception]:
        """The result of each call, or the error that it raised."""

        def within(call: Callable[[], T]) -> T:
            with deadline(seconds):
                return call()

        if len(calls) == 1:  # no thread is needed where nothing goes on beside it and its waits end by themselves
            try:
                return [within(calls[0])]
            except Exception as error:
                return [error]
        futures = [self._pool.submit(within, call) for call in calls]
        done, _ = wait(futures, seconds + self._GRACE_S)
        results: list[T | Exception] = []
        for future in futures:
            if future not in done:
                future.cancel()
                results.append(BrokerUnavailable(f"no answer within {seconds:.1f} s"))
            else:
                raised = future.exception()
                results.append(future.result() if raised is None else _as_exception(raised))
        return results

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _as_exception(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    raise error
