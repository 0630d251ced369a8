"""The candle store against the wire: loads, re-loads, reads, point queries, bytes, on TimescaleDB and on plain tables.

Starts its own TimescaleDB cluster and ends it. 1,000,000 EUR_USD-like M1 candles of two pairs in 400 daily chunks (one
pair has 1,440 minutes a day, so a million need two). Figures are medians of five, percentiles of five batches of 1,000
too; ratios are taken within one run. ADBC, to compare reads with, is installed into .cache/adbc at the first run.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
from psycopg import pq
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import dict_row

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.store import candle_wire, rollups
from sep_trader.store.candles import instrument_id, latest, load, read
from sep_trader.store.database import PINNED, Connection, Database
from sep_trader.store.migrations import migrate
from sep_trader.store.queries import Row, queries
from sep_trader.store.timescaledb.hypertables import ensure_hypertables

SCRIPTS = Path(__file__).parents[1] / "scripts"
ADBC = Path(__file__).parents[1] / ".cache" / "adbc"
COMPARISON = Path(__file__).with_name("others") / "adbc_read.py"
SERVER = ["shared_buffers=512MB", "wal_compression=lz4", "max_wal_size=4GB", "checkpoint_timeout=30min", "jit=off"]
PAIRS = ("EUR_USD", "GBP_USD")
DAYS, PER_DAY = 400, 1_250
ROUNDS = 5
START = 1_700_006_400


def series(pair: str, seed: int) -> Candles:
    """Half a million candles: a random walk with five decimals, 1,250 a day."""
    random = np.random.default_rng(seed)
    minutes = np.concatenate([day * 1_440 + np.arange(PER_DAY) for day in range(DAYS)])
    close = np.round(1.1 + np.cumsum(random.normal(0, 2e-5, len(minutes))), 5)
    opening = np.concatenate([[1.1], close[:-1]])
    reach = np.round(random.exponential(5e-5, (2, len(minutes))), 5)
    return Candles(
        pair, Granularity.M1, START + 60 * minutes.astype(np.int64), opening, np.maximum(opening, close) + reach[0],
        np.minimum(opening, close) - reach[1], close, np.round(random.gamma(4, 3e-5, len(minutes)), 5),
        random.integers(1, 400, len(minutes)),
    )  # fmt: skip


@dataclass
class Figures:
    """Seconds and bytes of one kind of table."""

    raw_load: float
    load: float
    reload: float
    raw_read: float
    adbc_read: float | None
    adbc: str
    read: float
    latest_ms: tuple[float, float]
    latest_ratio: float
    open_trades_ms: tuple[float, float]
    open_trades_ratio: float
    bytes_per_candle: float
    rollup: float
    refresh: float
    bytes_per_rollup: float


def timed(action: Callable[[], object]) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def raw_copy(conn: PGconn, blocks: list[bytes]) -> None:
    """Ready-made blocks through libpq, and a commit: what the wire and the server cost by themselves."""
    conn.exec_(b"BEGIN")
    conn.exec_(candle_wire.COPY_IN.format("market_candles").encode())
    for block in blocks:
        conn.put_copy_data(block)
    conn.put_copy_end()
    finish(conn)
    conn.exec_(b"COMMIT")


def raw_copies(conn: PGconn, pairs: list[list[bytes]]) -> None:
    """`raw_copy` for each pair."""
    for blocks in pairs:
        raw_copy(conn, blocks)


def finish(conn: PGconn) -> None:
    """Read a COPY's result."""
    while result := conn.get_result():
        assert result.status == ExecStatus.COMMAND_OK, conn.error_message


SELECT = (
    "SELECT time, open, high, low, close, spread, volume FROM market_candles"
    " WHERE instrument_id = {} AND granularity = 5 ORDER BY time"
)


def raw_read(conn: PGconn, ids: list[int]) -> None:
    """COPY BINARY through libpq into one buffer a pair, viewed as numpy columns."""
    for ident in ids:
        conn.exec_(f"COPY ({SELECT.format(ident)}) TO STDOUT (FORMAT BINARY)".encode())
        parts = []
        while (got := conn.get_copy_data(0))[0] > 0:
            parts.append(bytes(got[1]))
        finish(conn)
        candles = candle_wire.unpack(b"".join(parts), "EUR_USD", Granularity.M1)
        assert len(candles) == DAYS * PER_DAY


