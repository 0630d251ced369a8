"""Figures of the simulated exchange: orders over HTTP, streaming, memory, replay. `--json` prints one object.

Orders: four connections place market orders one after another, the server pinned to one core. Streaming: five clients
read 28 instruments at four prices a second each; the server's processor time over real time. Memory: peak of the server
in the second million quotes of a stepped market against the first. Replay: 13 days of real EUR_USD ticks through
matching with 100 resting orders and an open trade with a trailing stop, as fast as it goes.
"""

import argparse
import http.client
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.exchange import Running, launched

from sep_trader.exchange.build import ExchangeSettings, build
from sep_trader.exchange.matching import placing

ACCOUNT, TOKEN = "101-001-0000001-001", "benchmark"
BASIC = ("--token", TOKEN, "--account", ACCOUNT)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
DATA = Path(os.environ.get("SEP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "lean-oanda"
RUNS = 5
SECOND = 1_000_000_000


def connect(running: Running) -> http.client.HTTPConnection:
    """A kept connection to an exchange."""
    where = urlsplit(running.url)
    return http.client.HTTPConnection(str(where.hostname), where.port)


def ask(connection: http.client.HTTPConnection, verb: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """One request; (status, body)."""
    connection.request(verb, path, None if body is None else json.dumps(body), HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read()


def pin(running: Running) -> None:
    """Give the server a core of its own, as far as there is one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(running.process.pid, {cores[0]})
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def orders(count: int = 2000, connections: int = 4) -> dict[str, float]:
    """Market orders a second and the 99th percentile of their latency, ms: medians of the runs."""
    rates, tails = [], []
    with launched(*BASIC, "--clock", "live", "--seed", "7") as running:
        pin(running)
        for _ in range(RUNS):
            latencies: list[float] = []

            def trade(share: int, latencies: list[float] = latencies) -> None:
                connection = connect(running)
                for i in range(share):
                    units = "1000" if i % 2 else "-1000"
                    body = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": units}}
                    begin = time.perf_counter()
                    status, answer = ask(connection, "POST", f"/v3/accounts/{ACCOUNT}/orders", body)
                    latencies.append(time.perf_counter() - begin)
                    assert status == 201 and b"orderFillTransaction" in answer, answer

            threads = [threading.Thread(target=trade, args=(count // connections,)) for _ in range(connections)]
            begin = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rates.append(count / (time.perf_counter() - begin))
            tails.append(statistics.quantiles(latencies, n=100)[98] * 1000)
    return {"orders_per_second": statistics.median(rates), "order_p99_ms": statistics.median(tails)}


def streaming(seconds: float = 5.0, clients: int = 5) -> dict[str, float]:
    """Processor share of the server, percent of a core, and prices that each client got a second."""
    shares, prices = [], []
    with launched(*BASIC, "--clock", "live", "--seed", "7", "--rate", "4") as running:
        status, found = ask(connect(running), "GET", f"/v3/accounts/{ACCOUNT}/instruments")
        names = [item["name"] for item in json.loads(found)["instruments"]]
        assert status == 200 and len(names) == 28
        over, counts = threading.Event(), [0] * clients

        def listen(which: int) -> None:
            connection = connect(running)
            connection.request(
                "GET", f"/v3/accounts/{ACCOUNT}/pricing/stream?instruments={','.join(names)}", None, HEADERS
            )
            answer = connection.getresponse()
            while not over.is_set():
                counts[which] += b'"PRICE"' in answer.readline()
            answer.close()

        threads = [threading.Thread(target=listen, args=(i,), daemon=True) for i in range(clients)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        for _ in range(RUNS):
            begin, used, before = time.perf_counter(), processor_seconds(running.process.pid), sum(counts)
            time.sleep(seconds)
            elapsed = time.perf_counter() - begin
            shares.append(100 * (processor_seconds(running.process.pid) - used) / elapsed)
            prices.append((sum(counts) - before) / elapsed / clients)
        over.set()
        for thread in threads:
            thread.join(2)
    return {"stream_core_percent": statistics.median(shares), "stream_prices_per_second": statistics.median(prices)}


def memory() -> dict[str, float]:
    """Peak of the server's memory, MiB, in a second million quotes, and how much that is above the first million's."""
    with launched(*BASIC, "--clock", "stepped", "--seed", "7", "--rate", "4", "--hours", "always") as running:
        connection = connect(running)

        def play(quotes: int) -> tuple[int, float]:
            begin = now = json.loads(ask(connection, "GET", "/_exchange/state")[1])["quotes"]
            peak = 0.0
            while now - begin < quotes:
                ask(connection, "POST", "/_exchange/step", {"seconds": 600})
                now = json.loads(ask(connection, "GET", "/_exchange/state")[1])["quotes"]
                peak = max(peak, resident_mib(running.process.pid))
            return int(now - begin), peak

        _, before = play(1_000_000)
        played, after = play(1_000_000)
    return {"memory_mib": after, "memory_growth_mib": after - before, "memory_quotes": played}


def replay() -> dict[str, float]:
    """Real ticks a second through matching with 100 resting orders: median of the runs."""
    rates, ticks = [], 0
    for _ in range(RUNS):
        app = build(
            ExchangeSettings(tokens=[TOKEN], accounts=[ACCOUNT], data=[DATA / "tick" / "eurusd"], clock="stepped")
        )
        exchange = app.pacer.exchange
        floor, account = exchange.floor, exchange.floor.accounts[ACCOUNT]
        exchange.advance(exchange.now + 3600 * SECOND)
        for i in range(50):
            for units, price in (("1", 1.30 + i / 10_000), ("-1", 1.45 + i / 10_000)):
                order = {"type": "LIMIT", "instrument": "EUR_USD", "units": units, "price": f"{price:.5f}"}
                placing.place_order(floor, account, {"order": order}, "1")
        assert len(account.pending) == 100
        trailing: dict[str, Any] = {
            "type": "MARKET",
            "instrument": "EUR_USD",
            "units": "1000",
            "trailingStopLossOnFill": {"distance": "0.1"},
        }
        placing.place_order(floor, account, {"order": trailing}, "1")
        begin, before = time.perf_counter(), exchange.quotes
        exchange.advance(exchange.now + 20 * 86_400 * SECOND)
        ticks = exchange.quotes - before
        rates.append(ticks / (time.perf_counter() - begin))
        assert exchange.next_quote is None
    return {"replay_ticks_per_second": statistics.median(rates), "replay_ticks": ticks}


FIGURES: dict[str, tuple[Callable[[], dict[str, float]], str]] = {
    "orders": (orders, "at least 400 market orders/s, p99 under 10 ms"),
    "streaming": (streaming, "28 instruments, 4 prices/s, 5 clients: under 20 % of a core"),
    "memory": (memory, "flat over 1,000,000 quotes"),
    "replay": (replay, "at least 50,000 ticks/s with 100 resting orders"),
}


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=FIGURES, help="measure one figure")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("uvicorn", "orjson", "numpy")},
        "runs": RUNS,
    }
    for name, (measure, aim) in FIGURES.items():
        if options.only in (None, name):
            found = measure()
            result |= {key: round(value, 2) for key, value in found.items()}
            if not options.json:
                print(f"{name:10} {aim}")
                for key, value in found.items():
                    print(f"    {key:28} {value:14,.2f}")
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['machine']}, Python {result['python']}, {result['versions']}, medians of {RUNS}")


if __name__ == "__main__":
    main()
