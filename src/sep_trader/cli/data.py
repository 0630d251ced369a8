"""`sep data`: candles in, what is there, what is missing."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sep_trader.cli import render
from sep_trader.cli.options import From, Json, To, known_pairs, moment, span
from sep_trader.cli.wiring import open_broker, open_database
from sep_trader.errors import InputError, RowsRefused
from sep_trader.history.cache import RawCache
from sep_trader.history.download import Download, DownloadReport, Page, gaps
from sep_trader.history.export import export
from sep_trader.history.formats import FORMATS, parse_mapping
from sep_trader.history.job import FileReport, ImportReport, find, import_found
from sep_trader.history.sniff import sniff
from sep_trader.history.source import ReadOptions
from sep_trader.history.zones import parse_zone
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import Gap
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import Settings, load_settings
from sep_trader.store import rollups
from sep_trader.store.candles import Corrections, Coverage, coverage, read_or_make
from sep_trader.store.storage import DEFAULT_BUDGETS_GB, GB

app = typer.Typer(no_args_is_help=True, help="Market history: import, download, status, gaps, repair.")

OnCorrection = Annotated[str, typer.Option(help="A candle that is stored with other values: report or apply.")]


def corrections_mode(text: str) -> Corrections:
    """Read the value of --corrections."""
    if text == "report":
        return "report"
    if text == "apply":
        return "apply"
    raise InputError(f"--corrections is report or apply, not '{text}'")


Format_ = Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))]
Instrument = Annotated[str | None, typer.Option("--pair", "-i", help="Read from the names if left out.")]
Scale = Annotated[float, typer.Option("--price-scale", help="Divide every price by this, 100000 for points.")]


@app.command("import")
def import_(
    path: Annotated[Path | None, typer.Argument(help="A file or a folder of files.")] = None,
    format: Format_ = "auto",
    instrument: Instrument = None,
    granularity: Annotated[
        str | None, typer.Option("--granularity", "-g", help="Read from the names if left out.")
    ] = None,
    bid: Annotated[Path | None, typer.Option("--bid", help="The file of the bid side, with --ask.")] = None,
    ask: Annotated[Path | None, typer.Option("--ask", help="The file of the ask side, with --bid.")] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="Of times without one: UTC, +02:00, Europe/Athens, ny+7.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option("--time-format", help="Such as '%d/%m/%Y %H:%M', or s, ms, us, ns since 1970.")
    ] = None,
    price_scale: Scale = 1.0,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="A character, or tab, comma, semicolon.")] = None,
    decimal: Annotated[str | None, typer.Option("--decimal", help="The decimal sign: . or ,")] = None,
    columns: Annotated[
        str, typer.Option("--columns", help="Our column names to the file's: time=Date,open=O; volume= leaves one out.")
    ] = "",
    crossed_pips: Annotated[
        float, typer.Option("--crossed-pips", min=0.0, help="Ask this far below bid is stored with spread 0.")
    ] = 2.0,
    corrections: OnCorrection = "report",
    force: Annotated[
        str | None, typer.Option("--force", help="Store a file that contradicts its label; the reason is recorded.")
    ] = None,
    json: Json = False,
) -> None:
    """Load candle files. Rows that cannot be believed go to FILE.rejected.csv, and the exit code is 3."""
    first = _first_file(path, bid, ask)
    mode = corrections_mode(corrections)
    if force is not None and not force.strip():
        raise InputError("--force needs a reason", "it is recorded with the candles")
    if not 0.0 < price_scale < float("inf"):
        raise InputError(f"--price-scale {price_scale} is not above 0")
    length = Granularity.parse(granularity) if granularity else None
    zone = parse_zone(timezone) if timezone else None
    options = ReadOptions(parse_mapping(columns), zone, time_format, price_scale, delimiter, decimal, crossed_pips)
    # A wrong path is told before a database is opened.
    found = find(first, format, instrument, length, ask=ask, options=options)
    with open_database(load_settings()) as database, render.progress_bar() as bar:
        task = bar.add_task("importing", total=None)

        def show(done: int, total: int, report: FileReport | None) -> None:
            bar.update(task, completed=done, total=total)
            if report:
                bar.update(task, description=f"{report.instrument} {report.granularity} {report.path.name}")

        report = import_found(database, found, corrections=mode, force=force, progress=show)
    _print_import(report, json)
    _raise_refused(report)


def _first_file(path: Path | None, bid: Path | None, ask: Path | None) -> Path:
    """The file or folder to import, or the bid side's file. Raises InputError for both, and for one side alone."""
    if (bid is None) != (ask is None) or (path is None) == (bid is None):
        raise InputError("name a file or folder, or both sides with --bid FILE --ask FILE")
    first = bid or path
    assert first is not None  # noqa: S101 - one of them is, says the check above
    return first


