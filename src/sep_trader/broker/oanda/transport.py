"""HTTP to OANDA: one kept pool, both limiters, retries of reads only, and long-lived streams that can be cut.

A read (GET) is tried again after a network error, a 5xx, an unreadable answer or a 429. A write (POST, PUT) is sent at
most once; what is certain of it is told by NotSent, an Answer, or Lost.
"""

import email.utils
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx
import orjson

from sep_trader.broker.deadline import remaining
from sep_trader.broker.oanda.deadline import DeadlineTransport
from sep_trader.broker.oanda.limiter import RateLimiter
from sep_trader.broker.oanda.times import DatetimeFormat
from sep_trader.broker.port import BrokerNotFound
from sep_trader.errors import BrokerAuthError, BrokerError, BrokerUnavailable, InputError

Json = dict[str, Any]
Params = Mapping[str, str | int]

_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


# A change that waited longer than this for the rate limit would act on a price of the past: rather refuse it.
_LONGEST_WRITE_WAIT_S = 2.0
_KEEPALIVE_S = 30.0


class NotSent(Exception):
    """The request never left: no connection, or no slot within the rate limit."""


class Lost(Exception):
    """The request may have arrived, and its answer did not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    content: bytes
    request_id: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try, of a read or of a stream's connection.

    The wait after n failures is random between half and all of base * 2^(n-1), at most `cap_s`. A read is tried
    `attempts` times in all; when the server asks for more than `longest_wait_s` (Retry-After), the read fails as
    unavailable instead.
    """

    attempts: int = 4
    base_s: float = 0.25
    cap_s: float = 5.0
    longest_wait_s: float = 30.0

    def delay(self, failures: int, chance: random.Random | None = None) -> float:
        """Seconds to wait after so many failures (1 or more)."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** (failures - 1))
        return ceiling * (chance or _CHANCE).uniform(0.5, 1.0)


_CHANCE = random.Random()  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the transport asks of its machine; a simulation brings its own. Seconds of a monotonic clock.

    send: takes method, address, parameters and body to the broker in place of the HTTP client, and raises NotSent or
    Lost as it does.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: random.Random = _CHANCE
    send: Callable[[str, str, Params | None, bytes | None], Answer] | None = None


class Transport:
    """Send requests of one account's token to the REST and the stream host."""

    def __init__(
        self,
        *,
        api_url: str,
        stream_url: str,
        token: str,
        timeout_s: float,
        stream_silence_s: float,
        datetime_format: DatetimeFormat,
        retry: Backoff,
        transport: httpx.BaseTransport | None,
        requests_per_s: int = 100,
        surroundings: Surroundings | None = None,
    ) -> None:
        for url in (api_url, stream_url):
            if not url.startswith(("http://", "https://")):
                raise InputError(f"'{url}' is not an address of OANDA", "it starts with https:// or http://")
        self.api_url = api_url.rstrip("/")
        self.stream_url = stream_url.rstrip("/")
        self.timeout_s = timeout_s
        self._stream_timeout = httpx.Timeout(timeout_s, read=stream_silence_s)
        self.retry = retry
        self._around = around = surroundings or Surroundings()
        self.requests = RateLimiter(requests_per_s, clock=around.clock, sleep=around.sleep)
        self.connections = RateLimiter(2, clock=around.clock, sleep=around.sleep)
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept-Datetime-Format": datetime_format,
            "User-Agent": "sep-trader",
        }

        def pool() -> httpx.Client:
            own = transport or DeadlineTransport(max_connections=32, max_keepalive=8, keepalive_expiry_s=_KEEPALIVE_S)
            return httpx.Client(headers=headers, timeout=httpx.Timeout(timeout_s), transport=own)

        # A stream keeps its connection for hours: it must not take one that a read or an order would use again.
        self._http, self._streams = pool(), pool()

    def get(self, path: str, params: Params | None = None) -> Json:
        """Read a JSON object, with retries.

        Raises BrokerUnavailable when it stays unreachable, BrokerAuthError for a 401 or 403, BrokerNotFound for a 404,
        BrokerError for any other refusal.
        """
        url = path if path.startswith("http") else f"{self.api_url}/v3{path}"
        cause = ""
        for failures in range(1, self.retry.attempts + 1):
            wait_s = self.retry.delay(failures, self._around.chance)
            try:
                answer = self._send("GET", url, params=params)
                body = _read(answer, path)
                if body is not None:
                    return body
                cause = f"HTTP {answer.status}" if answer.status != 200 else "an answer that is not JSON"
                wait_s = wait_s if answer.retry_after_s is None else answer.retry_after_s
            except (NotSent, Lost) as error:
                cause = str(error)
            left = remaining()
            if wait_s > self.retry.longest_wait_s:
                cause += f", to be tried again after {wait_s:.0f} s"
                break
            if left is not None and wait_s >= left:
                cause += ", and no time is left"
                break
            if failures < self.retry.attempts:
                self._around.sleep(wait_s)
        raise BrokerUnavailable(
            f"OANDA did not answer GET {path} after {failures} tries: {cause}", "check the connection and try again"
        )

    def write(self, method: str, path: str, body: Json) -> Answer:
        """Send a change once. Raises NotSent when it certainly did not arrive, Lost when nobody knows."""
        wait_s = min(self.timeout_s, _LONGEST_WRITE_WAIT_S)
        return self._send(method, f"{self.api_url}/v3{path}", content=orjson.dumps(body), max_wait_s=wait_s)

    def stream(self, path: str, params: Params | None = None) -> "StreamConnection":
        """Open a stream. Raises BrokerUnavailable, BrokerAuthError or BrokerError; a stream is never retried here."""
        self.requests.acquire()
        request = self._streams.build_request(
            "GET",
            f"{self.stream_url}/v3{path}",
            params=params,
            headers={"Accept-Encoding": "identity"},  # a compressor would hold lines back
            timeout=self._stream_timeout,
            extensions={"trace": self._trace},
        )
        try:
            response = self._streams.send(request, stream=True)
            if response.status_code != 200:
                with closing(response):
                    content = response.read()
                _read(_answer(response, content), path)
                raise BrokerUnavailable(f"OANDA did not open the stream {path}: HTTP {response.status_code}")
        except httpx.RequestError as error:
            raise BrokerUnavailable(f"OANDA's stream {path} cannot be reached: {_cause(error)}") from error
        return StreamConnection(response)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()
        self._streams.close()

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        content: bytes | None = None,
        max_wait_s: float | None = None,
    ) -> Answer:
        left = remaining()
        if left is not None:
            max_wait_s = left if max_wait_s is None else min(max_wait_s, left)
        if not self.requests.acquire(max_wait_s):
            raise NotSent("no free slot within the rate limit")
        answer = self._exchange(method, url, params, content)
        if answer.status == 429:
            self.requests.pause(min(answer.retry_after_s or 1.0, self.retry.longest_wait_s))
        return answer

    def _exchange(self, method: str, url: str, params: Params | None, content: bytes | None) -> Answer:
        if self._around.send is not None:
            return self._around.send(method, url, params, content)
        headers = {"Content-Type": "application/json"} if content is not None else None
        try:
            response = self._http.request(
                method, url, params=params, content=content, headers=headers, extensions={"trace": self._trace}
            )
        except _BEFORE_SENDING as error:
            raise NotSent(_cause(error)) from error
        except httpx.RequestError as error:
            raise Lost(_cause(error)) from error
        return _answer(response, response.content)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        # httpx has no limit of its own on how fast it opens connections; its trace of the pool is where one fits.
        if event == "connection.connect_tcp.started":
            self.connections.acquire()


