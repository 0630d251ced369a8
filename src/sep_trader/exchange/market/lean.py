"""Write a seeded market as a folder of recorded candles in the Lean layout, for where no real data is at hand."""

import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sep_trader.errors import InputError
from sep_trader.exchange.market.figures import SECOND, price_text
from sep_trader.exchange.market.seeded import SeededMarket
from sep_trader.exchange.market.tape import Rows, Tape
from sep_trader.exchange.market.terms import offered

DAY = 86_400


def write_market(out: Path, pairs: Sequence[str], start: int, days: int, seed: int, edge: float = 0.0) -> int:
    """Write one-minute bid and ask candles of `days` days on which the market is open; returns how many files.

    start: midnight UTC of the first day, seconds. Raises InputError if the folder cannot be written.
    """
    if days < 1:
        raise InputError(f"{days} days make no market", "give at least 1")
    first = start // DAY * DAY
    market = SeededMarket(seed, first, pairs, edge=edge)
    tape = Tape(market)
    written, files, day = 0, 0, first
    while written < days:
        now = (day + DAY) * SECOND
        rows = {name: tape.rows(name, 60, day, day + DAY, now) for name in market.instruments}
        if any(len(part) for part in rows.values()):
            written += 1
            for name, part in rows.items():
                files += 1
                _write(out, name, day, part)
        day += DAY
    return files


def _write(out: Path, name: str, day: int, rows: Rows) -> None:
    symbol, stamp = name.replace("_", "").lower(), f"{datetime.fromtimestamp(day, UTC):%Y%m%d}"
    precision = offered(name).display_precision
    lines = []
    for row in rows.tolist():
        bid, ask = ([price_text(value, precision) for value in row[o : o + 4]] for o in (1, 5))
        lines.append(",".join([str((row[0] - day) * 1000), *bid, "0", *ask, "0"]))
    target = out / "minute" / symbol / f"{stamp}_quote.zip"
    # A fixed date in the archive: the same seed writes the same bytes.
    entry = zipfile.ZipInfo(f"{stamp}_{symbol}_minute_quote.csv", (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(entry, "\n".join(lines) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {target}", str(error)) from None
