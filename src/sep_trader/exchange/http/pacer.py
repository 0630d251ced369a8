"""Keeps the exchange in step with its clock: a timer and every request move it ahead, in slices that never block."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sep_trader.exchange.accounts.state import StateFile
from sep_trader.exchange.http.clock import Clock, closed_span
from sep_trader.exchange.http.faults import Faults
from sep_trader.exchange.matching.exchange import Exchange

_EVERY = 0.01
_SLICE = 2000
_MARK_EVERY = 1.0


class Pacer:
    """Moves an exchange along a clock. `skip_closed`: jump over spans of more than an hour without a quote."""

    def __init__(
        self,
        exchange: Exchange,
        clock: Clock,
        faults: Faults,
        *,
        skip_closed: bool = False,
        journal: StateFile | None = None,
    ) -> None:
        self.exchange = exchange
        self.faults = faults
        self.clock = clock
        self.skip_closed = skip_closed
        self.journal = journal
        self.closing = False
        self._stepping = asyncio.Lock()

    @property
    def speed(self) -> float:
        """How fast exchange time runs."""
        return self.clock.speed

    @property
    def finished(self) -> bool:
        """Whether the tape has been played to its end."""
        return self.exchange.next_quote is None

    def advance(self) -> bool:
        """Catch up with the clock for at most one slice; returns whether it is caught up."""
        if self._stepping.locked():
            return True
        done = self.exchange.advance(max(self.clock.target(), self.exchange.now), _SLICE)
        self.clock.settle(self.exchange.now)
        if done and self.skip_closed:
            to = closed_span(self.exchange.now, self.exchange.next_quote)
            if to is not None:
                self.clock.move(to)
        return done

    async def step(self, to: int) -> None:
        """Move a stepped clock ahead and let everything up to then happen, leaving the event loop room to breathe."""
        async with self._stepping:
            while not self.exchange.advance(max(to, self.exchange.now), _SLICE):
                await asyncio.sleep(0)
            self.clock.move(self.exchange.now)

    async def run(self) -> None:
        """Keep up until cancelled."""
        marked = time.monotonic()
        while True:
            done = self.advance()
            if self.journal is not None and time.monotonic() - marked >= _MARK_EVERY:
                self.journal.mark(self.exchange.now)
                marked = time.monotonic()
            await asyncio.sleep(_EVERY if done else 0)

    async def lifespan(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Run while the server runs."""
        await receive()
        self.clock.move(self.exchange.now)
        running = asyncio.create_task(self.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.closing = True
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if self.journal is not None:
            self.journal.mark(self.exchange.now)
            self.journal.close()
        await send({"type": "lifespan.shutdown.complete"})
