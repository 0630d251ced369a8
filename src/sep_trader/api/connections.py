"""Connections that would shut others out: too many of one address, and those that never ask anything."""

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from sep_trader.api.buckets import place_of

MOST_OF_ONE_ADDRESS = 256
MOST_OF_THIS_MACHINE = 1_024
"""A proxy in front brings everybody's from one address, and has limits of its own."""
SILENCE_S = 10.0
"""A connection that has not finished its first request within this time is closed."""


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a limit to connections of one address, and to silence."""

    _open: ClassVar[Counter[str]] = Counter()
    _place = ""
    _silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless its address has as many as it may."""
        peer = transport.get_extra_info("peername")
        self._place = place_of(str(peer[0])) if peer else "local"
        self._open[self._place] += 1
        super().connection_made(transport)
        own = self._place.startswith("127.") or self._place in ("::/64", "local")
        if self._open[self._place] > (MOST_OF_THIS_MACHINE if own else MOST_OF_ONE_ADDRESS):
            transport.close()
            return
        self._silence = self.loop.call_later(SILENCE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._speaks()
        self._open[self._place] -= 1
        if self._open[self._place] <= 0:
            del self._open[self._place]
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come; a request that is complete ends the silence."""
        super().handle_events()
        if self.cycle is not None:
            self._speaks()

    def _speaks(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None


def most_files() -> None:
    """Take as many file descriptors as this process may have: each connection is one."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def server_options() -> dict[str, Any]:
    """What uvicorn is told besides the application."""
    return {
        "http": GuardedProtocol,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "lifespan": "off",
        "backlog": 512,
        "timeout_keep_alive": 30,
        "h11_max_incomplete_event_size": 16_384,
        "timeout_graceful_shutdown": 3,
    }
