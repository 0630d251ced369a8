"""The network between the trader and the exchange: requests are handed over in memory, and faults strike on the way.

It stands in place of the HTTP client's sending. The exchange's application answers each request at once, so that no
event loop is needed: its coroutine ends at its first send.
"""

import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import httpx
import orjson

from sep_trader.broker.deadline import remaining
from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.transport import Answer, Lost, NotSent, Surroundings
from sep_trader.exchange.http.app import ExchangeApp
from sep_trader.exchange.witness import MARKS
from sep_trader.simulation.clock import VirtualClock

_ADDRESS = "http://exchange.simulation"
_TIMEOUT_S = 5.0
_SLOW_S = 1.5
_LATE_S = 20.0
_NEVER_DONE = frozenset({"refused", "vanished", "late", "gateway", "limited", "unauthorized"})
_ROUTES = {
    "account": "GET account", "pricing": "GET pricing", "record": "GET transactions/sinceid", "order": "POST orders",
}  # fmt: skip
_RULES = {"lag": "sinceid_lag", "skewed": "clock_skew", "stale": "stale_price", "empty": "empty_book"}
_SKEW_S = 86_400.0
_STALE_S = 120.0
_MOVED_TICKS = 200


class Watch(Protocol):
    """Who is asked what goes wrong with a request, and hears of it."""

    def request(self, step: str, method: str, path: str, body: Any) -> tuple[str, float]:
        """Before a request leaves: the fault that strikes it ("" for none) and how long that lasts."""
        ...

    def answered(self, step: str) -> None:
        """After a request was done, whatever came back."""
        ...

    def over(self, step: str, seconds: float) -> None:
        """After a request has ended, one way or the other; how long it took."""
        ...


def step_of(method: str, path: str) -> str:
    """What a request is called in the table of steps."""
    tail = path.rsplit("/", 1)[-1]
    if method == "POST":
        return "order"
    if method == "PUT":
        return {"close": "close", "orders": "protect", MARKS: "mark"}.get(tail, "other")
    return {"pricing": "pricing", "sinceid": "record", "instruments": "terms", "accounts": "terms"}.get(tail, "account")


