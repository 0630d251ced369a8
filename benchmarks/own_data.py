"""Own candles in: reading and checking a file without the database, and `sep data status` on ten million candles.

Run: python benchmarks/own_data.py [--json] [--rows 1000000] [--candles 10000000]

read_rows_s: rows a second of one M1 file with time, open, high, low, close and volume, read, judged and held against
its label by one core (goal: 1,000,000, or 0.8 of the faster of pyarrow and polars, which only convert the columns).
read_ratio: the same over the faster of the two, on one core as well. status_s: wall seconds of `sep data status --json`
on ten million candles of 28 pairs, the process's start included (goal: under 1); status_again_s: after somebody changed
candles in psql, so that all are read and counted again.
"""

import argparse
import io
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np

from sep_trader.history.reading import judged_file
from sep_trader.history.source import ReadOptions, Source
from sep_trader.history.zones import UTC_ZONE
from sep_trader.market.calendar import is_open
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database
from sep_trader.store.embedded import start_embedded, stop_embedded
from sep_trader.store.migrations import migrate

START = 1_577_836_800
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--candles", type=int, default=10_000_000)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    }
    figures |= reading(arguments.rows)
    if arguments.candles:
        figures |= status(arguments.candles)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


def market(count: int, pair: str = "EUR_USD", seed: int = 1) -> Candles:
    """Open minutes in a row, one in a hundred missing."""
    random = np.random.default_rng(seed)
    time = START + 60 * np.arange(int(count * 1.5), dtype=np.int64)
    time = time[is_open(time) & (random.random(len(time)) > 0.01)][:count]
    close = np.round(1.1 + 0.01 * np.sin(np.arange(len(time)) / 5_000) + random.normal(0, 1e-5, len(time)), 5)
    opening = np.concatenate((close[:1], close[:-1]))
    high, low = np.round(np.maximum(opening, close) + 2e-5, 5), np.round(np.minimum(opening, close) - 2e-5, 5)
    spread, volume = np.full(len(time), 1.2e-4), random.integers(1, 500, len(time))
    return Candles(pair, Granularity.M1, time, opening, high, low, close, spread, volume)


def seconds(action: Callable[[], object]) -> float:
    """Median of some runs."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def reading(rows: int) -> dict[str, Any]:
    """Ours against pyarrow and polars, on the same file."""
    import polars as pl

    pa, csv = import_module("pyarrow"), import_module("pyarrow.csv")

    pa.set_cpu_count(1)
    c = market(rows)
    stamps = np.datetime_as_string(c.time.astype("datetime64[s]"))
    columns = zip(stamps.tolist(), c.open, c.high, c.low, c.close, c.volume.tolist(), strict=True)
    text = "time,open,high,low,close,volume\n" + "\n".join(
        f"{t[:10]} {t[11:]},{o:.5f},{h:.5f},{low:.5f},{x:.5f},{v}" for t, o, h, low, x, v in columns
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "EURUSD_M1.csv"
        path.write_text(text)
        options, source = ReadOptions(timezone=UTC_ZONE), Source(path, "EUR_USD", Granularity.M1)

        def ours() -> None:
            found = judged_file(source, "csv", options, 2_000_000_000)
            assert len(found.candles) == rows and not found.contradictions

        def by_pyarrow() -> None:
            table = csv.read_csv(io.BytesIO(path.read_bytes()), csv.ReadOptions(use_threads=False))
            assert table.num_rows == rows

        def by_polars() -> None:
            assert pl.read_csv(path, try_parse_dates=True).height == rows

        mine, arrow, polars = seconds(ours), seconds(by_pyarrow), seconds(by_polars)
    return {
        "rows": rows,
        "read_rows_s": round(rows / mine),
        "read_ratio": round(min(arrow, polars) / mine, 3),
        "pyarrow_rows_s": round(rows / arrow),
        "polars_rows_s": round(rows / polars),
    }


def status(candles: int) -> dict[str, Any]:
    """`sep data status` on 28 pairs of the embedded server."""
    pairs = [f"{a}_{b}" for a, b in itertools.combinations("EUR GBP AUD NZD USD CAD CHF SEK".split(), 2)]
    each = candles // len(pairs)
    with tempfile.TemporaryDirectory() as folder:
        url = start_embedded(Path(folder))
        try:
            with Database(url) as database:
                migrate(database)
                series = market(each)
                for pair in pairs:
                    store.load(database, replace(series, instrument=pair))
                command = [sys.executable, "-m", "sep_trader", "data", "status", "--json"]
                environment = {**os.environ, "SEP_DATABASE_URL": url, "SEP_HOME": folder}

                def ask() -> None:
                    done = subprocess.run(command, check=True, capture_output=True, env=environment)
                    assert sum(one["candles"] for one in json.loads(done.stdout)) == each * len(pairs)

                taken = seconds(ask)
                with database.session() as connection:
                    connection.execute("UPDATE market_candles SET time = time WHERE instrument_id = 1")
                begun = time.perf_counter()
                ask()
                again = time.perf_counter() - begun
        finally:
            stop_embedded(Path(folder))
    return {"candles": each * len(pairs), "status_s": round(taken, 2), "status_again_s": round(again, 1)}


if __name__ == "__main__":
    main()
