"""`sep alert`: who is told when something is wrong, and the proof that the message arrives."""

import contextlib
import socket
import time
from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url, open_database
from sep_trader.errors import InputError
from sep_trader.ops.alarms import Severity, seen_accounts
from sep_trader.ops.alerts import Notifier
from sep_trader.ops.watcher import Watcher
from sep_trader.settings import Settings, load_settings
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

app = typer.Typer(no_args_is_help=True, help="Tell somebody when something is wrong.")
FOUND = 1
_PING_S = 60.0


@app.command()
def test(json: Json = False) -> None:
    """Send a message to every target, now. Exit code 1 where it does not arrive."""
    notifier = notifier_of(load_settings())
    reached = notifier.send(
        f"[INFO] {socket.gethostname()} test", "sep alert test: this message arrives.", Severity.INFO
    )
    if json:
        render.print_json({"reached": reached})
    else:
        render.console.print("Every target took the message." if reached else "A target did not take the message.")
    if not reached:
        raise typer.Exit(FOUND)


@app.command()
def watch(
    poll: Annotated[float, typer.Option("--poll", min=0.1, help="Seconds between looks at switch and log.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
) -> None:
    """Look at the switch, the log and the health of everything, and tell what is new; ping the dead-man's switch.

    An alarm is told once, again every six hours while it lasts, and when it is over.
    """
    settings = load_settings()
    watcher = Watcher(
        lambda: Database(database_url(settings), max_size=1),
        notifier_of(settings),
        settings.backup_dir,
        settings.data_dir,
        socket.gethostname(),
    )
    pinged = float("-inf")
    while True:
        mono = time.monotonic()
        told = watcher.look(mono, datetime.now(UTC))
        for title in told.arrived:
            render.errors.print(f"told: {title}", markup=False)
        for title in told.failed:
            render.errors.print(f"not told, tried again: {title}", markup=False)
        if settings.deadman_url is not None and mono - pinged >= _PING_S:
            pinged = mono
            _ping(settings.deadman_url.get_secret_value())
        if once:
            return
        time.sleep(poll)


@app.command()
def daily() -> None:
    """Send the summary of the broker's day."""
    settings = load_settings()
    with open_database(settings) as database, database.transaction() as connection:
        day = queries.one(connection, "day_summary", Row, now=datetime.now(UTC)) or {}
        accounts = seen_accounts(connection)
        state = queries.only(connection, "trading_state", Row)
    told = [
        f"{day['trades']} trades closed, net {day['net_pl']:+,.2f}; {day['open_trades']} open; {day['signals']} signals"
    ]
    told += [f"account {a.account_id}: NAV {a.nav:,.2f}, today {a.day_pl:+,.2f}" for a in accounts]
    told.append(f"trading is {state['state']}")
    title = f"[INFO] {socket.gethostname()} today: net {day['net_pl']:+,.2f}"
    if not notifier_of(settings).send(title, "\n".join(told), Severity.INFO):
        raise typer.Exit(FOUND)


def notifier_of(settings: Settings) -> Notifier:
    """The targets of the settings. Raises InputError where there is none."""
    from sep_trader.ops.notify import AppriseNotifier

    if settings.alert_urls is None:
        raise InputError(
            "nobody would be told: SEP_ALERT_URLS is not set", "mailto://USER:PASSWORD@HOST, tgram://..., ntfy://..."
        )
    return AppriseNotifier(settings.alert_urls.get_secret_value().replace(",", " ").split())


def _ping(url: str) -> None:
    """Tell the dead-man's switch that this machine lives; it tells somebody when this stops."""
    with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
        httpx.get(url, timeout=5)
