"""`sep maintenance`: what a timer runs once a day."""

from datetime import UTC, datetime

import typer

from sep_trader.cli import render
from sep_trader.cli.data import raw_cache
from sep_trader.cli.options import Json
from sep_trader.cli.storage import measured
from sep_trader.cli.wiring import open_database
from sep_trader.errors import SepError
from sep_trader.ops.maintenance import maintain
from sep_trader.settings import load_settings

app = typer.Typer()


@app.command()
def maintenance(json: Json = False) -> None:
    """Apply retention and the storage budget, bring rollups up to date, and record how the areas grow."""
    settings = load_settings()
    with open_database(settings) as database:
        report = maintain(
            database,
            lambda: measured(database, settings),
            raw_cache(settings).trim,
            candle_days=settings.candle_retention_days,
            log_days=settings.log_retention_days,
            now=datetime.now(UTC),
        )
    if json:
        render.print_json(report.as_dict())
    else:
        done = f"dropped {report.candles_dropped:,} candles and {report.logs_dropped:,} log lines past their retention"
        rolled = f"made {report.rollups_made:,} longer candles of the M1 ones that changed"
        for line in (done, rolled, *report.made_room, *(f"warning: {text}" for text in report.warnings)):
            render.console.print(line)
    if report.full:
        raise SepError("the volume is at 95 % and nothing more may be dropped", "make it larger, or see: sep storage")
