"""Build an exchange from its settings and serve it with uvicorn until it is told to stop."""

import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn

from sep_trader.broker.exchange.account import Account, open_account
from sep_trader.broker.exchange.app import ExchangeApp
from sep_trader.broker.exchange.clock import Clock, LiveClock, ReplayClock, SteppedClock
from sep_trader.broker.exchange.exchange import Exchange
from sep_trader.broker.exchange.faults import Faults
from sep_trader.broker.exchange.figures import SECOND
from sep_trader.broker.exchange.floor import Floor, Policy
from sep_trader.broker.exchange.pacer import Pacer
from sep_trader.broker.exchange.recorded import RecordedQuotes
from sep_trader.broker.exchange.sessions import Sessions
from sep_trader.broker.exchange.tape import Tape
from sep_trader.broker.exchange.terms import offered
from sep_trader.errors import InputError


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Everything an exchange is built from. Times in ns; `start` None takes the source's beginning."""

    tokens: Sequence[str]
    accounts: Sequence[str]
    port: int = 0
    host: str = "127.0.0.1"
    data: Sequence[Path] = ()
    start: int | None = None
    speed: float = 1.0
    clock: str = "replay"
    seed: int = 0
    balance: Decimal = Decimal(100_000)
    currency: str = "USD"
    hedging: bool = False
    fifo: bool = False
    skip_closed: bool = True
    policy: Policy = field(default_factory=Policy)
    instruments: Sequence[str] = ()


def build(settings: ExchangeSettings) -> ExchangeApp:
    """An application ready to serve. Raises InputError for settings that make no exchange."""
    always = settings.clock == "live"
    policy = settings.policy
    source = RecordedQuotes(list(settings.data), list(settings.instruments) or None)
    start = source.first_second * SECOND if settings.start is None else settings.start
    clock: Clock
    if settings.clock == "live":
        clock = LiveClock()
        start = clock.target()
    elif settings.clock == "stepped":
        clock = SteppedClock(start)
    else:
        clock = ReplayClock(start, settings.speed)
    if always:
        policy = Policy(policy.markup, policy.order_lookup, Sessions(always=True))
    floor = Floor({name: offered(name) for name in source.instruments}, policy)
    exchange = Exchange(floor, Tape(source), start)
    accounts = [_account(settings, name, floor) for name in settings.accounts]
    for account in accounts:
        exchange.add_account(account)
    pacer = Pacer(
        exchange, clock, Faults(settings.seed), skip_closed=settings.skip_closed and settings.clock == "replay"
    )
    return ExchangeApp(pacer, _tokens(settings, accounts))


def _account(settings: ExchangeSettings, name: str, floor: Floor) -> Account:
    account = Account(name, settings.currency, hedging=settings.hedging, fifo=settings.fifo)
    floor.commit(open_account(account, settings.balance, floor.now))
    return account


def _tokens(settings: ExchangeSettings, accounts: list[Account]) -> dict[str, tuple[Account, ...]]:
    """One token opens every account; several tokens go with the accounts in order."""
    if len(settings.tokens) == 1:
        return {settings.tokens[0]: tuple(accounts)}
    if len(settings.tokens) != len(accounts):
        raise InputError(
            f"{len(settings.tokens)} tokens for {len(accounts)} accounts", "give one token for all, or one for each"
        )
    opened: dict[str, tuple[Account, ...]] = {}
    for token, account in zip(settings.tokens, accounts, strict=True):
        opened[token] = (*opened.get(token, ()), account)
    return opened


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises InputError when the port cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"cannot listen on {host} port {port}: {error}", "choose another with --port") from None
    return listener


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
    app = build(settings)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="on", server_header=False, timeout_graceful_shutdown=2
    )
    server = _Server(config)
    names = ",".join(settings.accounts)
    server.line = f"sep exchange: listening on http://{host}:{port} account {names} clock {app.pacer.clock}"
    server.run(sockets=[listener])
