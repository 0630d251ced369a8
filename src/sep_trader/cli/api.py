"""`sep serve`: the HTTP API and the dashboard."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sep_trader.cli.config import shown_settings
from sep_trader.cli.storage import measure_on
from sep_trader.cli.wiring import open_database
from sep_trader.errors import SepError
from sep_trader.listening import listen
from sep_trader.settings import Settings, load_settings
from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import Row, queries

if TYPE_CHECKING:
    from sep_trader.api.parts import Parts

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on (default SEP_API_HOST).")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on (default SEP_API_PORT).")] = None,
) -> None:
    """Serve /api/status, /api/performance/daily and the dashboard until Ctrl-C."""
    import uvicorn

    from sep_trader.api.app import create_app
    from sep_trader.api.connections import most_files, server_options

    settings = load_settings()
    where = (host or settings.api_host, settings.api_port if port is None else port)
    listening = listen(*where)
    most_files()
    with open_database(settings) as database, _control(settings, database) as control:
        shown = f"[{where[0]}]" if ":" in where[0] else where[0]
        address = f"http://{shown}:{listening.getsockname()[1]}"
        typer.echo(f"sep: serving {address}/api/status, documentation at {address}/docs", err=True)
        config = uvicorn.Config(create_app(parts_of(settings, database, control, where[0])), **server_options())
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _control(settings: Settings, database: Database) -> Iterator[Database]:
    """The database as the role that may only ask; where none is set, as the one that reads."""
    if settings.control_database_url is None:
        yield database
        return
    with Database(settings.control_database_url.get_secret_value(), max_size=3, probe=False) as control:
        yield control


def parts_of(settings: Settings, database: Database, control: Database, host: str = "") -> "Parts":
    """What the API is made of, by the settings."""
    from sep_trader.api.parts import Limits, Parts
    from sep_trader.execution.asking import ask_and_wait
    from sep_trader.ops.backup import list_backups
    from sep_trader.ops.expected import NO_UNITS
    from sep_trader.ops.running import of_tables

    def ask(kind: RequestKind, **what: Any) -> tuple[int, RequestStatus, str]:
        reply = ask_and_wait(control, kind, **what)
        return reply.request_id, reply.status, reply.text

    def findings(connection: Connection, now: datetime) -> list[dict[str, Any]]:
        found = [
            {"alert": one.alert, "ok": one.ok, "detail": one.detail}
            for one in of_tables(connection, now, NO_UNITS, settings.signal_silence_h)
        ]
        # What the watcher sees of the machine, its backups among it, and this process may not look at.
        known = {one["alert"] for one in found}
        told = queries.many(connection, "alert_states", Row)
        return found + [
            {"alert": one["alarm"], "ok": False, "detail": one["detail"]} for one in told if one["alarm"] not in known
        ]

    def backups() -> list[dict[str, Any]] | None:
        if settings.backup_dir is None:
            return None
        try:
            return [
                {
                    "name": b.name,
                    "created_at": b.created_at,
                    "bytes": b.bytes,
                    "verified_at": b.verified_at,
                    "fault": b.fault,
                }
                for b in list_backups(settings.backup_dir)
            ]
        except (OSError, SepError):
            return None

    shown = [
        {"name": one["setting"], "value": one["value"] or "-", "source": one["source"]}
        for one in shown_settings(settings)
    ]
    return Parts(
        database, lambda c: measure_on(c, settings), ask, findings, backups, settings_shown=shown,
        hosts=_hosts(settings, host), public_status=settings.api_public_status, secure=settings.api_secure,
        limits=Limits(known_per_s=settings.api_requests_per_s, known_burst=2 * int(settings.api_requests_per_s)),
    )  # fmt: skip


def _hosts(settings: Settings, host: str) -> frozenset[str]:
    """Names by which the API may be called: this machine's own, its address, and those of the settings."""
    own = {"localhost", "127.0.0.1", "[::1]", socket.gethostname().lower(), settings.api_host, host} - {""}
    return frozenset(own | {one.lower() for one in settings.api_hosts})
