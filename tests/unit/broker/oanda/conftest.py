"""A real HTTP server on a free port whose answers, and failures to answer, a test scripts route by route."""

import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.limiter import RateLimiter
from sep_trader.broker.oanda.transport import Backoff

ACCOUNT = "101-001-0000001-001"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Header and body of an answer leave in two writes; without this the second waits for the first's acknowledgement.
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        request = Request(self.command, url.path, query, dict(self.headers), json.loads(content) if content else None)
        self.script.requests.append(request)
        self.script.step(request)(self)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815

    @property
    def script(self) -> "Script":
        assert isinstance(self.server, Server)
        return self.server.script

    def log_message(self, *_: object) -> None:
        pass


Step = Callable[[Handler], None]


class Script:
    """What the server does, by the end of the path. Steps are used up in turn; the last one stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._steps: dict[str, list[Step]] = defaultdict(list)
        self._lock = threading.Lock()

    def on(self, ending: str, *steps: Step) -> None:
        self._steps[ending] = list(steps)

    def step(self, request: Request) -> Step:
        with self._lock:
            for ending, steps in self._steps.items():
                if request.path.endswith(ending):
                    return steps.pop(0) if len(steps) > 1 else steps[0]
        return self.answer(404, {"errorMessage": f"no script for {request.path}"})

    def count(self, ending: str) -> int:
        return sum(request.path.endswith(ending) for request in self.requests)

    def last(self, ending: str) -> Request:
        return next(request for request in reversed(self.requests) if request.path.endswith(ending))

    def answer(self, status: int, body: Any, **headers: str) -> Step:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        def send(handler: Handler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return send

    def silence(self, seconds: float) -> Step:
        """Take the request and say nothing for a while, then hang up."""

        def wait(handler: Handler) -> None:
            self.stopping.wait(seconds)
            handler.close_connection = True

        return wait

    def reset(self) -> Step:
        """Take the request and reset the connection."""

        def hang_up(handler: Handler) -> None:
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True

        return hang_up

    def stream(self, *lines: Any, then: float | None = None, cut: bool = False) -> Step:
        """Send lines in chunks, then: stay silent (seconds), end properly, or break off inside a chunk."""

        def send(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.send_header("Connection", "close")
            handler.end_headers()
            for line in lines:
                content = (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            if then is not None:
                self.stopping.wait(then)
            handler.wfile.write(b"40\r\n{" if cut else b"0\r\n\r\n")
            handler.close_connection = True

        return send


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    script.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., OandaClient]]:
    """Make clients of the scripted server: short timeouts, quick retries."""
    made: list[OandaClient] = []

    def make(*, quick: bool = True, **changes: Any) -> OandaClient:
        given: dict[str, Any] = {
            "api_url": url,
            "stream_url": url,
            "token": "TOKEN",
            "account_id": ACCOUNT,
            "timeout_s": 0.4,
            "stream_silence_s": 0.4,
            "retry": Backoff(base_s=0.01, cap_s=0.05),
        }
        made.append(OandaClient(**(given | changes)))
        if quick:  # failures cost connections, and two a second would make the tests wait
            made[-1]._transport.connections = RateLimiter(100)
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., OandaClient]) -> OandaClient:
    return connect()


@pytest.fixture
def terms() -> dict[str, Any]:
    """The instruments endpoint's answer for EUR_USD and USD_JPY."""
    days = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

    def item(name: str, pip: int, digits: int, charged: tuple[int, ...], **rest: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "CURRENCY",
            "displayName": name.replace("_", "/"),
            "pipLocation": pip,
            "displayPrecision": digits,
            "tradeUnitsPrecision": 0,
            "minimumTradeSize": "1",
            "maximumPositionSize": "0",
            "maximumOrderUnits": "100000000",
            "guaranteedStopLossOrderMode": "DISABLED",
            "tags": [{"type": "ASSET_CLASS", "name": "CURRENCY"}],
            "financing": {
                "longRate": rest["long"],
                "shortRate": rest["short"],
                "financingDaysOfWeek": [
                    {"dayOfWeek": day, "daysCharged": n} for day, n in zip(days, charged, strict=True)
                ],
            },
            "marginRate": rest["margin"],
            "minimumTrailingStopDistance": rest["trailing"],
        }

    euro = item(
        "EUR_USD", -4, 5, (1, 1, 3, 1, 1, 0, 0), long="-0.0247", short="0.0046", margin="0.02", trailing="0.00050"
    )
    yen = item("USD_JPY", -2, 3, (0, 0, 3, 1, 1, 0, 0), long="0.018", short="-0.0383", margin="0.05", trailing="0.050")
    return {"instruments": [euro, yen], "lastTransactionID": "54"}
