"""`sep trade`: the trading daemon and its switch."""

import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import structlog
import typer

from sep_trader.cli import render
from sep_trader.cli.options import By, Json, Why
from sep_trader.cli.wiring import open_broker, open_database
from sep_trader.errors import InputError, SepError
from sep_trader.execution import switch
from sep_trader.execution.listener import SignalListener
from sep_trader.execution.orders import TraderSettings
from sep_trader.execution.trader import Event, Trader
from sep_trader.market.instrument import parse_pair
from sep_trader.risk.limits import RiskLimits
from sep_trader.settings import Settings, load_settings
from sep_trader.states import TradingState
from sep_trader.store.database import Database
from sep_trader.store.locks import Lock
from sep_trader.store.queries import Row, queries

app = typer.Typer(no_args_is_help=True, help="Execute the signals of enabled pairs on the broker.")

_LONGEST_WAIT_S = 30.0


@app.command()
def run(
    poll: Annotated[
        float, typer.Option("--poll", min=0.05, help="Seconds between looks behind the notifications.")
    ] = 2.0,
) -> None:
    """Trade until stopped. Reconciles with the broker first, and again after every loss of the database."""
    settings = load_settings()
    _log_to_stderr(settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    wait = 1.0

    def healthy() -> None:
        nonlocal wait
        wait = 1.0

    while not stopping.is_set():
        try:
            with open_database(settings) as database:
                _run_until_restart(settings, database, poll, stopping.is_set, healthy)
        except SepError as error:
            if not error.retryable:
                raise
            render.errors.print(f"sep: {error}; starting again in {wait:.0f} s")
            stopping.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)


def _run_until_restart(
    settings: Settings, database: Database, poll: float, stopped: Callable[[], bool], healthy: Callable[[], None]
) -> None:
    """Reconcile and trade until stopped, or until an error demands a restart; a lock keeps a second trader out."""
    with database.session() as lock, open_broker(settings) as broker:
        taken = lock.execute("SELECT pg_try_advisory_lock(%s) AS ok", (Lock.TRADER,)).fetchone()
        if taken is None or not taken["ok"]:
            raise InputError("another trader runs on this database", "stop it first: two would double every order")
        trader = Trader(database, broker, trader_settings(settings, poll))
        trader.start()
        healthy()
        events: queue.Queue[Event] = queue.Queue()
        with database.transaction() as connection:
            pairs = [row["pair"] for row in queries.many(connection, "active_pairs", Row)]
        listener, feed = SignalListener(database, events), broker.event_feed(pairs, trader.journal.last_id, events)
        listener.start()
        feed.start()
        render.errors.print(
            f"sep: trading {', '.join(pairs) or 'no pair (none is enabled)'} on account {broker.account_id}"
        )
        try:
            trader.run(events, stopped)
        finally:
            feed.stop()
            listener.stop()


def trader_settings(settings: Settings, poll: float) -> TraderSettings:
    """The daemon's settings out of the system's."""
    limits = RiskLimits(
        risk_per_trade=settings.risk_per_trade,
        max_open_trades=settings.max_open_trades,
        max_daily_loss=settings.max_daily_loss,
        max_spread_pips=settings.max_spread_pips,
        price_max_age_s=settings.price_max_age_s,
    )
    return TraderSettings(
        environment=settings.oanda_environment.value, live_allowed=settings.live_trading, limits=limits, poll_s=poll
    )


@app.command()
def state(
    to: Annotated[
        str | None, typer.Argument(help="active, reducing or halted; nothing shows the present state.")
    ] = None,
    by: By = None,
    reason: Why = None,
    json: Json = False,
) -> None:
    """Show or turn the switch: active trades, reducing only closes, halted sends no order. It stays as it is set."""
    with open_database(load_settings()) as database, database.transaction() as connection:
        if to is not None:
            switch.turn(connection, _wanted_state(to), by=by, why=reason)
        now = switch.read(connection)
    if json:
        render.print_json(asdict(now))
    else:
        since = render.shown(now.changed_at)
        render.console.print(f"Trading is [bold]{now.state}[/] since {since}: {now.reason} (by {now.changed_by})")


def _wanted_state(text: str) -> TradingState:
    try:
        return TradingState(text.upper())
    except ValueError:
        raise InputError(f"unknown trading state '{text}'", "active, reducing or halted") from None


@app.command()
def changes(
    pair: Annotated[str | None, typer.Option("--pair", help="Only this pair's right to trade.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 50,
    json: Json = False,
) -> None:
    """Show who turned the switch, enabled, overrode or disabled, when and why; newest first."""
    name = parse_pair(pair) if pair else None
    with open_database(load_settings()) as database, database.transaction() as connection:
        found = queries.many(connection, "control_changes", Row, pair=name, limit=limit)
    if json:
        render.print_json({"changes": found})
        return
    rows = (
        (c["changed_at"], c["pair"] or "switch", f"{c['before']} -> {c['after']}", c["changed_by"], c["reason"])
        for c in found
    )
    render.print_table("Changes", ["When (UTC)", "What", "Change", "By", "Why"], rows, empty="none yet")


@app.command()
def trades(
    limit: Annotated[int, typer.Option("--limit", min=1)] = 50,
    json: Json = False,
) -> None:
    """Show open and closed trades."""
    with open_database(load_settings()) as database, database.transaction() as connection:
        open_now, closed = (
            queries.many(connection, "open_trades", Row),
            queries.many(connection, "closed_trades", Row, limit=limit),
        )
    if json:
        render.print_json({"open": open_now, "closed": closed})
        return
    columns = ["Id>", "Pair", "Side", "Units>", "Status", "Entry (UTC)", "Price>", "Stop>", "Target>", "Horizon (UTC)"]
    keys = (
        "id",
        "pair",
        "side",
        "units",
        "status",
        "entry_time",
        "entry_price",
        "stop_price",
        "target_price",
        "horizon_at",
    )
    render.print_table("Open trades", columns, ([t[k] for k in keys] for t in open_now), empty="none")
    show_closed(closed)


def show_closed(closed: list[dict[str, Any]]) -> None:
    """Print closed trades as a table."""
    columns = ["Pair", "Side", "Units>", "Entry (UTC)", "Price>", "Exit", "Price>", "Exit by", "Net P&L>"]
    rows = ((*(_cells(t)), render.signed(t["net_pl"])) for t in closed)
    render.print_table("Closed trades", columns, rows, empty="none", tight=True)


def _cells(trade: dict[str, Any]) -> tuple[str, ...]:
    entry, exit_ = trade["entry_time"], trade["exit_time"]
    return (
        trade["pair"],
        trade["side"],
        f"{abs(trade['units']):,.0f}",
        f"{entry:%m-%d %H:%M}",
        str(trade["entry_price"]),
        f"{exit_:%H:%M}" if entry.date() == exit_.date() else f"{exit_:%m-%d %H:%M}",
        str(trade["exit_price"]),
        trade["exit_reason"],
    )


def _log_to_stderr(level: str) -> None:
    import logging
    import sys

    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
