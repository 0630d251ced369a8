"""What the OANDA client itself costs: an order from call to outcome without the broker's time, and a page of candles.

Run: python benchmarks/oanda_client.py [--json] [--orders N]
The broker is a process of its own on loopback that answers at once and notes how long it took for each order.
"""

import argparse
import json
import multiprocessing
import platform
import socket
import statistics
import time
from collections.abc import Iterator
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

import httpx
import numpy
import orjson

from sep_trader.broker.oanda.candle_wire import candles
from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.port import Filled, MarketOrder
from sep_trader.market.granularity import Granularity

RUNS = 5
CANDLES = 5000
TIME = "2026-09-23T21:14:07.570329138Z"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--orders", type=int, default=400, help="orders in each of the 5 runs")
    arguments = parser.parse_args()
    figures = machine() | parse_figures() | order_figures(arguments.orders)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}" if isinstance(value, float) else f"{name:32} {value}")


def machine() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "cores": multiprocessing.cpu_count(),
        "python": platform.python_version(),
        "httpx": httpx.__version__,
        "orjson": orjson.__version__,
        "numpy": numpy.__version__,
    }


def parse_figures() -> dict[str, Any]:
    """Milliseconds from an answer's bytes to columns; the ratio is to reading its JSON alone."""
    content = candle_body()
    whole, read = [], []
    for _ in range(RUNS * 3):
        started = time.perf_counter()
        body = orjson.loads(content)
        parsed = time.perf_counter()
        found = candles(body, "EUR_USD", Granularity.M1)
        ended = time.perf_counter()
        assert len(found) == CANDLES
        whole.append((ended - started) * 1000)
        read.append((parsed - started) * 1000)
    return {
        "candles": CANDLES,
        "candles_body_bytes": len(content),
        "parse_candles_ms": statistics.median(whole),
        "parse_candles_worst_ms": max(whole),
        "parse_to_json_ratio": statistics.median(whole) / statistics.median(read),
    }


def order_figures(orders: int) -> dict[str, Any]:
    """Milliseconds from `place` to the outcome minus the broker's own: median and p99, each the median of 5 runs."""
    ours, theirs = multiprocessing.Pipe()
    broker = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    broker.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    client = OandaClient(api_url=url, stream_url=url, token="T", account_id="A")
    client.instruments()
    place(client, 50)
    ours.send("times")
    ours.recv()
    middles, tails = [], []
    for _ in range(RUNS):
        totals = place(client, orders)
        ours.send("times")
        overheads = sorted(total - taken for total, taken in zip(totals, ours.recv(), strict=True))
        middles.append(statistics.median(overheads) * 1000)
        tails.append(overheads[int(len(overheads) * 0.99)] * 1000)
    ours.send("stop")
    client.close()
    broker.join(5)
    return {
        "orders": RUNS * orders,
        "order_overhead_p50_ms": statistics.median(middles),
        "order_overhead_p99_ms": statistics.median(tails),
        "order_overhead_p99_worst_run_ms": max(tails),
    }


def place(client: OandaClient, count: int) -> list[float]:
    """Seconds of each order, sent slower than the rate limit so that waiting for a slot is not measured."""
    times = []
    for number in range(count):
        order = MarketOrder("EUR_USD", Decimal(1000), f"sep-{number}", Decimal("1.1"), Decimal("1.2"))
        started = time.perf_counter()
        outcome = client.place(order)
        times.append(time.perf_counter() - started)
        assert isinstance(outcome, Filled)
        time.sleep(0.011)
    return times


def candle_body() -> bytes:
    start = 1_700_000_000 // 60 * 60

    def candle(index: int) -> dict[str, Any]:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start + 60 * index))
        prices = {name: f"{1.1 + (index * 7 + step) % 900 / 1e5:.5f}" for step, name in enumerate("ohlc")}
        return {"complete": True, "volume": index % 97, "time": f"{when}.000000000Z", "bid": prices, "ask": prices}

    body = {"instrument": "EUR_USD", "granularity": "M1", "candles": [candle(n) for n in range(CANDLES)]}
    return orjson.dumps(body)


def serve(control: Connection) -> None:
    """Answer orders with a fill as fast as sockets go; send the times taken when asked."""
    answers = {b"GET": http_answer(200, terms()), b"POS": http_answer(201, fill())}
    times: list[float] = []
    listener = socket.create_server(("127.0.0.1", 0))
    control.send(listener.getsockname()[1])
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in requests(connection, control, times):
        started = time.perf_counter()
        answer = answers[request[:3]]
        connection.sendall(answer)
        if request[:3] == b"POS":
            times.append(time.perf_counter() - started)


def requests(connection: socket.socket, control: Connection, times: list[float]) -> Iterator[bytes]:
    """Yield whole requests; between them answer the control pipe."""
    received = b""
    while True:
        while not is_whole(received):
            connection.settimeout(0.005)
            try:
                received += connection.recv(65536)
            except TimeoutError:
                if control.poll():
                    if control.recv() == "stop":
                        return
                    control.send(list(times))
                    times.clear()
        yield received
        received = b""


def is_whole(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return not lengths or len(body) >= int(lengths[0].split(b":")[1])


def http_answer(status: int, body: dict[str, Any]) -> bytes:
    content = orjson.dumps(body)
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def terms() -> dict[str, Any]:
    item = {"name": "EUR_USD", "type": "CURRENCY", "pipLocation": -4, "displayPrecision": 5, "tradeUnitsPrecision": 0}
    sizes = {"minimumTradeSize": "1", "maximumOrderUnits": "100000000", "marginRate": "0.02"}
    return {"instruments": [item | sizes | {"minimumTrailingStopDistance": "0.0005"}], "lastTransactionID": "1"}


def fill() -> dict[str, Any]:
    order = {"id": "30", "type": "MARKET_ORDER", "time": TIME, "instrument": "EUR_USD", "units": "1000"}
    opened = {"tradeID": "31", "units": "1000", "price": "1.13835", "initialMarginRequired": "22.7670"}
    money = {"pl": "0.0000", "financing": "0.0000", "halfSpreadCost": "0.1000", "accountBalance": "100000.0000"}
    filled = {"id": "31", "type": "ORDER_FILL", "time": TIME, "orderID": "30", "instrument": "EUR_USD", "units": "1000"}
    fill = filled | money | {"price": "1.13835", "tradeOpened": opened}
    return {"orderCreateTransaction": order, "orderFillTransaction": fill, "lastTransactionID": "33"}


if __name__ == "__main__":
    main()
