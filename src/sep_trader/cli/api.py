"""`sep serve`: the HTTP API and the dashboard."""

from typing import Annotated

import typer

from sep_trader.cli.storage import measure_on
from sep_trader.cli.wiring import open_database
from sep_trader.listening import listen
from sep_trader.settings import load_settings

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on (default SEP_API_HOST).")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on (default SEP_API_PORT).")] = None,
) -> None:
    """Serve /api/status, /api/performance/daily and the dashboard until Ctrl-C."""
    import uvicorn

    from sep_trader.api.app import create_app

    settings = load_settings()
    where = (host or settings.api_host, settings.api_port if port is None else port)
    listening = listen(*where)
    with open_database(settings) as database:
        address = f"http://{where[0]}:{listening.getsockname()[1]}"
        typer.echo(f"sep: serving {address}/api/status, documentation at {address}/docs", err=True)
        config = uvicorn.Config(
            create_app(database, lambda c: measure_on(c, settings)), log_level="warning", access_log=False
        )
        uvicorn.Server(config).run(sockets=[listening])
