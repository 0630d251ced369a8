"""The import job: files -> judged candles -> database, with a list of what was not taken beside each file."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from psycopg.types.json import Jsonb

from sep_trader.errors import InputError
from sep_trader.history import lean
from sep_trader.history.formats import AUTO, TEXT_FORMATS, format_named
from sep_trader.history.naming import granularity_in, other_side, pair_in, side_in
from sep_trader.history.reading import Judged, judged_file
from sep_trader.history.sheet import Refused
from sep_trader.history.sniff import sniff
from sep_trader.history.source import ReadOptions, Source
from sep_trader.market.candles import Candles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair, standard_instrument
from sep_trader.store.candles import VALUES, Correction, Corrections, LoadResult, load
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

# No pair's price has doubled within a week; the prices of different pairs are often further apart.
_JUMP = 2.0
_NEAR_S = 7 * 86_400
_TEXT = ("*.csv", "*.txt", "*.csv.gz", "*.zip", "*.tsv")
_SUFFIXES = {"oanda-json": ("*.json",), "parquet": ("*.parquet", "*.pq")}
_OURS = (".rejected.csv", ".leftout.csv", ".differs.csv")
_SAME_SIGN, _MANY, _WIDEST_SPREAD_PIPS = 0.95, 20, 30.0


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    refused, left_out: rows that cannot be believed, and rows that are no candles by a rule of the format. crossed:
    stored with spread 0. without_spread: candles whose spread the file does not say. notes: a sentence each.
    """

    path: Path
    instrument: str
    granularity: Granularity
    rows: int
    result: LoadResult
    refused: int
    rejected_file: Path | None
    first: datetime | None
    last: datetime | None
    left_out: int = 0
    left_out_file: Path | None = None
    crossed: int = 0
    without_spread: int = 0
    notes: tuple[str, ...] = ()

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
            "left_out": self.left_out,
            "left_out_file": str(self.left_out_file) if self.left_out_file else None,
            "crossed": self.crossed,
            "without_spread": self.without_spread,
            "notes": list(self.notes),
            "first": format_rfc3339(self.first) if self.first else None,
            "last": format_rfc3339(self.last) if self.last else None,
        }


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file of a folder of which nothing was stored, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found and did, file by file."""

    files: tuple[FileReport, ...] = field(default=())
    failed: tuple[FailedFile, ...] = field(default=())

    @property
    def result(self) -> LoadResult:
        """All files' results together."""
        return sum((f.result for f in self.files), LoadResult())

    @property
    def refused(self) -> int:
        """Rows refused in all files."""
        return sum(f.refused for f in self.files)

    @property
    def left_out(self) -> int:
        """Rows of all files that are no candles by a rule of the format."""
        return sum(f.left_out for f in self.files)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        total = self.result
        return {
            "inserted": total.inserted,
            "duplicates": total.duplicates,
            "corrections": len(total.corrections),
            "refused": self.refused,
            "left_out": self.left_out,
            "crossed": sum(f.crossed for f in self.files),
            "without_spread": sum(f.without_spread for f in self.files),
            "files": [f.as_dict() for f in self.files],
            "failed": [{"file": str(f.path), "reason": f.reason} for f in self.failed],
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A file to import: the series it belongs to, and how it is read."""

    source: Source
    format: str
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files of a path. unclear: those of a folder of which it does not show how to read them."""

    files: list[Found]
    unclear: list[FailedFile] = field(default_factory=list)
    folder: bool = False


Progress = Callable[[int, int, FileReport | None], None]
"""Called with files done, files in all, and the report of the file that was just done."""


def import_path(
    database: Database,
    path: Path,
    format: str = AUTO,
    instrument: str | None = None,
    granularity: Granularity | None = None,
    *,
    corrections: Corrections = "report",
    now: int | None = None,
) -> ImportReport:
    """Find the files of a path and import them; see `find` and `import_found`."""
    return import_found(database, find(path, format, instrument, granularity), corrections=corrections, now=now)


def import_found(
    database: Database,
    found: FoundFiles,
    *,
    corrections: Corrections = "report",
    force: str | None = None,
    now: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import files, each in a transaction of its own; what is there already stays.

    force: why a file is stored whose content contradicts its label; it is recorded. now: seconds since the epoch, the
    clock's by default. Raises InputError for a file that is not of the format, or that contradicts its label; of a
    folder, such files are in the report and the others are stored. Rows that cannot be believed are listed in
    `<file>.rejected.csv`, rows that are no candles in `<file>.leftout.csv`.
    """
    now = int(time.time()) if now is None else now
    failed = list(found.unclear)
    reports: list[FileReport] = []
    for number, one in enumerate(found.files):
        if progress:
            progress(number, len(found.files), None)
        try:
            reports.append(_import(database, one, corrections, force, now))
        except InputError as error:
            if not found.folder:
                raise
            failed.append(FailedFile(one.source.path, str(error)))
            continue
        if progress:
            progress(number + 1, len(found.files), reports[-1])
    if failed and not reports:
        raise InputError(f"no file of the folder could be imported: {failed[0].reason}", f"{len(failed)} files")
    return ImportReport(tuple(reports), tuple(failed))


def find(
    path: Path,
    format: str,
    instrument: str | None,
    granularity: Granularity | None,
    *,
    ask: Path | None = None,
    options: ReadOptions | None = None,
) -> FoundFiles:
    """The files of a path, and how each is read.

    ask: the file of the ask side, where `path` is the bid's. Raises InputError when there is no file, or the one file
    is unclear.
    """
    options = options or ReadOptions()
    instrument = parse_pair(instrument) if instrument else None
    if format_named(format) == "lean":
        sources = lean.sources(path, instrument, granularity)
        return FoundFiles([Found(s, format, options) for s in sources], folder=path.is_dir())
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.is_file():
        return FoundFiles([_found(path, format, instrument, granularity, ask, options)])
    patterns = (
        _SUFFIXES.get(format, _TEXT) if format != AUTO else (*_TEXT, *_SUFFIXES["oanda-json"], *_SUFFIXES["parquet"])
    )
    files = sorted({f for pattern in patterns for f in path.rglob(pattern) if not f.name.endswith(_OURS)})
    asks = {other_side(f) for f in files if side_in(f.name) == "bid"}
    found: list[Found] = []
    failed: list[FailedFile] = []
    for file in files:
        if file in asks:
            continue
        try:
            found.append(_found(file, format, instrument, granularity, None, options))
        except InputError as error:
            failed.append(FailedFile(file, str(error)))
    if not files:
        raise InputError(f"no {'candle' if format == AUTO else format} file under {path}")
    if not found:
        raise InputError(f"no file under {path} can be read: {failed[0].reason}", f"{len(failed)} files")
    return FoundFiles(found, failed, folder=True)


def _found(
    path: Path,
    format: str,
    instrument: str | None,
    granularity: Granularity | None,
    ask: Path | None,
    options: ReadOptions,
) -> Found:
    if format == AUTO:
        seen = sniff(path)
        format = seen.format
        instrument, granularity = instrument or seen.instrument, granularity or seen.granularity
        if format == "lean":
            return Found(lean.sources(path, instrument, granularity)[0], format, options)
    if ask is None and format in TEXT_FORMATS and side_in(path.name) == "bid":
        ask = other_side(path)
    named = pair_in(path.stem)
    instrument = instrument or named
    granularity = granularity or granularity_in(path.stem) or (Granularity.M1 if format == "histdata" else None)
    if instrument is None or granularity is None:
        raise InputError(f"cannot tell the pair and granularity of {path}", "give --instrument and --granularity")
    return Found(Source(path, instrument, granularity, ask), format, options)


def _import(database: Database, found: Found, corrections: Corrections, force: str | None, now: int) -> FileReport:
    source = found.source
    judged = judged_file(source, found.format, found.options, now)
    notes = list(judged.contradictions)
    if notes and force is None:
        raise InputError(
            f"{source.path} is not stored: {'; '.join(notes)}",
            "give the right options (sep data sniff FILE shows them), or --force REASON",
        )
    candles = judged.candles
    _one_pair(source.path, candles)
    result = load(database, candles, corrections=corrections)
    if judged.contradictions:
        _record_force(database, source, judged, force or "")
    if judged.rows == 0:
        notes.append("it has a header and no rows")
    if result.corrections:
        notes.append(_explained(result.corrections, corrections))
        write_differing(source.path, result.corrections)
    without = int(np.count_nonzero(np.isnan(candles.spread)))
    return FileReport(
        source.path,
        source.instrument,
        source.granularity,
        judged.rows,
        result,
        len(judged.refused),
        write_rows(source.path, "rejected", judged.refused),
        from_epoch(int(candles.time[0])) if len(candles) else None,
        from_epoch(int(candles.time[-1])) if len(candles) else None,
        len(judged.left_out),
        write_rows(source.path, "leftout", judged.left_out),
        judged.crossed,
        without,
        tuple(notes),
    )


def _record_force(database: Database, source: Source, judged: Judged, reason: str) -> None:
    with database.transaction() as connection:
        queries.execute(
            connection,
            "insert_log",
            level="warning",
            component="history",
            event="import_forced",
            broker_time=None,
            message=f"{source.path.name} was stored although {'; '.join(judged.contradictions)}: {reason}",
            context=Jsonb(
                {
                    "file": str(source.path),
                    "instrument": source.instrument,
                    "granularity": source.granularity.value,
                    "contradictions": judged.contradictions,
                    "reason": reason,
                }
            ),
        )


def _explained(found: tuple[Correction, ...], corrections: Corrections) -> str:
    """What it means that stored candles came again with other values, and what to do."""
    count = len(found)
    if corrections == "apply":
        return f"{count} stored candles had other values and were replaced"
    pip = float(standard_instrument(found[0].instrument).pip)
    close = VALUES.index("close")
    shift = np.array([one.new[close] - one.old[close] for one in found]) / pip
    typical = float(np.median(shift))
    one_way = float(np.mean(np.sign(shift) == np.sign(typical)))
    unrecorded = all(np.isnan(one.old[VALUES.index("spread")]) for one in found[:_MANY])
    what = f"{count} candles are stored with other values, and stay as they are"
    if count >= _MANY and one_way >= _SAME_SIGN and 0 < abs(typical) <= _WIDEST_SPREAD_PIPS and unrecorded:
        side = "above" if typical > 0 else "below"
        return (
            f"{what}: this file's prices are {abs(typical):.1f} pip {side} them, as the other side of the same quotes "
            "is. Import both sides together, --bid FILE --ask FILE --corrections apply, and the spread is known"
        )
    by = f"by {np.median(np.abs(shift)):.1f} pip at the close"
    differs = by if shift.any() else "in spread, volume or the other prices, not at the close"
    return f"{what}: this file differs {differs}; --corrections apply takes its values"


def _one_pair(path: Path, candles: Candles) -> None:
    """Raise InputError where the price doubles or halves from one candle to the next: it is another pair's then."""
    if len(candles) < 2:
        return
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


def write_rows(path: Path, kind: str, rows: list[Refused]) -> Path | None:
    """List rows in `<file>.<kind>.csv` (line, reason, text); without any, an older list is removed.

    Where the file's folder cannot be written, the list goes to the working folder.
    """
    return _write(path, kind, ["line", "reason", "text"], [[r.line, r.reason, r.text] for r in rows])


def write_differing(path: Path, found: tuple[Correction, ...]) -> Path | None:
    """List candles that are stored with other values in `<file>.differs.csv`: the time, what is stored, what came."""
    head = ["time", *(f"stored_{name}" for name in VALUES), *(f"file_{name}" for name in VALUES)]
    return _write(path, "differs", head, [[format_rfc3339(from_epoch(c.time)), *c.old, *c.new] for c in found])


def _write(path: Path, kind: str, head: list[str], rows: list[list[Any]]) -> Path | None:
    for target in (path.with_name(f"{path.name}.{kind}.csv"), Path(f"{path.name}.{kind}.csv")):
        try:
            if not rows:
                target.unlink(missing_ok=True)
                return None
            with target.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(head)
                writer.writerows(rows)
            return target
        except OSError:
            continue
    return None
