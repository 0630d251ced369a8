"""The restore test at size: dump 10,000,000 candles and 200,000 executions, restore them beside, compare the two.

Starts its own TimescaleDB cluster, fills it, and runs what `sep backup create` and `sep backup verify` run. Wanted: the
restore test in under three minutes.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.ops.backup import Backup, create_backup
from sep_trader.ops.restore import verify_backup
from sep_trader.settings import Settings
from sep_trader.store.candles import load
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate
from sep_trader.store.timescaledb.hypertables import ensure_hypertables

SCRIPTS = Path(__file__).parents[1] / "scripts"
SERVER = ["shared_buffers=512MB", "wal_compression=lz4", "max_wal_size=4GB", "checkpoint_timeout=30min", "jit=off"]
PAIRS = [f"{base}_{quote}" for base in ("AUD", "EUR", "GBP", "NZD") for quote in
         ("CAD", "CHF", "HKD", "JPY", "SGD", "USD", "ZAR")]  # fmt: skip
START = 1_700_006_400
MILLION = 1_000_000
EXECUTIONS = """
INSERT INTO research_runs VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 10, 'd', 'v', '{{}}', 1, 1, 'READY',
    '', '{{}}');
INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{{}}' FROM research_runs;
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    horizon, expires_at, status, reason_code, decided_at)
SELECT gen_random_uuid(), 'EUR_USD', 'm', 'M1', '2020-01-01Z'::timestamptz + n * interval '1 minute', 1, 0.6,
    '{{"flip_rate": 0.4321, "run_length": 3.25}}', 0.00123, '1 hour', '2030-01-01Z', 'EXECUTED',
    'FILLED', now()
FROM generate_series(1, {count}) AS n;
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, trade_id, entry_price, entry_time, exit_time, exit_price, gross_pl)
SELECT id, 'account', pair, 'sep-' || id, CASE WHEN n <= 10 THEN 'OPEN' ELSE 'CLOSED' END, 1000, candle_time, n, 1.1, n,
    1.1 + n / 1e6, candle_time, CASE WHEN n > 10 THEN candle_time END, 1.2, n % 100
FROM (SELECT s.*, row_number() OVER (ORDER BY candle_time) AS n FROM trading_signals AS s) AS signal;
"""


def series(pair: str, seed: int, count: int) -> Candles:
    """A year of minutes: a random walk with five decimals."""
    random = np.random.default_rng(seed)
    close = np.round(1.1 + np.cumsum(random.normal(0, 2e-5, count)), 5)
    opening = np.concatenate([[1.1], close[:-1]])
    reach = np.round(random.exponential(5e-5, (2, count)), 5)
    return Candles(
        pair, Granularity.M1, START + 60 * np.arange(count, dtype=np.int64), opening,
        np.maximum(opening, close) + reach[0], np.minimum(opening, close) - reach[1], close,
        np.round(random.gamma(4, 3e-5, count), 5), random.integers(1, 400, count),
    )  # fmt: skip


def fill(database: Database, candles: int, executions: int) -> None:
    """Candles of 28 pairs in the product's chunks, and executions of which ten are open."""
    migrate(database)
    ensure_hypertables(database, int(Settings.model_fields["chunk_days"].default))
    for seed, pair in enumerate(PAIRS):
        load(database, series(pair, seed, math.ceil(candles / len(PAIRS))))
    with psycopg.connect(database.url) as connection:
        connection.execute(EXECUTIONS.format(count=executions).encode())
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of wall clock, and the result."""
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


def measure(server: str, candles: int, executions: int) -> dict[str, Any]:
    """Seconds of the dump and of its restore test. Raises when the restored database differs."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restore_benchmark")
    url = urlsplit(server)._replace(path="/restore_benchmark").geturl()
    with Database(url, max_size=1) as database, tempfile.TemporaryDirectory() as folder:
        fill_s, _ = timed(lambda: fill(database, candles, executions))
        create_s, backup = timed(lambda: create_backup(database, Path(folder), now=datetime.now(UTC)))
        verify_s, fault = timed(lambda: verify_backup(backup))
    if fault is not None:
        raise SystemExit(f"the restored database differs: {fault}")
    return {"fill_s": round(fill_s, 1), "dump_s": round(create_s, 1), "restore_test_s": round(verify_s, 1)} | facts(
        backup
    )


def facts(backup: Backup) -> dict[str, Any]:
    """What was dumped, by what, where."""
    return {
        "candles": backup.census["market_candles"].rows,
        "executions": backup.census["trade_executions"].rows,
        "open_trades": backup.census["v_open_trades"].rows,
        "dump_mb": round(backup.bytes / 1e6, 1),
        "postgresql": backup.server.version.split()[0],
        "timescaledb": backup.server.timescaledb,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--candles", type=int, default=10 * MILLION)
    parser.add_argument("--executions", type=int, default=200_000)
    options = parser.parse_args()
    subprocess.run([SCRIPTS / "test_setup.sh"], check=True, stdout=sys.stderr)
    started = subprocess.run(
        [SCRIPTS / "timescaledb_cluster.sh", "start", *SERVER], check=True, capture_output=True, text=True
    )
    folder, server = started.stdout.split()
    try:
        result = measure(server, options.candles, options.executions)
    finally:
        subprocess.run([SCRIPTS / "timescaledb_cluster.sh", "stop", folder], check=True)
    if options.json:
        print(json.dumps(result))
        return
    wanted = {"restore_test_s": "< 180"}
    for name, value in result.items():
        print(f"{name:16}{value!s:>28}   {wanted.get(name, '')}")


if __name__ == "__main__":
    main()
