"""The gate in front of every route: host, limits, who calls, HEAD and OPTIONS, and headers of every answer."""

import hashlib
import time
from collections.abc import Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sep_trader.api.access import Access, Caller, Role
from sep_trader.api.buckets import Buckets, place_of
from sep_trader.api.parts import Parts
from sep_trader.api.problems import problem
from sep_trader.errors import SepError

COOKIE = "sep_session"
OPEN = ("/healthz", "/readyz", "/login", "/static/", "/manifest.webmanifest", "/sw.js", "/offline", "/favicon.ico")
"""Paths, or beginnings of paths, that need no token."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_BODY = 16_384
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Gate:
    """ASGI: lets in who may come in, and tells the others why not."""

    def __init__(self, app: ASGIApp, parts: Parts, access: Access, routes: Iterable[BaseRoute]) -> None:
        self._app, self._parts, self._access = app, parts, access
        self._routes = list(routes)
        limits = parts.limits
        self._known = Buckets(limits.known_per_s, limits.known_burst)
        self._unknown = Buckets(limits.unknown_per_s, limits.unknown_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with_headers = _Sending(send, head=scope["method"] == "HEAD")
        refused = await self._refused(scope)
        if refused is not None:
            await refused(scope, receive, with_headers)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    async def _refused(self, scope: Scope) -> Response | None:
        """Why this request goes no further; None where it may."""
        headers, path, method = Headers(scope=scope), str(scope["path"]), str(scope["method"])
        if self._parts.hosts and _host(headers) not in self._parts.hosts:
            return problem(421, "this is not a name of this server: SEP_API_HOSTS lists them")
        # A body that does not say its length could be of any.
        if "transfer-encoding" in headers or int(headers.get("content-length") or 0) > _MOST_BODY:
            return problem(413, f"at most {_MOST_BODY} bytes")
        place, now = place_of((scope.get("client") or ("?",))[0]), time.monotonic()
        allowed = self._methods(scope)
        if method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(allowed or sorted(_SAFE))})
        if _is_open(path) or not allowed:
            # What does not exist is no secret; a login may be tried as often as anything without a token.
            tried = path == "/login" and method == "POST"
            wait = self._unknown.wait_s(place, now) if tried or not allowed else 0.0
            return _slower(wait) if wait else None
        try:
            caller = await self._caller(headers)
        except SepError:
            return problem(503, "who you are cannot be looked up: the database does not answer")
        if caller is None:
            return self._unknown_caller(scope, headers, place, now)
        wait = self._known.wait_s(caller.name, now)
        if wait:
            return _slower(wait)
        scope.setdefault("state", {})["caller"] = caller
        return None if method in _SAFE else _may_change(caller, headers)

    def _unknown_caller(self, scope: Scope, headers: Headers, place: str, now: float) -> Response | None:
        path = str(scope["path"])
        if path == "/api/status" and self._parts.public_status and "authorization" not in headers:
            return None  # the route itself says only whether it is well
        wait = self._unknown.wait_s(place, now)
        if wait:
            return _slower(wait)
        if "text/html" in headers.get("accept", "") and not path.startswith("/api/"):
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        text = "send Authorization: Bearer TOKEN; `sep token create NAME --role read` makes one"
        return problem(401, text, {"www-authenticate": 'Bearer realm="SEP Trader"'})

    async def _caller(self, headers: Headers) -> Caller | None:
        if not self._access.is_fresh():
            await to_thread.run_sync(self._access.refresh)
        kind, _, token = headers.get("authorization", "").partition(" ")
        if token:
            if kind.lower() != "bearer":
                return None
            known = self._access.known(token.strip())
            return known or await to_thread.run_sync(self._access.of_token, token.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return None if cookie is None else self._access.of_session(cookie.value)

    def _methods(self, scope: Scope) -> list[str]:
        """The methods of the routes that have this path; empty where none has."""
        found: set[str] = set()
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is not Match.NONE:
                found |= set(getattr(route, "methods", None) or {"GET"})
        return sorted(found | {"HEAD", "OPTIONS"}) if found else []


class _Sending:
    """Sends answers with our headers, and those of HEAD without a body."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send, self._head = send, head

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        elif message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)


class Tagged:
    """ASGI: an ETag for answers that are whole at once; a caller that has it already gets 304."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request, and compare what comes back with what the caller has."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: MutableMapping[str, Any] | None = None

        async def compare(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                first, start = start, None
                if first["status"] == 200 and not message.get("more_body"):
                    tag = f'"{hashlib.blake2b(message["body"], digest_size=12).hexdigest()}"'
                    headers = MutableHeaders(scope=first)
                    headers["etag"] = tag
                    if "no-store" not in headers.get("cache-control", ""):
                        headers.setdefault("cache-control", "private, no-cache")
                    if tag in [one.strip().removeprefix("W/") for one in known.split(",")]:
                        first["status"], message = 304, {**message, "body": b""}
                        del headers["content-length"]
                await send(first)
            await send(message)

        await self._app(scope, receive, compare)


def _is_open(path: str) -> bool:
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN)


def _host(headers: Headers) -> str:
    """The name by which we were called, without a port."""
    host = headers.get("host", "").lower()
    return host.rsplit(":", 1)[0] if not host.endswith("]") else host


def _slower(wait_s: float) -> Response:
    return problem(429, "too many requests: slower, please", {"retry-after": str(max(1, round(wait_s)))})


def _may_change(caller: Caller, headers: Headers) -> Response | None:
    if caller.role is not Role.OPERATE:
        return problem(403, "this token may only read: sep token create NAME --role operate")
    if caller.session is not None and headers.get("x-csrf-token") != caller.csrf:
        return problem(403, "this did not come from a page of ours: reload it")
    return None