def _raise_refused(report: ImportReport) -> None:
    """Raise RowsRefused where a file or a row was not stored."""
    if report.failed:
        more = f" and {report.refused} rows" if report.refused else ""
        files = f"{len(report.failed)} file{'s' * (len(report.failed) != 1)}"
        raise RowsRefused(f"{files}{more} were refused, the others are stored", "see the list above")
    if report.refused:
        lists = [str(f.rejected_file) for f in report.files if f.rejected_file]
        raise RowsRefused(f"{report.refused} rows were refused, the others are stored", f"see {', '.join(lists[:3])}")


@app.command("sniff")
def sniff_(file: Annotated[Path, typer.Argument(help="A candle file.")], json: Json = False) -> None:
    """Say what a candle file looks like, and the command that imports it."""
    found = sniff(file)
    if json:
        render.print_json(found.as_dict())
        return
    shown = found.as_dict()
    names = ("format", "instrument", "granularity", "timezone", "side", "delimiter", "rows", "first", "last")
    rows = [(name, "tab" if shown[name] == "\t" else _unknown(shown[name])) for name in names]
    render.print_table(str(file), ["What", "Seen"], rows, tight=True)
    for sentence in found.evidence:
        render.console.print(sentence)
    render.console.print("Import it with:")
    render.console.print(f"  {found.command}", markup=False, highlight=False, soft_wrap=True)


def _unknown(value: object) -> object:
    return "not said" if value is None else value


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
            (f"{instrument} {granularity}", _day(min(firsts, default=None)), _day(max(lasts, default=None)),
             found.inserted, found.duplicates, len(found.corrections), total.refused, total.left_out)
        )  # fmt: skip
    names = ["Series", "First", "Last", "New>", "Known>", "Differ>", "Refused>", "Left out>"]
    count = len(report.files)
    render.print_table(f"Imported candles of {count} file{'s' * (count != 1)}", names, rows, tight=True)
    for file in report.files:
        for sentence in _told(file):
            render.console.print(f"{file.path.name}: {sentence}")
    for failed in report.failed:
        render.console.print(f"[yellow]not stored[/] {failed.reason}")


def _told(file: FileReport) -> list[str]:
    """What a person must know of a file beyond its counts."""
    told = list(file.notes)
    if file.left_out:
        told.append(f"{file.left_out} rows are no candles and were left out: {file.left_out_file}")
    if file.crossed:
        told.append(f"{file.crossed} quotes had the ask below the bid and are stored with spread 0")
    if file.without_spread:
        told.append(
            f"{file.without_spread} candles have no spread: training on them is NOT READY unless one is declared "
            "(--spread-pips)"
        )
    return told


def _day(when: datetime | None) -> str:
    return "-" if when is None else f"{when:%Y-%m-%d}"


def _minute(when: datetime | None) -> str:
    return "-" if when is None else f"{when:%Y-%m-%d %H:%M}"


Pairs = Annotated[
    list[str],
    typer.Option("--pair", "-p", help="As EUR_USD; repeatable, or several between commas.", autocompletion=known_pairs),
]
Length = Annotated[str, typer.Option("--granularity", "-g", help="Candle length.")]


