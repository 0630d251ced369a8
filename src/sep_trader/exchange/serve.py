"""Serve an exchange with uvicorn until it is told to stop."""

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from sep_trader.errors import InputError
from sep_trader.exchange.build import ExchangeSettings, build
from sep_trader.listening import listen


class _Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that lets the application break it off, as some faults do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        state: dict[str, Any] = {**self.app_state, "transport": transport}  # type: ignore[has-type]
        self.app_state = state
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """A server that says, once it listens, where."""

    line = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(self.line + "\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        app.pacer.closing = True
        await super().shutdown(sockets)


def serve(settings: ExchangeSettings) -> None:
    """Serve until interrupted; prints one line when it listens."""
    listener = listen(settings.host, settings.port)
    try:
        app = build(settings)
    except InputError:
        listener.close()
        raise
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http=_Connection,
        log_level="critical",
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    names = ",".join(settings.accounts)
    server.line = f"sep exchange: listening on http://{host}:{port} account {names} clock {app.pacer.clock}"
    server.run(sockets=[listener])
