"""The trader's calls in a simulation, one after the other, and the network that is not there."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import httpx

from sep_trader.broker.deadline import deadline
from sep_trader.simulation.clock import VirtualClock

T = TypeVar("T")


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} is asked over a network")


NO_NETWORK = httpx.MockTransport(_no_network)


class OneAfterTheOther:
    """Calls that the trader makes side by side: one is done after the other, and they wait beside each other."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def run(self, calls: Sequence[Callable[[], T]], seconds: float) -> list[T | Exception]:
        """The result of each call, or the error that it raised."""
        results: list[T | Exception] = []

        def made(call: Callable[[], T]) -> Callable[[], None]:
            def make() -> None:
                try:
                    with deadline(seconds):
                        results.append(call())
                except Exception as error:
                    results.append(error)

            return make

        self._clock.side_by_side([made(call) for call in calls])
        return results

    def close(self) -> None:
        """There is nothing to end."""