@app.command()
def download(
    pairs: Pairs,
    start: Annotated[str, typer.Option("--from", help="RFC 3339 time or date.")],
    granularity: Length = "M1",
    end: To = None,
    corrections: OnCorrection = "report",
    json: Json = False,
) -> None:
    """Fetch candles from the broker. What was fetched before is not fetched again: run it again to go on."""
    settings, length, mode = load_settings(), Granularity.parse(granularity), corrections_mode(corrections)
    names = _pairs(pairs)
    begin, stop = moment(start), span(start, end)[1] or int(time.time())
    if stop <= begin:
        raise InputError(f"--from {start} lies in the future", "candles are fetched up to now")
    with open_database(settings) as database, open_broker(settings) as broker, _rate_bar() as bar:
        tasks = {name: bar.add_task(f"{name} {length}", total=stop - begin, candles=0, rate=0.0) for name in names}
        shown, began = dict.fromkeys(names, 0), time.monotonic()

        def show(page: Page) -> None:
            shown[page.instrument] += page.result.inserted + page.result.duplicates
            rate = sum(shown.values()) / (time.monotonic() - began)
            task, count = tasks[page.instrument], shown[page.instrument]
            bar.update(task, completed=page.through - begin, candles=count, rate=rate)

        job = Download(database, broker, length, raw_cache(settings), mode)
        report = job.run(names, begin, stop, show)
    _print_download(report, json)


@app.command()
def status(json: Json = False) -> None:
    """What is stored, per pair and granularity: first, last, count, and what the calendar misses."""
    with open_database(load_settings()) as database, render.progress_bar() as bar:
        task = bar.add_task("counting candles", total=None, visible=False)

        def show(name: str, done: int, total: int) -> None:
            bar.update(task, description=f"counting {name}", completed=done, total=total, visible=True)

        rows = [_covered(one) for one in coverage(database, show)]
    if json:
        render.print_json(rows)
        return
    names = ["Series", "First", "Last", "Candles>", "Gaps>", "Missing>", "Not asked>"]
    cells = (
        (
            f"{r['instrument']} {r['granularity']}",
            _minute(r["first"]),
            _minute(r["last"]),
            r["candles"],
            r["gaps"],
            r["missing"],
            r["unasked"],
        )
        for r in rows
    )
    render.print_table("Candles", names, cells, empty="no candles yet: sep data import, sep data download", tight=True)


@app.command("gaps")
def gaps_(
    pair: Annotated[str, typer.Option("--pair", "-i", help="As EUR_USD.", autocompletion=known_pairs)],
    granularity: Length = "M1",
    start: From = None,
    end: To = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those the broker was asked for and does not have.")] = False,
    json: Json = False,
) -> None:
    """Missing candles by the session calendar: weekends, the daily break and holidays are none."""
    name, length, within = parse_pair(pair), Granularity.parse(granularity), span(start, end)
    with open_database(load_settings()) as database:
        found = gaps(database, name, length, *within)
    chosen = [gap for gap in found if all_ or not gap.asked]
    if json:
        render.print_json([_gap(gap) for gap in chosen])
        return
    cells = ((from_epoch(g.start), from_epoch(g.end), g.missing, g.asked) for g in chosen)
    title = f"Gaps of {name} {length}: {sum(g.missing for g in chosen)} candles missing"
    render.print_table(title, ["From", "To", "Missing>", "Broker was asked"], cells, empty="none")


