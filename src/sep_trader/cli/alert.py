"""`sep alert`: who is told when something is wrong, and the proof that the message arrives."""

import contextlib
import socket
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url, open_database, questions_of
from sep_trader.errors import InputError, SepError
from sep_trader.ops.alerts import Notifier
from sep_trader.ops.finding import Severity
from sep_trader.ops.watcher import Watcher
from sep_trader.program import run
from sep_trader.settings import Settings, load_settings
from sep_trader.states import RequestKind
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sep_trader.ops.telegram import Bot
    from sep_trader.store.database import Connection

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

    An alarm is told once, again every six hours while it lasts, and when it is over. A Telegram bot, where one is set,
    answers /status, /open, /daily and /halt.
    """
    settings = load_settings()
    watcher = Watcher(
        lambda: Database(database_url(settings), max_size=1),
        notifier_of(settings),
        questions_of(settings),
        socket.gethostname(),
    )
    bot = _bot(settings)
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
        if bot is not None:
            _converse(bot, mono)
        if once:
            return
        time.sleep(poll)


def _bot(settings: Settings) -> "Bot | None":
    """The Telegram bot of the settings. Raises InputError for a token without chats: anybody could ask it."""
    if settings.telegram_token is None:
        return None
    if not settings.telegram_chats:
        raise InputError("SEP_TELEGRAM_TOKEN without SEP_TELEGRAM_CHATS", "the chats that it obeys: [12345678]")
    from sep_trader.ops import told
    from sep_trader.ops.telegram import Bot

    def asked(answer: "Callable[[Connection], str]") -> str:
        try:
            with Database(database_url(settings), max_size=1) as database, database.transaction() as connection:
                return answer(connection)
        except SepError as error:
            return f"I cannot tell: {error}"

    answers = {
        "status": lambda: asked(lambda c: told.overview(c, datetime.now(UTC))),
        "open": lambda: asked(told.open_trades),
        "daily": lambda: asked(lambda c: told.day(c, datetime.now(UTC))),
    }
    token = settings.telegram_token.get_secret_value()
    return Bot(settings.telegram_url, token, frozenset(settings.telegram_chats), answers, partial(_halt, settings))


def _halt(settings: Settings, by: str) -> str:
    """Ask the trader to halt, and wait for its answer."""
    from sep_trader.execution.asking import ask_and_wait

    try:
        with Database(database_url(settings), max_size=1) as database:
            return ask_and_wait(database, RequestKind.HALT, by=by, why="asked by Telegram").text
    except SepError as error:
        return f"NOT halted: {error}"


def _converse(bot: "Bot", mono: float) -> None:
    """Let the bot answer; one that Telegram does not serve now is served at the next look."""
    try:
        bot.poll(mono)
    except httpx.HTTPError as error:
        render.errors.print(f"telegram: {error}", markup=False)


@app.command()
def unit(name: Annotated[str, typer.Argument(help="The unit that failed, as sep-backup.service.")]) -> None:
    """Tell that a unit of this machine failed, with its last words. systemd calls it; no database is asked."""
    words = run(["journalctl", "-q", "--no-pager", "-o", "cat", "-n", "15", "-u", name], install="systemd", check=False)
    text = words.output.decode(errors="replace").strip() or "its journal cannot be read"
    _say(f"{name} failed", text, Severity.CRITICAL)


@app.command()
def say(
    title: Annotated[str, typer.Argument(help="What happened, in a line.")],
    text: Annotated[str, typer.Argument(help="More of it.")] = "",
    severity: Annotated[Severity, typer.Option("--severity", help="info, warning or critical.")] = Severity.WARNING,
) -> None:
    """Send a message of your own to every target: for scripts."""
    _say(title, text, severity)


def _say(title: str, text: str, severity: Severity) -> None:
    notifier = notifier_of(load_settings())
    if not notifier.send(f"[{severity.upper()}] {socket.gethostname()} {title}", text or title, severity):
        raise typer.Exit(FOUND)


@app.command()
def daily() -> None:
    """Send the summary of the broker's day."""
    from sep_trader.ops import told

    settings, now = load_settings(), datetime.now(UTC)
    with open_database(settings) as database, database.transaction() as connection:
        net = queries.only(connection, "day_summary", Row, now=now)["net_pl"]
        text = told.day(connection, now)
    title = f"[INFO] {socket.gethostname()} today: net {net:+,.2f}"
    if not notifier_of(settings).send(title, text, Severity.INFO):
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
