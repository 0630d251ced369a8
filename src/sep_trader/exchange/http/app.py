"""The exchange over HTTP, as a bare ASGI application: authorise, dispatch, answer; faults strike here."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.http import quotations, reads
from sep_trader.exchange.http.admin import administer
from sep_trader.exchange.http.call import Answer, Call
from sep_trader.exchange.http.mishaps import BAD_GATEWAY, STAMP, Struck, Transport, alter_answer, alter_stream, hold
from sep_trader.exchange.http.pacer import Pacer
from sep_trader.exchange.http.streams import Prices, TransactionFeed, price_stream
from sep_trader.exchange.market.figures import SECOND, read_time, unix_text
from sep_trader.exchange.matching import closing, configuration, exits, extensions, placing
from sep_trader.exchange.matching.refusals import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Call], Answer]

_JSON = b"application/json"
# Time (s) for what was written to leave before a connection is broken off.
_FLUSH = 0.05


def _write(act: Callable[..., tuple[int, dict[str, Any]]], *, named: bool) -> Handler:
    """A handler of a trading function; `named`: the path says which order, trade or position it is about."""

    def handler(call: Call) -> Answer:
        about = (call.path[1],) if named else ()
        status, body = act(call.floor, call.account, *about, call.body, call.request)
        created = body.get("orderCreateTransaction")
        if status == 201 and created is not None:
            call.headers.append((b"location", f"/v3/accounts/{call.account.id}/orders/{created['id']}".encode()))
        return status, body

    return handler


def _cancel(call: Call) -> Answer:
    return placing.cancel(call.floor, call.account, call.path[1], call.request)


# By path below accounts/{id}, with * for a name.
ACCOUNT_ROUTES: dict[tuple[str, ...], dict[str, Handler]] = {
    (): {"GET": reads.account},
    ("summary",): {"GET": reads.summary},
    ("instruments",): {"GET": quotations.instruments},
    ("configuration",): {"PATCH": _write(configuration.configure, named=False)},
    ("changes",): {"GET": reads.changes},
    ("instruments", "*", "candles"): {"GET": quotations.account_candles},
    ("candles", "latest"): {"GET": quotations.latest_candles},
    ("pricing",): {"GET": quotations.pricing},
    ("orders",): {"GET": reads.orders, "POST": _write(placing.place_order, named=False)},
    ("pendingOrders",): {"GET": reads.pending_orders},
    ("orders", "*"): {"GET": reads.order, "PUT": _write(placing.replace, named=True)},
    ("orders", "*", "cancel"): {"PUT": _cancel},
    ("orders", "*", "clientExtensions"): {"PUT": _write(extensions.modify_order_extensions, named=True)},
    ("trades",): {"GET": reads.trades},
    ("openTrades",): {"GET": reads.open_trades},
    ("trades", "*"): {"GET": reads.trade},
    ("trades", "*", "close"): {"PUT": _write(closing.close_trade, named=True)},
    ("trades", "*", "orders"): {"PUT": _write(exits.set_exits, named=True)},
    ("trades", "*", "clientExtensions"): {"PUT": _write(extensions.modify_trade_extensions, named=True)},
    ("positions",): {"GET": reads.positions},
    ("openPositions",): {"GET": reads.open_positions},
    ("positions", "*"): {"GET": reads.position},
    ("positions", "*", "close"): {"PUT": _write(closing.close_position, named=True)},
    ("transactions",): {"GET": reads.transactions},
    ("transactions", "idrange"): {"GET": reads.id_range},
    ("transactions", "sinceid"): {"GET": reads.since_id},
    ("transactions", "*"): {"GET": reads.transaction},
}
OTHER_ROUTES: dict[tuple[str, ...], dict[str, Handler]] = {
    ("accounts",): {"GET": reads.accounts},
    ("instruments", "*", "candles"): {"GET": quotations.candles},
}
STREAMS = {("pricing", "stream"), ("transactions", "stream")}
"""Paths below accounts/{id} whose answers do not end."""


class ExchangeApp:
    """The ASGI application: REST, streams and the admin routes on one port."""

    def __init__(self, pacer: Pacer, tokens: dict[str, tuple[Account, ...]]) -> None:
        """`tokens`: which accounts a bearer token opens."""
        self.pacer = pacer
        self.tokens = tokens
        self.prices = Prices()
        self.feed = TransactionFeed()
        self.pacer.exchange.floor.listeners.append(self.feed.listener)
        self._requests = pacer.exchange.now // 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection's request."""
        if scope["type"] == "lifespan":
            await self.pacer.lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = tuple(unquote(part) for part in scope["path"].split("/") if part)
        if parts[:1] == ("_exchange",):
            status, body = await administer(self.pacer, scope["method"], parts[1:], await _body(receive))
            await _respond(send, status, orjson.dumps(body), [])
            return
        self.pacer.advance()
        self._requests += 1
        call = Call(self.pacer.exchange, (), f"{self._requests:018d}")
        headers = dict(scope["headers"])
        unix = headers.get(b"accept-datetime-format", b"").upper() == b"UNIX"
        struck: Struck = {}
        try:
            lines = self._prepare(call, scope, headers, parts)
            handler: Handler | None = None
            route = "/".join(call.path)
            if lines is None:
                handler, route = self._handler(call, scope["method"])
            struck = self.pacer.faults.strike(f"{scope['method']} {route}")
            if struck and await self._refused(struck, scope, receive, send, call, handler):
                return
            if lines is not None:
                await self._stream(call, alter_stream(lines, struck) if struck else lines, scope, send, unix)
                return
            if scope["method"] in ("POST", "PUT", "PATCH") and call.body is None:
                call.body = _decode(await _body(receive))
            status, answer = self._answer(call, handler or reads.accounts, struck)
        except Refusal as no:
            status, answer = no.status, no.body
        encoded = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        if struck:
            encoded = alter_answer(encoded, struck)
            if await self._lost(struck, scope, receive, send, encoded):
                return
        await _respond(send, status, _unix(encoded) if unix else encoded, [*call.headers, _request_header(call)])

    def _answer(self, call: Call, handler: Handler, struck: Struck) -> Answer:
        """Let the handler act; faults may hide the newest transactions or empty the books meanwhile."""
        if rule := struck.get("sinceid_lag"):
            call.hidden_after = call.now - int(rule.seconds * SECOND)
        books = [
            book
            for name, book in call.floor.books.items()
            if (rule := struck.get("empty_book")) and rule.instrument in (None, name)
        ]
        for book in books:
            book.empty = True
        try:
            return handler(call)
        finally:
            for book in books:
                book.empty = False

    async def _refused(
        self, struck: Struck, scope: Scope, receive: Receive, send: Send, call: Call, handler: Handler | None
    ) -> bool:
        """Faults that keep a request from being applied (now); tells whether one did."""
        if "drop_before" in struck:
            _abort(scope)
            return True
        if (rule := struck.get("late_apply")) and handler is not None:
            body = await _body(receive)
            _abort(scope)
            asyncio.get_running_loop().call_later(rule.seconds, self._apply_late, call, handler, body)
            return True
        if "unauthorized" in struck:
            raise Refusal(401, "Insufficient authorization to perform request.")
        if rule := struck.get("rate_limited"):
            if rule.seconds:
                call.headers.append((b"retry-after", f"{rule.seconds:g}".encode()))
            raise Refusal(429, "Rate limit exceeded")
        if "bad_gateway" in struck:
            await _respond(send, 502, BAD_GATEWAY, [], b"text/html")
            return True
        return False

    def _apply_late(self, call: Call, handler: Handler, body: bytes) -> None:
        self.pacer.advance()
        with contextlib.suppress(Refusal):
            call.body = _decode(body)
            handler(call)

    async def _lost(self, struck: Struck, scope: Scope, receive: Receive, send: Send, encoded: bytes) -> bool:
        """Faults that lose or alter_answer the answer of what has been applied; tells whether one did."""
        if "drop_after" in struck:
            _abort(scope)
        elif rule := struck.get("stall"):
            await hold(rule, receive)
            _abort(scope)
        elif "bad_gateway_after" in struck:
            await _respond(send, 502, BAD_GATEWAY, [], b"text/html")
        elif "truncated" in struck:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", _JSON)]})
            await send({"type": "http.response.body", "body": encoded[: len(encoded) // 2], "more_body": True})
            await asyncio.sleep(_FLUSH)
            _abort(scope)
        else:
            if rule := struck.get("delay"):
                await asyncio.sleep(rule.seconds)
            return False
        return True

    def _prepare(
        self, call: Call, scope: Scope, headers: dict[bytes, bytes], parts: tuple[str, ...]
    ) -> AsyncIterator[bytes] | None:
        """Authorise and find the account; returns the lines of a stream if one is asked for."""
        token = headers.get(b"authorization", b"").decode("latin-1")
        accounts = self.tokens.get(token[7:]) if token[:7].lower() == "bearer " else None
        if accounts is None:
            raise Refusal(401, "Insufficient authorization to perform request.")
        call.accounts = accounts
        query = scope["query_string"]
        call.query = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}
        scheme = scope.get("scheme", "http")
        call.base_url = f"{scheme}://{headers.get(b'host', b'localhost').decode('latin-1')}"
        if parts[:1] != ("v3",):
            raise Refusal(404, "The requested resource does not exist")
        call.path = parts[1:]
        if parts[1:2] != ("accounts",) or len(parts) == 2:
            return None
        call.account_found = next((account for account in accounts if account.id == parts[2]), None)
        if call.account_found is None:
            raise Refusal(403, "The provided request was forbidden.")
        call.path = parts[3:]
        if call.path in STREAMS:
            if scope["method"] != "GET":
                raise _wrong_verb()
            pulse = self.pacer
            if call.path[0] == "pricing":
                call.instruments()
                return price_stream(call, self.prices, pulse)
            return self.feed.stream(call, pulse)
        return None

    def _handler(self, call: Call, verb: str) -> tuple[Handler, str]:
        """The handler of a path and the name of its route, such as trades/*/close."""
        path = call.path
        starred = (*path[:1], "*", *path[2:])
        verbs: dict[str, Handler] | None
        if call.account_found is not None:
            route = path if path in ACCOUNT_ROUTES else starred
            verbs = ACCOUNT_ROUTES.get(route)
        else:
            route = path if len(path) == 1 else starred
            verbs = OTHER_ROUTES.get(route)
        if verbs is None:
            raise Refusal(404, "The requested resource does not exist")
        if verb not in verbs:
            raise _wrong_verb()
        return verbs[verb], "/".join(route) or "account"

    async def _stream(self, call: Call, lines: AsyncIterator[bytes], scope: Scope, send: Send, unix: bool) -> None:
        headers = [(b"content-type", b"application/octet-stream"), _request_header(call)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async for part in lines:
                await send({"type": "http.response.body", "body": _unix(part) if unix else part, "more_body": True})
        except ConnectionAbortedError:
            await asyncio.sleep(_FLUSH)
            _abort(scope)
            return
        await send({"type": "http.response.body", "body": b""})


def _abort(scope: Scope) -> None:
    """Break the connection off, where the server lets us at it."""
    transport: Transport | None = scope.get("state", {}).get("transport")
    if transport is not None:
        transport.abort()


def _wrong_verb() -> Refusal:
    return Refusal(405, "The method is not allowed for the requested resource")


def _request_header(call: Call) -> tuple[bytes, bytes]:
    return b"requestid", call.request.encode()


def _unix(encoded: bytes) -> bytes:
    """Rewrite every RFC 3339 stamp of an answer in the UNIX format."""

    def stamp(found: re.Match[bytes]) -> bytes:
        ns = read_time(found[0].decode().strip('"')) or 0
        return f'"{unix_text(ns)}"'.encode()

    return STAMP.sub(stamp, encoded)


async def _body(receive: Receive) -> bytes:
    """The whole body of a request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


def _decode(body: bytes) -> object:
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(400, "Unable to parse the request body as JSON") from None


async def _respond(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], kind: bytes = _JSON
) -> None:
    every = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