@app.command()
def repair(pairs: Pairs, granularity: Length = "M1", start: From = None, end: To = None, json: Json = False) -> None:
    """Ask the broker for the candles of every gap. What it does not have stays missing: nothing is invented."""
    settings, length, within = load_settings(), Granularity.parse(granularity), span(start, end)
    report = DownloadReport()
    with open_database(settings) as database, open_broker(settings) as broker, render.progress_bar() as bar:
        job = Download(database, broker, length, raw_cache(settings))
        for name in _pairs(pairs):
            found = gaps(database, name, length, *within)
            wanted = [gap for gap in found if not gap.asked]
            task = bar.add_task(f"{name} {length}", total=len(wanted))
            part = job.repair(name, wanted, lambda page, task=task: bar.advance(task))  # type: ignore[misc]
            report.merge(part)
    _print_download(report, json)


@app.command("export")
def export_(
    target: Annotated[Path, typer.Argument(help="A file for csv and parquet, a folder for lean.")],
    instrument: Annotated[str, typer.Option("--pair", "-i", help="As EUR_USD.", autocompletion=known_pairs)],
    granularity: Length = "M1",
    format: Annotated[str, typer.Option("--format", "-f", help="csv, parquet or lean.")] = "csv",
    start: From = None,
    end: To = None,
    json: Json = False,
) -> None:
    """Write stored candles to files that other programs read."""
    name, length = parse_pair(instrument), Granularity.parse(granularity)
    within = span(start, end)
    with open_database(load_settings()) as database:
        found = read_or_make(database, name, length, *within)
    written = export(found, target, format)
    if json:
        render.print_json({"candles": written.candles, "files": [str(file) for file in written.files]})
        return
    count = len(written.files)
    render.console.print(f"wrote {written.candles:,} candles to {count} file{'s' * (count != 1)}: {target}")


@app.command()
def rollup(
    all_: Annotated[bool, typer.Option("--all", help="Make all again, such as after candles were changed by hand.")] = (
        False
    ),
    json: Json = False,
) -> None:
    """Bring the M5 to D candles made of stored M1 ones up to date (v_candle_rollups), as the daily maintenance does."""
    with open_database(load_settings()) as database:
        made = rollups.refresh(database, everything=all_)
    if json:
        render.print_json({"made": made})
        return
    render.console.print(f"made {made:,} longer candles of the M1 ones that changed")


def _rate_bar() -> Progress:
    """A progress bar with candles, rate and time left; silent when stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[candles]:,} candles"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=render.errors,
        disable=not render.errors.is_terminal,
    )


def raw_cache(settings: Settings) -> RawCache:
    """The raw cache of this machine, with its budget."""
    budgets = {**DEFAULT_BUDGETS_GB, **settings.storage_budget_gb}
    return RawCache(settings.data_folder / "raw_cache", int(budgets["raw_cache"] * GB))


def _pairs(given: list[str]) -> list[str]:
    names = [parse_pair(part) for text in given for part in text.split(",") if part.strip()]
    if not names:
        raise InputError("no pair given", "like --pair EUR_USD --pair USD_JPY")
    return list(dict.fromkeys(names))


def _covered(one: Coverage) -> dict[str, Any]:
    """A series as `sep data status` shows it."""
    return {
        "instrument": one.instrument,
        "granularity": one.granularity.value,
        "first": one.first,
        "last": one.last,
        "candles": one.candles,
        "expected": one.expected,
        "gaps": one.gaps,
        "missing": one.missing,
        "unasked": one.unasked,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "from": datetime.fromtimestamp(gap.start, UTC),
        "to": datetime.fromtimestamp(gap.end, UTC),
        "missing": gap.missing,
        "asked": gap.asked,
    }


def _print_download(report: DownloadReport, json: bool) -> None:
    pairs = [
        {
            "instrument": name,
            "inserted": result.inserted,
            "duplicates": result.duplicates,
            "corrections": len(result.corrections),
            "refused": report.refused[name],
        }
        for name, result in sorted(report.results.items())
    ]
    if json:
        render.print_json({"requests": report.requests, "pairs": pairs})
        return
    title = f"Fetched candles, by {report.requests} requests"
    names = ["Pair", "New>", "Known>", "Differ>", "Refused>"]
    render.print_table(title, names, (tuple(p.values()) for p in pairs), empty="nothing that was not there already")
