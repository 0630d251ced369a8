"""`sep storage`: how the volume is used, and what a plan of pairs and years will need."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.market.gaps import expected_count
from sep_trader.market.granularity import Granularity
from sep_trader.settings import Settings, load_settings
from sep_trader.store import rollups
from sep_trader.store.database import Connection, Database
from sep_trader.store.storage import DEFAULT_BUDGETS_GB, GB, Area, Usage, measure

app = typer.Typer(invoke_without_command=True, help="The volume: areas, budgets, growth, days to full.")
# Heap and key as measured by benchmarks/store.py: in full daily chunks, and in chunks of 30 days.
BYTES_PER_CANDLE = 118
BYTES_PER_ROLLUP = 130
_YEAR = (1_704_067_200, 1_735_689_600)


@app.callback()
def storage(context: typer.Context, json: Json = False) -> None:
    """Show each area with bytes used, budget, growth a day and days to full."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    with open_database(settings) as database:
        usage = measured(database, settings)
    if json:
        render.print_json(usage.as_dict())
        return
    names = ["Area", "Used>", "Budget>", "Share>", "Growth a day>", "Days to full>", ""]
    render.print_table("Storage", names, [_row(area) for area in (*usage.areas, usage.total)])
    if usage.bytes_per_candle is not None:
        render.console.print(f"A candle takes {usage.bytes_per_candle:.1f} bytes, key included.")


@app.command()
def plan(
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs.")],
    granularities: Annotated[str, typer.Option(help="Comma-separated, like M1,H1.")],
    years: Annotated[float, typer.Option(min=0.01, help="Years of candles.")],
    json: Json = False,
) -> None:
    """Say what candles will need, before they come; with M1, also the longer ones made of them."""
    budget = {**DEFAULT_BUDGETS_GB, **load_settings().storage_budget_gb}["candles"] * GB
    lengths = [Granularity.parse(part.strip()) for part in granularities.split(",") if part.strip()]
    if not lengths:
        raise InputError("no granularity given", "like --granularities M1")
    rows = []
    for length in lengths:
        candles = round(expected_count(*_YEAR, length) * years * pairs)
        rows.append({"granularity": length.value, "candles": candles, "bytes": candles * BYTES_PER_CANDLE})
    if Granularity.M1 in lengths:
        minutes = next(int(str(row["candles"])) for row in rows if row["granularity"] == "M1")
        made = round(sum(minutes * 60 / longer.seconds for longer in rollups.GRANULARITIES))
        rows.append({"granularity": "rollups", "candles": made, "bytes": made * BYTES_PER_ROLLUP})
    total = sum(int(str(row["bytes"])) for row in rows)
    share = total / budget
    if json:
        answer = {"pairs": pairs, "years": years, "granularities": rows, "bytes": total}
        render.print_json({**answer, "budget_bytes": int(budget), "share": round(share, 4), "fits": share < 1})
        return
    cells = [(r["granularity"], f"{r['candles']:,}", size(int(str(r["bytes"])))) for r in rows]
    render.print_table(f"{pairs} pairs, {years:g} years", ["Granularity", "Candles>", "Bytes>"], cells)
    verdict = "fits" if share < 1 else "does not fit"
    render.console.print(f"{size(total)} is {share:.0%} of the {size(int(budget))} for candles: it {verdict}.")


def measured(database: Database, settings: Settings) -> Usage:
    """Measure the volume of this machine."""
    with database.transaction() as connection:
        return measure_on(connection, settings)


def measure_on(connection: Connection, settings: Settings) -> Usage:
    """`measured`, on a connection that is there."""
    return measure(connection, settings.storage_budget_gb, folders(settings), datetime.now(UTC).date())


def folders(settings: Settings) -> Mapping[str, Path]:
    """Where the areas outside the database lie."""
    return {"raw_cache": settings.data_folder / "raw_cache", "backups": settings.backup_folder}


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _row(area: Area) -> tuple[str, ...]:
    growth = "-" if area.growth is None else size(area.growth)
    days = "-" if area.days_to_full is None else f"{area.days_to_full:,.0f}"
    mark = "" if area.level == "ok" else area.level
    return area.name, size(area.used), size(area.budget), f"{area.share:.1%}", growth, days, mark
