"""The API: how fast /api/status and 90 days of M1 are, what 50 live dashboards cost, and how much memory it takes.

Run: python benchmarks/api.py [--json] [--seconds 5]
One API process on one core (taskset), its database beside it; the caller is on the other cores. `ratio_to_empty`: the
time of /api/status over that of /healthz, which does nothing, through the same gate: a claim that holds on any machine.
While dashboards listen, something that they show changes each second.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.candles import random_walk

from sep_trader.api.access import Role
from sep_trader.cli.token import make
from sep_trader.store import candles as store
from sep_trader.store.database import Database
from sep_trader.store.embedded import start_embedded, stop_embedded
from sep_trader.store.migrations import migrate

MINUTES = 90 * 1_440
LISTENERS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        url = start_embedded(Path(folder))
        try:
            found = measure(url, folder, arguments.seconds)
        finally:
            stop_embedded(Path(folder))
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<28} {value:,.2f}" if isinstance(value, float) else f"{name:<28} {value}")


def measure(url: str, folder: str, seconds: float) -> dict[str, Any]:
    """All figures."""
    start = int(time.time()) // 60 * 60 - MINUTES * 60
    with Database(url) as database:
        migrate(database)
        walk = random_walk(np.arange(MINUTES, dtype=np.int64) * 60 + start, 1)
        store.load(database, replace(walk, spread=np.full(MINUTES, 0.0001)))
        with database.transaction() as connection:
            token = make(connection, "bench", Role.READ)
    environment = {**os.environ, "SEP_DATABASE_URL": url, "SEP_HOME": folder, "SEP_API_REQUESTS_PER_S": "1000000"}
    command = ["taskset", "-c", "0", sys.executable, "-m", "sep_trader", "serve", "--port", "23099"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})
        try:
            headers = {"authorization": f"Bearer {token}"}
            with httpx.Client(base_url="http://127.0.0.1:23099", headers=headers, timeout=60) as client:
                return figures(client, process.pid, seconds, start, url)
        finally:
            process.terminate()


def figures(client: httpx.Client, pid: int, seconds: float, start: int, url: str) -> dict[str, Any]:
    """What one client sees."""
    while True:
        try:
            client.get("/readyz")
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    empty, status = calls(client, "/healthz", seconds), calls(client, "/api/status", seconds)
    path = f"/api/candles?pair=EUR_USD&from={stamp(start)}&to={stamp(start + MINUTES * 60)}"
    candles = []
    for _ in range(5):
        begun = time.perf_counter()
        answer = client.get(path, headers={"accept-encoding": "identity"})
        candles.append(time.perf_counter() - begun)
    assert len(answer.json()["time"]) == MINUTES
    return {
        "status_p50_ms": 1e3 * statistics.median(status),
        "status_p99_ms": 1e3 * statistics.quantiles(status, n=100)[98],
        "status_per_s": len(status) / sum(status),
        "ratio_to_empty": statistics.median(status) / statistics.median(empty),
        "candles_90_days_M1_ms": 1e3 * statistics.median(candles),
        "listeners": LISTENERS,
        "listeners_core_share": listening(client, pid, seconds, url),
        "memory_mb": memory_mb(pid),
    }


def calls(client: httpx.Client, path: str, seconds: float) -> list[float]:
    """Seconds of one call after the other."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        assert client.get(path).status_code == 200
        times.append(time.perf_counter() - begun)
    return times


def listening(client: httpx.Client, pid: int, seconds: float, url: str) -> float:
    """The share of a core that the API takes while many dashboards listen."""
    ending = threading.Event()
    got = [0] * LISTENERS

    def listen(number: int) -> None:
        address, headers = f"{client.base_url}/api/events", dict(client.headers)
        # The server ends before they do.
        with contextlib.suppress(httpx.HTTPError), httpx.stream("GET", address, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                got[number] += line.startswith("event:")
                if ending.is_set():
                    return

    threads = [threading.Thread(target=listen, args=(n,), daemon=True) for n in range(LISTENERS)]
    for one in threads:
        one.start()
    time.sleep(2)
    before, begun = processor_s(pid), time.monotonic()
    with Database(url, max_size=1) as database:
        while time.monotonic() - begun < 2 * seconds:
            with database.transaction() as connection:
                connection.execute("UPDATE trading_state SET reason = clock_timestamp()::text")
            time.sleep(0.5)
    share = (processor_s(pid) - before) / (time.monotonic() - begun)
    ending.set()
    assert min(got) >= seconds, got
    return share


def processor_s(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What a process holds of memory now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS:"))


def stamp(seconds: int) -> str:
    """A time as the API takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


if __name__ == "__main__":
    main()