def adbc_read(url: str, ids: list[int]) -> tuple[float | None, str]:
    """Median seconds of ADBC into Arrow and on to numpy arrays, and its version; None, and why, where it cannot run.

    It lives in an environment of its own, .cache/adbc, made at the first run.
    """
    python = ADBC / "bin" / "python"
    try:
        if not (ADBC / ".installed").exists():
            subprocess.run([sys.executable, "-m", "venv", str(ADBC)], check=True, capture_output=True)
            packages = ["adbc-driver-postgresql", "pyarrow", "numpy"]
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True, capture_output=True)
            (ADBC / ".installed").touch()
        command = [str(python), str(COMPARISON), url, str(ROUNDS), *(SELECT.format(ident) for ident in ids)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return None, f"not run: {error}"
    found = json.loads(done.stdout)
    return statistics.median(found["seconds"]), found["adbc"]


def percentiles(action: Callable[[], object], count: int = 1_000) -> tuple[float, float]:
    """p50 and p99 in milliseconds after a warm-up: medians of those of five batches."""
    for _ in range(50):
        action()
    batches = [sorted(timed(action) * 1e3 for _ in range(count)) for _ in range(ROUNDS)]
    return tuple(statistics.median(batch[int(count * share)] for batch in batches) for share in (0.5, 0.99))  # type: ignore[return-value]


def new_database(server: str, name: str, chunk_days: int | None) -> str:
    """A migrated database; its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with Database(url) as database:
        migrate(database)
        if chunk_days:
            ensure_hypertables(database, chunk_days)
    return url


def clear(database: Database) -> None:
    """No candles and no chunks, so that every load makes its chunks anew."""
    with database.transaction() as connection:
        connection.execute("TRUNCATE market_candles")
    with database.session() as connection:
        connection.execute("CHECKPOINT")


def measure(server: str, name: str, chunk_days: int | None, data: list[Candles]) -> Figures:
    """All figures of one kind of table."""
    url = new_database(server, name, chunk_days)
    with Database(url) as database:
        with database.transaction() as connection:
            ids = [instrument_id(connection, pair) for pair in PAIRS]
        blocks = [list(candle_wire.pack(c, ident)) for c, ident in zip(data, ids, strict=True)]
        raw_connection = pq.PGconn.connect(url.encode())  # blocking, as a plain client of libpq is
        raw, ours, again = [], [], []
        for _ in range(ROUNDS):
            clear(database)
            raw.append(timed(lambda: raw_copies(raw_connection, blocks)))
            clear(database)
            ours.append(timed(lambda: [load(database, c) for c in data]))
            again.append(timed(lambda: [load(database, c) for c in data]))
        with database.session() as connection:
            connection.execute("VACUUM ANALYZE market_candles")
        reads: dict[str, list[float]] = {"raw": [], "ours": []}
        for _ in range(ROUNDS):
            reads["raw"].append(timed(lambda: raw_read(raw_connection, ids)))
            reads["ours"].append(timed(lambda: [read(database, p, Granularity.M1) for p in PAIRS]))
        adbc, adbc_version = adbc_read(url, ids)
        assert len(latest(database, "EUR_USD", Granularity.M1, 500)) == 500
        latest_ms = percentiles(lambda: latest(database, "EUR_USD", Granularity.M1, 500))
        latest_ratio = ratio_to_bare(database, *latest_queries(database))
        open_ms = open_trades(database)
        open_ratio = ratio_to_bare(database, lambda on: queries.many(on, "open_trades", Row), "open_trades", {})
        return Figures(
            statistics.median(raw), statistics.median(ours), statistics.median(again), statistics.median(reads["raw"]),
            adbc, adbc_version, statistics.median(reads["ours"]),
            latest_ms, latest_ratio, open_ms, open_ratio, table_bytes(database) / (DAYS * PER_DAY * 2),
            timed(lambda: rollups.refresh(database)), timed(lambda: rollups.refresh(database)),
            bytes_of_rollup(database),
        )  # fmt: skip


def latest_queries(database: Database) -> tuple[Callable[[Connection], object], str, dict[str, object]]:
    """How we ask for the newest 500, the named query below it, and that query's parameters once it is warm."""
    with database.transaction() as connection:
        found = latest(connection, "EUR_USD", Granularity.M1, 500)
    values = {
        "instrument": "EUR_USD", "granularity": Granularity.M1.code, "count": 500,
        "start": datetime.fromtimestamp(int(found.time[0]), UTC),
    }  # fmt: skip
    return lambda on: latest(on, "EUR_USD", Granularity.M1, 500), "candles_latest_since", values


def ratio_to_bare(
    database: Database, ours: Callable[[Connection], object], name: str, values: dict[str, object], count: int = 400
) -> float:
    """p50 of our call over p50 of the same prepared query by bare psycopg, binary: one connection each, BEGIN and
    COMMIT each, turn by turn, medians of five batches."""
    statement = queries.all[name].text.encode()
    with (
        psycopg.connect(database.url) as bare,
        psycopg.connect(database.url, row_factory=dict_row, **PINNED) as connection,
        bare.cursor(binary=True) as cursor,
    ):

        def by_hand() -> None:
            cursor.execute(statement, values or None, prepare=True)
            cursor.fetchall()
            bare.commit()

        def by_us() -> None:
            ours(connection)
            connection.commit()

        found = []
        for _ in range(50):
            by_hand()
            by_us()
        for _ in range(ROUNDS):
            turns = [(timed(by_us), timed(by_hand)) for _ in range(count)]
            ours_p50, bare_p50 = (statistics.median(column) for column in zip(*turns, strict=True))
            found.append(ours_p50 / bare_p50)
        return float(statistics.median(found))


def open_trades(database: Database) -> tuple[float, float]:
    """v_open_trades among 200,000 executions, ten of them open."""
    with database.transaction() as connection:
        connection.execute(EXECUTIONS.encode())
    with database.session() as connection:
        connection.execute("VACUUM ANALYZE trade_executions, trading_signals")

    def ask() -> None:
        with database.transaction() as connection:
            assert len(queries.many(connection, "open_trades", Row)) == 10

    return percentiles(ask)


EXECUTIONS = """
INSERT INTO research_runs
SELECT gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 1, '', '', '{}', 1, 1, 'READY', '', '{}';
INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{}' FROM research_runs;
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    horizon, expires_at, status, reason_code)
SELECT md5(n::text)::uuid, 'EUR_USD', 'm', 'M1', timestamptz '2024-01-01' + n * interval '1 minute', 1, 0.5, '{}',
    0.001, '1 hour', timestamptz '2024-01-01' + n * interval '1 minute', 'EXECUTED', 'FILLED'
FROM generate_series(1, 200000) n;
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, trade_id, entry_price, entry_time, exit_time, exit_price)
SELECT md5(n::text)::uuid, 'a', 'EUR_USD', n::text, CASE WHEN n > 199990 THEN 'OPEN' ELSE 'CLOSED' END, 1000,
    timestamptz '2024-01-01', n, 1.1, n, 1.1, timestamptz '2024-01-01',
    CASE WHEN n > 199990 THEN NULL ELSE timestamptz '2024-01-02' END, 1.1 FROM generate_series(1, 200000) n;
"""


def table_bytes(database: Database) -> int:
    """Heap and index of market_candles, chunks included."""
    with database.transaction() as connection:
        return queries.value(connection, "candle_bytes", int)


def bytes_of_rollup(database: Database) -> float:
    """Heap and index of a rollup."""
    with database.session() as connection:
        connection.execute("VACUUM ANALYZE candle_rollups")
        rows = {row["name"]: row for row in queries.many(connection, "table_bytes", Row)}
    return float(rows["candle_rollups"]["bytes"]) / float(rows["candle_rollups"]["rows"])


def dense_bytes(server: str) -> float:
    """Bytes a candle where a daily chunk is full: 28 pairs of M1, three days, vacuumed."""
    day = series("EUR_USD", 1).take(slice(0, 3 * PER_DAY))
    pairs = [f"{a}_{b}" for a, b in itertools.combinations("EUR GBP AUD NZD USD CAD CHF SEK".split(), 2)]
    whole = replace(day, time=START - START % 86_400 + 60 * np.arange(len(day)))
    url = new_database(server, "dense", 1)
    with Database(url) as database:
        for pair in pairs:
            load(database, replace(whole, instrument=pair))
        with database.session() as connection:
            connection.execute("VACUUM ANALYZE market_candles")
        return table_bytes(database) / (len(whole) * len(pairs))


def columnstore_bytes(database: Database, license: str) -> float | None:
    """Bytes a candle with every chunk compressed; None on the Apache build, which has no columnstore."""
    if license != "timescale":
        return None
    with database.session() as connection:
        connection.execute("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('market_candles') c")
        rows = {row["name"]: row["bytes"] for row in queries.many(connection, "table_bytes", Row)}
    return float(rows["market_candles"]) / (DAYS * PER_DAY * 2)


def chunk_lengths(server: str, data: list[Candles]) -> list[dict[str, float]]:
    """Loading and planning for 1, 7 and 30 days a chunk."""
    rows = []
    for days in (1, 7, 30):
        url = new_database(server, "chunks", days)
        with Database(url) as database:
            loads = []
            for _ in range(3):
                clear(database)
                loads.append(timed(lambda: [load(database, c) for c in data]))
            with database.session() as connection:
                connection.execute("VACUUM ANALYZE market_candles")
            bounds = "AND time >= to_timestamp(%s)" % (START + (DAYS - 4) * 86_400)
            row = {"days": float(days), "load_s": statistics.median(loads)}
            for name, where in (("unbounded", ""), ("bounded", bounds)):
                row[f"plan_{name}_ms"] = planning(database, where)
            row["latest_p50_ms"], row["latest_p99_ms"] = percentiles(
                lambda: latest(database, "EUR_USD", Granularity.M1, 500), 200
            )
            row["live_p50_ms"], row["live_p99_ms"] = live(database, data[0])
            row["bytes_per_candle"] = table_bytes(database) / (DAYS * PER_DAY * 2)
            rows.append(row)
    return rows


def planning(database: Database, where: str) -> float:
    """Median planning time of the newest 500 candles, in milliseconds."""
    query = (
        f"SELECT * FROM market_candles WHERE instrument_id = 1 AND granularity = 5 {where} ORDER BY time DESC LIMIT 500"
    )
    text = f"EXPLAIN (SUMMARY, FORMAT JSON) {query}"
    with database.transaction() as connection:
        times = []
        for _ in range(20):
            row = connection.execute(text.encode()).fetchone()
            assert row is not None
            times.append(float(row["QUERY PLAN"][0]["Planning Time"]))
    return statistics.median(times)


def live(database: Database, data: Candles) -> tuple[float, float]:
    """p50 and p99 of one live batch of two pairs, milliseconds."""
    from sep_trader.store.candles import upsert_live

    times = []
    for n in range(300):
        at = np.array([data.time[-1] + 60 * (n + 1)])
        batch = [replace(data.take(slice(0, 1)), instrument=pair, time=at) for pair in PAIRS]

        def store(batch: list[Candles] = batch) -> None:
            with database.transaction() as connection:
                upsert_live(connection, batch)

        times.append(timed(store) * 1e3)
    times.sort()
    return times[150], times[297]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--chunks", action="store_true", help="compare chunks of 1, 7 and 30 days instead")
    options = parser.parse_args()
    subprocess.run([SCRIPTS / "test_setup.sh"], check=True, stdout=sys.stderr)
    started = subprocess.run(
        [SCRIPTS / "timescaledb_cluster.sh", "start", *SERVER], check=True, capture_output=True, text=True
    )
    folder, server = started.stdout.split()
    data = [series(pair, seed) for seed, pair in enumerate(PAIRS)]
    try:
        if options.chunks:
            print_chunks(chunk_lengths(server, data))
            return
        hyper, plain = measure(server, "hyper", 1, data), measure(server, "plain", None, data)
        version, dense = server_version(server), dense_bytes(server)
        with Database(urlsplit(server)._replace(path="/hyper").geturl()) as database:
            columnstore = columnstore_bytes(database, version["license"])
    finally:
        subprocess.run([SCRIPTS / "timescaledb_cluster.sh", "stop", folder], check=True)
    result = summary(hyper, plain, version)
    result["bytes_per_candle_28_pairs"] = round(dense, 1)
    result["bytes_per_candle_columnstore"] = None if columnstore is None else round(columnstore, 1)
    result["adbc"] = hyper.adbc
    if options.json:
        print(json.dumps(result))
    else:
        print_table(result)


def server_version(server: str) -> dict[str, str]:
    """PostgreSQL and TimescaleDB of the hypertable's database."""
    with psycopg.connect(urlsplit(server)._replace(path="/hyper").geturl()) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), extversion, current_setting('timescaledb.license')"
            " FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
    assert row is not None
    return {"postgresql": row[0].split()[0], "timescaledb": row[1], "license": row[2]}


