"""`sep trade run`: the trading daemon as a process: signals, the lock, the streams, systemd."""

import signal
import threading
from contextlib import ExitStack
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.leaving import Leaving
from sep_trader.cli.log_lines import log_to_stderr
from sep_trader.cli.wiring import database_url, open_broker, risk_of
from sep_trader.errors import InputError, SepError, StoreUnavailable
from sep_trader.execution import systemd
from sep_trader.execution.clocks import ClockRules
from sep_trader.execution.feeds import FeedKeeper
from sep_trader.execution.fence import Fence
from sep_trader.execution.journal import TwoTraders
from sep_trader.execution.listener import Listener
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.settings import OandaEnvironment, Settings, load_settings, service_socket
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate, require_current
from sep_trader.store.queries import Row, queries

_LONGEST_WAIT_S = 5.0
_STATEMENTS_S = 2.0
_REQUESTS_PER_S = 60
"""The trader's share of what OANDA allows one address."""


def run(
    poll: Annotated[
        float, typer.Option("--poll", min=0.05, help="Seconds between two looks; streams and notifications wake it.")
    ] = 1.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Let Ctrl-C stop it while trades are open, without a question.")
    ] = (False),
) -> None:
    """Trade until stopped. Each pass looks at everything, closes and protects first, and then trades.

    Ctrl-C while trades are open asks first, on a terminal; elsewhere it needs --yes. SIGTERM never asks.
    """
    settings = load_settings()
    log_to_stderr(settings.log_level)
    stopping = threading.Event()
    trader: list[Trader] = []

    def stop(*_: object) -> None:
        stopping.set()
        for one in trader:
            one.wake.call()

    leaving = Leaving(stop, lambda: _open_trades(settings), yes)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, lambda *_: leaving.interrupted())
    wait = 1.0
    while not stopping.is_set():
        try:
            with _database(settings) as database:
                _trade(settings, database, poll, stopping, trader)
        except TwoTraders as error:
            raise InputError(error.message, error.hint) from None
        except SepError as error:
            if not error.retryable:
                raise
            render.errors.print(f"sep: {error}; starting again in {wait:.0f} s")
            stopping.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)


def _open_trades(settings: Settings) -> int:
    url = database_url(settings)
    with Database(url, timeout_s=_STATEMENTS_S, deadline_s=_STATEMENTS_S) as database, database.transaction() as asked:
        return len(queries.many(asked, "open_trades", Row))


def _database(settings: Settings) -> Database:
    """The database, with its schema up to date. One that is out of reach does not keep the trader from its exits."""
    database = Database(database_url(settings), timeout_s=_STATEMENTS_S, deadline_s=_STATEMENTS_S, probe=False)
    try:
        if settings.database_url is None:
            migrate(database)
        else:
            require_current(database)
    except StoreUnavailable as error:
        render.errors.print(f"sep: {error}; trades are closed and protected by their marks until it is back")
    except SepError:
        database.close()
        raise
    return database


def _trade(
    settings: Settings, database: Database, poll: float, stopping: threading.Event, trader: list[Trader]
) -> None:
    """Trade until stopped; a lock keeps a second trader out."""
    with ExitStack() as stack:
        broker = stack.enter_context(open_broker(settings, requests_per_s=_REQUESTS_PER_S))
        fence = Fence(database)
        stack.callback(fence.close)
        own = settings.database_url is None
        one = Trader(
            database,
            broker,
            trader_settings(settings, poll),
            clock_rules=ClockRules(tolerance_s=settings.clock_tolerance_s),
            take_lock=fence.take,
            revive=(lambda: _revive(settings)) if own else None,
        )
        trader[:] = [one]
        stack.callback(one.close)
        listener = Listener(database, one.wake)
        listener.start()
        stack.callback(listener.stop)
        feed = FeedKeeper(broker, one.newest, lambda text: render.errors.print(f"sep: {text}"))
        stack.callback(feed.stop)

        address = service_socket()

        def after_pass() -> None:
            if one.stands_at is not None:
                feed.keep(one.memory.pairs, one.stands_at)
            systemd.notify(address, "READY=1\nWATCHDOG=1")

        one.run(stopping.is_set, after_pass)


def _revive(settings: Settings) -> None:
    from sep_trader.store.embedded import start_embedded

    start_embedded(settings.home)


def trader_settings(settings: Settings, poll: float) -> TraderSettings:
    """The daemon's settings out of the system's."""
    if settings.clock_tolerance_s > ClockRules().tolerance_s:
        environment = settings.oanda_environment
        if environment is not OandaEnvironment.CUSTOM:
            text = f"SEP_CLOCK_TOLERANCE_S is {settings.clock_tolerance_s:g} on a {environment} account"
            raise InputError(text, "more than 5 s is for simulated exchanges whose time runs faster")
    risk = risk_of(settings)
    return TraderSettings(
        environment=settings.oanda_environment.value,
        live_allowed=settings.live_trading,
        limits=risk.limits,
        exits=risk.exits,
        consequences=risk.consequences,
        pass_s=poll,
        idle_s=max(poll, TraderSettings("").idle_s),
    )
