"""Candles out to files that other programs read: CSV, Parquet, Lean."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.frames import to_polars
from sep_trader.market.calendar import DAY
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument

FORMATS = ("csv", "parquet", "lean")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the files, and how many candles they hold."""

    files: list[Path]
    candles: int


def export(candles: Candles, target: Path, format: str) -> Exported:
    """Write candles: csv and parquet into one file, lean below a folder.

    csv and parquet hold what is stored, an unknown spread as an empty field; `sep data import` reads them back to the
    last bit. Lean holds bid and ask, whole ticks around the mid: an odd spread moves the mid by up
    to a tick. Raises InputError for another format, for no
    candles, and for lean where a spread is unknown.
    """
    if format not in FORMATS:
        raise InputError(f"unknown format '{format}'", f"one of {', '.join(FORMATS)}")
    if len(candles) == 0:
        raise InputError(f"no {candles.granularity} candles of {candles.instrument} to export", "see: sep data status")
    try:
        if format == "lean":
            return _lean(candles, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        frame = to_polars(candles)
        if format == "parquet":
            frame.write_parquet(target)
        else:
            digits = standard_instrument(candles.instrument).display_precision
            frame.write_csv(target, datetime_format="%Y-%m-%dT%H:%M:%SZ", float_precision=digits)
        return Exported([target], len(candles))
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from None


def _lean(candles: Candles, folder: Path) -> Exported:
    folders = {Granularity.M1: "minute", Granularity.H1: "hour", Granularity.D: "daily"}
    if candles.granularity not in folders:
        raise InputError(f"Lean has no {candles.granularity} candles", f"one of {', '.join(folders)}")
    if not candles.has_spread():
        raise InputError("Lean's files hold bid and ask, and a spread is unknown", "export to csv or parquet")
    pair = candles.instrument.replace("_", "").lower()
    place = folder / folders[candles.granularity]
    if candles.granularity is not Granularity.M1:
        place.mkdir(parents=True, exist_ok=True)
        times = [f"{from_epoch(t):%Y%m%d %H:%M}" for t in candles.time.tolist()]
        return Exported([_zip(place / f"{pair}.zip", f"{pair}.csv", _rows(candles, times))], len(candles))
    place = place / pair
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for day in np.unique(candles.time // DAY).tolist():
        part = candles.between(day * DAY, (day + 1) * DAY)
        date = f"{from_epoch(day * DAY):%Y%m%d}"
        times = [str(t) for t in ((part.time - day * DAY) * 1_000).tolist()]
        name = f"{date}_{pair}_minute_quote.csv"
        files.append(_zip(place / f"{date}_quote.zip", name, _rows(part, times)))
    return Exported(files, len(candles))


def _rows(candles: Candles, times: list[str]) -> str:
    digits = standard_instrument(candles.instrument).display_precision
    scale = 10.0**digits
    spread = np.rint(candles.spread * scale).astype(np.int64)
    bids = [
        (2 * np.rint(column * scale).astype(np.int64) - spread) >> 1
        for column in (candles.open, candles.high, candles.low, candles.close)
    ]
    out = io.StringIO()
    for at, time in enumerate(times):
        bid = ",".join(f"{column[at] / scale:.{digits}f}" for column in bids)
        ask = ",".join(f"{(column[at] + spread[at]) / scale:.{digits}f}" for column in bids)
        out.write(f"{time},{bid},0,{ask},0\n")
    return out.getvalue()


def _zip(path: Path, member: str, text: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, text)
    return path