def summary(hyper: Figures, plain: Figures, version: dict[str, str]) -> dict[str, Any]:
    """The JSON object."""

    def ratios(f: Figures) -> dict[str, Any]:
        fastest = min(x for x in (f.raw_read, f.adbc_read) if x is not None)
        return {
            "load_ratio": round(f.raw_load / f.load, 3),
            "reload_ratio": round(f.reload / f.load, 3),
            "read_ratio": round(fastest / f.read, 3),
            "latest_p50_ms": round(f.latest_ms[0], 3),
            "latest_p99_ms": round(f.latest_ms[1], 3),
            "latest_ratio": round(f.latest_ratio, 3),
            "open_trades_p50_ms": round(f.open_trades_ms[0], 3),
            "open_trades_p99_ms": round(f.open_trades_ms[1], 3),
            "open_trades_ratio": round(f.open_trades_ratio, 3),
            "bytes_per_candle": round(f.bytes_per_candle, 1),
            "rollup_s": round(f.rollup, 3),
            "rollup_refresh_s": round(f.refresh, 3),
            "bytes_per_rollup": round(f.bytes_per_rollup, 1),
            "load_s": round(f.load, 3),
            "raw_load_s": round(f.raw_load, 3),
            "reload_s": round(f.reload, 3),
            "read_s": round(f.read, 3),
            "raw_read_s": round(f.raw_read, 3),
            "adbc_read_s": None if f.adbc_read is None else round(f.adbc_read, 3),
        }

    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return {
        **version,
        **ratios(hyper),
        "plain": ratios(plain),
        "candles": DAYS * PER_DAY * 2,
        "chunks": DAYS,
        "machine": machine,
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def print_table(result: dict[str, Any]) -> None:
    """The same for people."""
    versions = f"PostgreSQL {result['postgresql']}, TimescaleDB {result['timescaledb']} ({result['license']})"
    print(f"{versions}; Python {result['python']}; {result['machine']}")
    print(f"{'':22}{'hypertable':>12}{'plain table':>12}   wanted")
    wanted = {
        "load_ratio": ">= 0.85", "reload_ratio": "<= 1.3", "read_ratio": ">= 0.8", "latest_ratio": "<= 1.3",
        "open_trades_ratio": "<= 1.3", "bytes_per_candle": "<= 118",
    }  # fmt: skip
    for name, plain in result["plain"].items():
        print(f"{name:22}{result[name]!s:>12}{plain!s:>12}   {wanted.get(name, '')}")
    print(f"a candle in full daily chunks (28 pairs): {result['bytes_per_candle_28_pairs']} bytes")
    packed = result["bytes_per_candle_columnstore"]
    print(f"a candle in the columnstore: {'not on this build' if packed is None else f'{packed} bytes (<= 30)'}")
    print(f"ADBC {result['adbc']}")


def print_chunks(rows: list[dict[str, float]]) -> None:
    """The chunk lengths side by side."""
    for name in rows[0]:
        print(f"{name:22}" + "".join(f"{row[name]:>12.3f}" for row in rows))


if __name__ == "__main__":
    main()
