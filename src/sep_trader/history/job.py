"""The import job: files -> judged candles -> database, with a list of what was refused beside each file."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history import dukascopy, generic_csv, histdata, lean, oanda_json
from sep_trader.history.sheet import Refused
from sep_trader.history.source import Parsed, Source, pair_in
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair, standard_instrument
from sep_trader.market.validate import refusals
from sep_trader.store.candles import Corrections, LoadResult, load
from sep_trader.store.database import Database

FORMATS = ("lean", "csv", "oanda-json", "histdata", "dukascopy")
# No pair's price has doubled within a week; the prices of different pairs are often further apart.
_JUMP = 2.0
_NEAR_S = 7 * 86_400
_SUFFIXES = {"csv": ("*.csv",), "oanda-json": ("*.json",), "histdata": ("*.csv", "*.zip"), "dukascopy": ("*.csv",)}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    path: Path
    instrument: str
    granularity: Granularity
    rows: int
    result: LoadResult
    refused: int
    rejected_file: Path | None
    first: datetime | None
    last: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "file": str(self.path),
            "instrument": self.instrument,
            "granularity": self.granularity.value,
            "rows": self.rows,
            "inserted": self.result.inserted,
            "duplicates": self.result.duplicates,
            "corrections": len(self.result.corrections),
            "refused": self.refused,
            "rejected_file": str(self.rejected_file) if self.rejected_file else None,
            "first": format_rfc3339(self.first) if self.first else None,
            "last": format_rfc3339(self.last) if self.last else None,
        }


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found and did, file by file."""

    files: tuple[FileReport, ...] = field(default=())

    @property
    def result(self) -> LoadResult:
        """All files' results together."""
        return sum((f.result for f in self.files), LoadResult())

    @property
    def refused(self) -> int:
        """Rows refused in all files."""
        return sum(f.refused for f in self.files)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        total = self.result
        return {
            "inserted": total.inserted,
            "duplicates": total.duplicates,
            "corrections": len(total.corrections),
            "refused": self.refused,
            "files": [f.as_dict() for f in self.files],
        }


Progress = Callable[[int, int, FileReport | None], None]
"""Called with files done, files in all, and the report of the file that was just done."""