class StreamConnection:
    """An open stream: iterate over its JSON objects; `abort` from any thread ends the iteration at once."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._aborted = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Json]:
        """Yield each line's object. Raises BrokerUnavailable when the connection breaks or falls silent.

        Ends quietly when the server ends it or after `abort`. A line that is no JSON object breaks the connection.
        """
        try:
            for line in self._response.iter_lines():
                if line.strip():
                    yield _object(line)
        except (httpx.RequestError, httpx.StreamError, ValueError) as error:
            if not self._aborted.is_set():
                raise BrokerUnavailable(f"OANDA's stream broke: {_cause(error)}") from error

    def abort(self) -> None:
        """Cut the connection, so that a reader blocked on it wakes up."""
        self._aborted.set()
        network = self._response.extensions.get("network_stream")
        connection = network.get_extra_info("socket") if network is not None else None
        if connection is not None:
            with suppress(OSError):
                # The plain socket's shutdown: that of a TLS socket would free state which the reader still uses.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


def _object(line: str) -> Json:
    body = orjson.loads(line)
    if not isinstance(body, dict):
        raise ValueError("a line that is no object")
    return body


def _read(answer: Answer, path: str) -> Json | None:
    """The object of a good answer, None for one that is worth another try, else the error that it stands for."""
    try:
        body = orjson.loads(answer.content)
    except ValueError:
        body = None
    if answer.status == 200:
        return body if isinstance(body, dict) else None
    if answer.status in (408, 429) or answer.status >= 500:
        return None
    said = str(body.get("errorMessage", "")) if isinstance(body, dict) else ""
    said = said or f"HTTP {answer.status}"
    if answer.status == 401:
        raise BrokerAuthError(f"OANDA does not accept the token: {said}", "check OANDA_API_KEY and OANDA_ENVIRONMENT")
    if answer.status == 403:
        raise BrokerAuthError(f"OANDA forbids it: {said}", "check that OANDA_ACCOUNT_ID belongs to the token")
    kind = BrokerNotFound if answer.status == 404 else BrokerError
    hint = f"request {answer.request_id}" if answer.request_id else ""
    raise kind(f"OANDA refused GET {path}: {said}", hint)


def _answer(response: httpx.Response, content: bytes) -> Answer:
    headers = response.headers
    wait_s = _retry_after(headers.get("Retry-After", ""))
    return Answer(response.status_code, content, headers.get("RequestID", ""), wait_s)


def _retry_after(text: str) -> float | None:
    """Seconds that a Retry-After asks to wait, given as seconds or as a date; None when it is neither."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _cause(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
