"""`sep doctor`: everything that must be right before trading, asked once, with the fix for each finding."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import database_url, open_broker
from sep_trader.errors import SepError
from sep_trader.program import run
from sep_trader.settings import OandaEnvironment, Settings, load_settings
from sep_trader.store.database import Connection, Database
from sep_trader.store.migrations import pending, require_current
from sep_trader.store.queries import Row, queries

if TYPE_CHECKING:
    from sep_trader.broker.port import Broker

app = typer.Typer()
FOUND = 1
_FULL = 0.9
_LEAST_FREE_GB = 2
_FILES = (".env", "OANDA.env")
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LARGE = 1e15
"""Candles x sets of a sweep that a card would be taken for."""
_EMBEDDED_FIX = "see SEP_HOME; sep --help"


@dataclass(frozen=True, slots=True)
class Check:
    """One question. fix: what to do where it is not ok, empty otherwise."""

    check: str
    ok: bool
    detail: str
    fix: str = ""


@app.command()
def doctor(json: Json = False) -> None:
    """Check settings, database, broker, clock, disk, ports, backups and more once; exit code 1 for a fault.

    Nothing is changed, and no order is sent.
    """
    found = list(_all())
    bad = [one for one in found if not one.ok]
    if json:
        render.print_json(found)
    else:
        for one in found:
            render.console.print(f"{'[green]ok   [/]' if one.ok else '[red]WRONG[/]'} {one.check}: {one.detail}")
            if not one.ok:
                render.console.print(f"      {one.fix}", style="yellow")
        render.console.print("Nothing is wrong." if not bad else f"{len(bad)} of {len(found)} checks found something.")
    if bad:
        raise typer.Exit(FOUND)


def _all() -> Iterator[Check]:
    try:
        settings = load_settings()
    except SepError as error:
        yield Check("settings", False, str(error), "mend what it names; .env.example lists every setting")
        return
    yield Check("settings", True, "all of them can be read; `sep config show` says where each comes from")
    yield from _permissions()
    yield from _database(settings)
    yield from _broker(settings)
    yield _clock()
    yield from _disk(settings)
    yield _port(settings)
    yield from _backups(settings)
    yield _card()


def _permissions() -> Iterator[Check]:
    """Files with a token are for their owner alone."""
    for name in _FILES:
        path = Path(name)
        if path.is_file():
            mode = stat.S_IMODE(path.stat().st_mode)
            private = not mode & _OPEN_TO_OTHERS
            yield Check(
                f"permissions of {name}", private, f"mode {mode:04o}", "" if private else f"chmod 600 {path.resolve()}"
            )


def _database(settings: Settings) -> Iterator[Check]:
    try:
        with Database(database_url(settings), max_size=1) as database:
            yield Check("database", True, "answers")
            due = pending(database)
            behind = f"{len(due)} behind: {', '.join(m.name for m in due[:3])}"
            yield Check(
                "migrations", not due, behind if due else "all of them ran", "" if not due else "sep db migrate"
            )
            if not due:
                require_current(database)
                with database.transaction() as connection:
                    yield from _inside(connection)
    except SepError as error:
        fix = "is the server running? see SEP_DATABASE_URL" if settings.database_url else _EMBEDDED_FIX
        yield Check("database", False, str(error), fix)


def _inside(connection: Connection) -> Iterator[Check]:
    info = queries.only(connection, "database_info", Row)
    extension = info["timescaledb"]
    yield Check("extension", True, f"TimescaleDB {extension}" if extension else "no TimescaleDB: plain tables are used")
    state = queries.only(connection, "trading_state", Row)
    yield Check("switch", True, f"{state['state']}: {state['reason']} (by {state['changed_by']})")


def _clock() -> Check:
    """Whether this machine's clock is kept right. Where nobody can tell, that is said."""
    try:
        done = run(
            ["timedatectl", "show", "-p", "NTPSynchronized", "--value"], install="systemd", check=False, timeout_s=5
        )
    except (SepError, OSError, subprocess.TimeoutExpired):
        return Check("clock", True, "cannot be told here: no timedatectl; the trader compares it with the broker's")
    told = done.output.decode().strip()
    if told not in ("yes", "no"):
        return Check(
            "clock", True, "cannot be told here: timedatectl does not answer; the trader compares it with the broker's"
        )
    good = told == "yes"
    return Check(
        "clock", good, "synchronised" if good else "not synchronised", "" if good else "timedatectl set-ntp true"
    )


