"""`sep data`: candles in, what is there, what is missing."""

from pathlib import Path
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError, RowsRefused
from sep_trader.history import generic_csv
from sep_trader.history.job import FORMATS, FileReport, ImportReport, find, import_path
from sep_trader.market.granularity import Granularity
from sep_trader.settings import load_settings
from sep_trader.store.candles import Corrections

app = typer.Typer(no_args_is_help=True, help="Market history: import, download, status, gaps, repair.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]


def corrections_mode(text: str) -> Corrections:
    """Read the value of --corrections."""
    if text == "report":
        return "report"
    if text == "apply":
        return "apply"
    raise InputError(f"--corrections is report or apply, not '{text}'")


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A file or a folder of files.")],
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))],
    instrument: Annotated[
        str | None, typer.Option("--instrument", "-i", help="Read from the names if left out.")
    ] = None,
    granularity: Annotated[
        str | None, typer.Option("--granularity", "-g", help="Read from the names if left out.")
    ] = None,
    corrections: Annotated[
        str, typer.Option(help="A candle that is stored with other values: report or apply.")
    ] = "report",
    columns: Annotated[str, typer.Option(help="For csv, our column names to the file's: time=Date,open=O,...")] = "",
    json: Json = False,
) -> None:
    """Load candle files. Rows that cannot be believed go to FILE.rejected.csv, and the exit code is 3."""
    mode = corrections_mode(corrections)
    length = Granularity.parse(granularity) if granularity else None
    mapping = generic_csv.parse_mapping(columns)
    find(path, format, instrument, length)  # a wrong path or format is told before a database is opened
    with open_database(load_settings()) as database, render.progress_bar() as bar:
        task = bar.add_task("importing", total=None)

        def show(done: int, total: int, report: FileReport | None) -> None:
            bar.update(task, completed=done, total=total)
            if report:
                bar.update(task, description=f"{report.instrument} {report.granularity} {report.path.name}")

        report = import_path(
            database, path, format, instrument, length, corrections=mode, columns=mapping, progress=show
        )
    _print_import(report, json)
    if report.refused:
        files = [str(f.rejected_file) for f in report.files if f.rejected_file]
        raise RowsRefused(f"{report.refused} rows were refused, the others are stored", f"see {', '.join(files[:3])}")


def _print_import(report: ImportReport, json: bool) -> None:
    if json:
        render.print_json(report.as_dict())
        return
    series = sorted({(f.instrument, f.granularity) for f in report.files})
    rows = []
    for instrument, granularity in series:
        files = [f for f in report.files if (f.instrument, f.granularity) == (instrument, granularity)]
        total = ImportReport(tuple(files))
        firsts, lasts = [f.first for f in files if f.first], [f.last for f in files if f.last]
        found = total.result
        rows.append(
            (instrument, granularity, len(files), found.inserted, found.duplicates, len(found.corrections), total.refused,
             min(firsts, default=None), max(lasts, default=None))
        )  # fmt: skip
    names = ["Pair", "Granularity", "Files>", "New>", "There already>", "Corrections>", "Refused>", "First", "Last"]
    render.print_table("Imported candles", names, rows)