class Wire:
    """Sends requests of the trader's client to the exchange."""

    def __init__(
        self,
        app: ExchangeApp,
        clock: VirtualClock,
        token: str,
        watch: Watch,
        chance: random.Random,
        late: Callable[[float, Any], None] | None = None,
        latency_s: tuple[float, float] = (0.005, 0.03),
    ) -> None:
        """late: takes a request that arrives after a while; the clock does so unless given. latency_s: the least and
        the most that a request, and its answer, take."""
        self._latency_s = latency_s
        self._late = late or (lambda seconds, request: clock.in_(seconds, lambda: self.hand_over(*request)))
        self._app, self._clock, self._watch, self._chance = app, clock, watch, chance
        self._headers = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"exchange.simulation")]
        self._before: dict[str, Answer] = {}

    def send(self, method: str, url: str, params: Mapping[str, Any] | None, content: bytes | None) -> Answer:
        """Take a request to the exchange and its answer back. Raises NotSent and Lost as the HTTP client does."""
        path = urlsplit(url).path
        step = step_of(method, path)
        body = None if content is None else orjson.loads(content)
        fault, seconds = self._watch.request(step, method, path, body)
        begun = self._clock.monotonic()
        try:
            return self._sent(step, fault, seconds, (method, path, params, content))
        finally:
            self._watch.over(step, self._clock.monotonic() - begun)

    def _sent(self, step: str, fault: str, seconds: float, request: Any) -> Answer:
        self._clock.sleep(self._chance.uniform(*self._latency_s))
        if fault in _NEVER_DONE:
            return self._undone(fault, seconds, request)
        if fault == "moved":
            for book in self._app.pacer.exchange.floor.books.values():
                book.bid, book.ask = book.bid + _MOVED_TICKS, book.ask + _MOVED_TICKS
        answer = self._with_rule(step, fault, seconds, lambda: self.hand_over(*request))
        self._watch.answered(step)
        return self._returned(step, fault, answer)

    def _undone(self, fault: str, seconds: float, request: Any) -> Answer:
        """A request that is not done, or not now."""
        if fault == "refused":
            raise NotSent("ConnectError connection refused")
        if fault in ("vanished", "late"):
            if fault == "late":
                self._late(seconds or _LATE_S, request)
            self._wait(_TIMEOUT_S)
            raise Lost("ReadTimeout the answer did not come")
        if fault == "gateway":
            return Answer(502, b"<html>Bad Gateway</html>")
        if fault == "limited":
            return Answer(429, b'{"errorMessage":"Rate limit exceeded"}', retry_after_s=1.0)
        return Answer(401, b'{"errorMessage":"Insufficient authorization to perform request."}')

    def _returned(self, step: str, fault: str, answer: Answer) -> Answer:
        """What comes back of a request that was done."""
        if fault == "silent":
            self._wait(_TIMEOUT_S)
            raise Lost("ReadTimeout the answer did not come")
        if fault == "slow":
            self._wait(_SLOW_S)
            left = remaining()
            if left is not None and left <= 0:
                raise Lost("ReadTimeout the answer came too late")
        if fault == "lost":
            raise Lost("RemoteProtocolError the connection was closed")
        if fault == "gateway_after":
            return Answer(502, b"<html>Bad Gateway</html>")
        if fault == "truncated":
            return Answer(answer.status, answer.content[: len(answer.content) // 2])
        if step == "account" and fault == "lag":
            return self._before.get(step, answer)
        if step == "record" and fault in ("hole", "reordered", "doubled"):
            answer = Answer(answer.status, _shuffled(answer.content, fault))
        if answer.status == 200:
            self._before[step] = answer
        self._clock.sleep(self._chance.uniform(*self._latency_s))
        return answer

    def _wait(self, longest: float) -> None:
        """Wait for an answer, at most to the caller's deadline."""
        left = remaining()
        self._clock.sleep(longest if left is None else min(longest, left))

    def _with_rule(self, step: str, fault: str, seconds: float, do: Callable[[], Answer]) -> Answer:
        """Do it while one of the exchange's own faults is in force."""
        kind = _RULES.get(fault)
        if kind is None or (step, fault) == ("account", "lag"):
            return do()
        lasting = {"skewed": _SKEW_S, "stale": _STALE_S}.get(fault, seconds + 2.0)
        self._app.pacer.faults.add({"kind": kind, "route": _ROUTES[step], "seconds": lasting})
        try:
            return do()
        finally:
            self._app.pacer.faults.clear()

    def hand_over(self, method: str, path: str, params: Mapping[str, Any] | None, content: bytes | None) -> Answer:
        """Let the exchange do a request now."""
        scope = {
            "type": "http", "method": method, "path": path, "headers": self._headers, "scheme": "http",
            "query_string": urlencode(params or {}).encode(),
        }  # fmt: skip
        return _answered(self._app, scope, content or b"")


def client_on(
    wire: Wire, clock: VirtualClock, chance: random.Random, account_id: str, token: str, *, requests_per_s: int = 60
) -> OandaClient:
    """The real client of an account, whose requests go over a wire and whose waits pass on a virtual clock."""
    around = Surroundings(clock.monotonic, clock.sleep, chance, wire.send)
    return OandaClient(
        api_url=_ADDRESS, stream_url=_ADDRESS, token=token, account_id=account_id, timeout_s=_TIMEOUT_S,
        transport=_NO_NETWORK, requests_per_s=requests_per_s, surroundings=around,
    )  # fmt: skip


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} is asked over a network")


_NO_NETWORK = httpx.MockTransport(_no_network)


def _answered(app: ExchangeApp, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    run: Coroutine[Any, Any, None] = app(scope, receive, send)
    try:
        run.send(None)
    except StopIteration:
        status = next(m["status"] for m in sent if m["type"] == "http.response.start")
        return Answer(status, b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body"))
    raise RuntimeError("the exchange waits within a request")


def _shuffled(content: bytes, fault: str) -> bytes:
    """A record with a hole, in another order, or twice."""
    body = orjson.loads(content)
    items = body["transactions"]
    if fault == "hole" and len(items) > 1:
        items = items[:-2] + items[-1:]
    elif fault == "reordered":
        items = items[::-1]
    elif fault == "doubled":
        items = [*items, *items]
    return orjson.dumps({**body, "transactions": items})