def _broker(settings: Settings) -> Iterator[Check]:
    kind = settings.oanda_environment
    serves = "OANDA's API serves accounts of its divisions with v20 access; the app's token page makes the token"
    if settings.oanda_api_key is None or settings.oanda_account_id is None:
        yield Check(
            "broker token", False, "no token or account is set", f"OANDA_API_KEY and OANDA_ACCOUNT_ID; {serves}"
        )
        return
    try:
        with open_broker(settings) as broker:
            yield from _account(settings, broker)
    except SepError as error:
        where = settings.oanda_api_url if kind is OandaEnvironment.CUSTOM else f"OANDA {kind}"
        yield Check("broker", False, f"{where}: {error}", f"token and OANDA_ENVIRONMENT belong together; {serves}")


def _account(settings: Settings, broker: "Broker") -> Iterator[Check]:
    summary = broker.summary()
    told = f"{summary.account_id} at {settings.oanda_environment}, {summary.balance} {summary.currency}"
    yield Check("broker", True, told)
    cannot = broker.untradeable()
    yield Check("account", cannot is None, cannot or "can be traded", "" if cannot is None else "use a v20 account")
    if settings.oanda_environment is OandaEnvironment.LIVE:
        on = settings.live_trading
        yield Check("live trading", on, "allowed" if on else "the account is live, and SEP_LIVE_TRADING is not set",
                    "" if on else "SEP_LIVE_TRADING=true, if you mean it; else OANDA_ENVIRONMENT=practice")  # fmt: skip


def _disk(settings: Settings) -> Iterator[Check]:
    places = {"/": Path("/"), "data": settings.data_folder}
    for name, place in places.items():
        there = next(one for one in (place, *place.absolute().parents) if one.exists())
        use = shutil.disk_usage(there)
        good = use.used / use.total < _FULL and use.free > _LEAST_FREE_GB * 1e9
        told = f"{use.used / use.total:.0%} of {there} used, {use.free / 1e9:.1f} GB free"
        yield Check(f"disk {name}", good, told, "" if good else "make room; sep storage says what takes it")


def _port(settings: Settings) -> Check:
    """The API's port is free, or something of ours answers there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.api_host, settings.api_port)) == 0
    where = f"{settings.api_host}:{settings.api_port}"
    return Check("port", True, f"{where} {'answers' if taken else 'is free for sep serve'}")


def _backups(settings: Settings) -> Iterator[Check]:
    from sep_trader.ops.backup import list_backups
    from sep_trader.ops.health import of_backups

    if settings.backup_dir is None:
        yield Check("backups", True, "SEP_BACKUP_DIR is not set: this machine makes none by itself")
        return
    try:
        for one in of_backups(list_backups(settings.backup_dir), datetime.now(UTC)):
            yield Check(one.alert, one.ok, one.detail, "" if one.ok else "sep backup create; sep backup verify")
    except SepError as error:
        yield Check("backup", False, str(error), "see SEP_BACKUP_DIR")


def _card() -> Check:
    """A card is never needed."""
    if find_spec("numba") is None:
        return Check("card", True, "numba is not installed: no training here (pip install 'sep-trader[research]')")
    from sep_trader.research.sweep import on_gpu

    used = on_gpu("auto", _LARGE)
    return Check("card", True, "an NVIDIA card is used for large sweeps" if used else f"none; {os.cpu_count()} cores")