def import_path(
    database: Database,
    path: Path,
    format: str,
    instrument: str | None = None,
    granularity: Granularity | None = None,
    *,
    corrections: Corrections = "report",
    columns: dict[str, str] | None = None,
    now: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a file or a folder of files, each in a transaction of its own; what is there already stays.

    columns: for `csv`, our column names to the file's. now: seconds since the epoch, the clock's by default.
    Raises InputError for what is no file of that format; rows that cannot be believed are listed in
    `<file>.rejected.csv` and counted in the report.
    """
    now = int(time.time()) if now is None else now
    reader = _reader(format, columns)
    sources = find(path, format, instrument, granularity)
    reports: list[FileReport] = []
    for source in sources:
        if progress:
            progress(len(reports), len(sources), None)
        reports.append(_import(database, source, reader, format, corrections, now))
        if progress:
            progress(len(reports), len(sources), reports[-1])
    return ImportReport(tuple(reports))


def find(path: Path, format: str, instrument: str | None, granularity: Granularity | None) -> list[Source]:
    """The files of a path and the series each belongs to. Raises InputError when there is none or one is unclear."""
    instrument = parse_pair(instrument) if instrument else None
    if format == "lean":
        return lean.sources(path, instrument, granularity)
    if format not in FORMATS:
        raise InputError(f"unknown format '{format}'", f"one of {', '.join(FORMATS)}")
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    files = [path] if path.is_file() else sorted({f for p in _SUFFIXES[format] for f in path.rglob(p)})
    files = [f for f in files if not f.name.endswith(".rejected.csv")]
    if format == "dukascopy":
        asks = {dukascopy.ask_beside(f) for f in files}
        files = [f for f in files if f not in asks]
    if not files:
        raise InputError(f"no {format} file under {path}")
    return [_source(f, format, instrument, granularity) for f in files]


def _source(path: Path, format: str, instrument: str | None, granularity: Granularity | None) -> Source:
    named = pair_in(path.stem)
    if instrument and named and named != instrument:
        raise InputError(f"{path} is of {named}, not {instrument}", "name the right pair or file")
    instrument = instrument or named
    granularity = granularity or (Granularity.M1 if format == "histdata" else None)
    if instrument is None or granularity is None:
        raise InputError(f"cannot tell the pair and granularity of {path}", "give --instrument and --granularity")
    return Source(path, instrument, granularity)


def _reader(format: str, columns: dict[str, str] | None) -> Callable[[Source], Parsed]:
    readers: dict[str, Callable[[Source], Parsed]] = {
        "lean": lean.read,
        "csv": partial(generic_csv.read, mapping=columns),
        "oanda-json": oanda_json.read,
        "histdata": histdata.read,
        "dukascopy": dukascopy.read,
    }
    if format not in readers:
        raise InputError(f"unknown format '{format}'", f"one of {', '.join(FORMATS)}")
    return readers[format]


def _import(
    database: Database,
    source: Source,
    reader: Callable[[Source], Parsed],
    format: str,
    corrections: Corrections,
    now: int,
) -> FileReport:
    parsed = reader(source)
    rows = len(parsed.lines) + len(parsed.refused)
    if rows and len(parsed.problems) + len(parsed.refused) == rows:
        reason = parsed.refused[0].reason if parsed.refused else next(iter(parsed.problems.values()))
        raise InputError(f"no row of {source.path} reads as {format}: {reason}", "is --format right?")
    candles, refused = judge(parsed, now)
    _one_pair(source.path, candles)
    result = load(database, candles, corrections=corrections)
    rejected = write_rejected(source.path, refused)
    first = from_epoch(int(candles.time[0])) if len(candles) else None
    last = from_epoch(int(candles.time[-1])) if len(candles) else None
    return FileReport(
        source.path, source.instrument, source.granularity, rows, result, len(refused), rejected, first, last
    )


def judge(parsed: Parsed, now: int) -> tuple[Candles, list[Refused]]:
    """The mid candles of the rows that can be believed, and the rows that cannot, in the order of the file."""
    precision = standard_instrument(parsed.candles.instrument).display_precision
    readable = np.array([i not in parsed.problems for i in range(len(parsed.lines))], bool)
    reasons = dict(parsed.problems)
    position = np.flatnonzero(readable).tolist()
    for index, reason in refusals(parsed.candles.take(readable), precision, now).items():
        reasons[position[index]] = reason
    refused = [Refused(parsed.lines[i], reason, parsed.texts[i]) for i, reason in reasons.items()]
    good = np.array([i not in reasons for i in range(len(parsed.lines))], bool)
    kept = parsed.candles.take(good)
    mid = kept.to_mid(precision) if isinstance(kept, QuoteCandles) else kept
    return mid, sorted([*parsed.refused, *refused], key=lambda r: r.line)


def _one_pair(path: Path, candles: Candles) -> None:
    """Raise InputError where the price doubles or halves from one candle to the next: it is another pair's then."""
    ratio = candles.open[1:] / candles.close[:-1]
    near = np.diff(candles.time) <= max(_NEAR_S, candles.granularity.seconds)
    jumps = np.flatnonzero(near & ((ratio > _JUMP) | (ratio < 1 / _JUMP)))
    if len(jumps):
        at = int(jumps[0])
        raise InputError(
            f"{path} goes from {candles.close[at]:g} to {candles.open[at + 1]:g} at "
            f"{format_rfc3339(from_epoch(int(candles.time[at + 1])))}: not {candles.instrument} alone, nothing stored",
            "one pair a file: cut it, or remove the wrong rows",
        )


def write_rejected(path: Path, refused: list[Refused]) -> Path | None:
    """List refused rows in `<file>.rejected.csv` (line, reason, text); without any, an older list is removed.

    Where the file's folder cannot be written, the list goes to the working folder.
    """
    for target in (path.with_name(path.name + ".rejected.csv"), Path(path.name + ".rejected.csv")):
        try:
            if not refused:
                target.unlink(missing_ok=True)
                return None
            with target.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["line", "reason", "text"])
                writer.writerows([r.line, r.reason, r.text] for r in refused)
            return target
        except OSError:
            continue
    return None
