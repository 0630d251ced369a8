"""The trader's calls in a simulation, one after the other."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sep_trader.broker.deadline import deadline
from sep_trader.simulation.clock import VirtualClock

T = TypeVar("T")


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
