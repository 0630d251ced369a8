"""The dashboard's pages: rendered on the server, without a build step, and whole without any other server."""

import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sep_trader.api.access import SESSION_S, Access, Caller, Role
from sep_trader.api.gate import COOKIE
from sep_trader.api.parts import Parts
from sep_trader.api.reads import clean, named
from sep_trader.api.views import Views, grouped, page_of
from sep_trader.errors import InputError, StoreError
from sep_trader.market.instrument import parse_pair
from sep_trader.states import SignalStatus
from sep_trader.store.queries import Row, queries
from sep_trader.vendor import text_of
from sep_trader.version import __version__

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_VENDORED = ("lightweight-charts.js", "uPlot.iife.min.js", "uPlot.min.css", "swagger-ui-bundle.js", "swagger-ui.css")
_MOST_FORM = 4_096
_PAGE = 50
Text = Annotated[str | None, Query(max_length=200)]


def page_routes(parts: Parts, access: Access, views: Views) -> APIRouter:
    """Login, the views, and what they are made of."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    _doors(router, parts, access, views)
    _files(router, views)
    _market_views(router, parts, views)
    _record_views(router, parts, views)
    _house_views(router, parts, views)
    return router


def _doors(router: APIRouter, parts: Parts, access: Access, views: Views) -> None:
    def enter(caller: Caller, after: str) -> Response:
        answer = RedirectResponse(_local(after), 303)
        answer.set_cookie(
            COOKIE, access.session_of(caller), max_age=SESSION_S, httponly=True, samesite="strict", secure=parts.secure
        )
        return answer

    @router.get("/login")
    def login(link: Text = None, after: Annotated[str, Query(alias="next", max_length=200)] = "/") -> Response:
        if link:
            _fresh(access)
            caller = access.of_link(link)
            if caller is not None:
                return _entered_by_page(enter(caller, after), after)
        wrong = "This link was used, or is older than ten minutes." if link else ""
        return HTMLResponse(views.bare("login", wrong=wrong, after=_local(after)))

    @router.post("/login")
    async def logged_in(request: Request) -> Response:
        given = parse_qs((await request.body())[:_MOST_FORM].decode("utf-8", "replace"))
        token, after = given.get("token", [""])[0].strip(), given.get("next", ["/"])[0]
        _fresh(access)
        caller = access.of_token(token)
        if caller is None:
            wrong = "No such token, or it was revoked."
            return HTMLResponse(views.bare("login", wrong=wrong, after=_local(after)), 401)
        return enter(caller, after)

    @router.get("/logout")
    def logout() -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _files(router: APIRouter, views: Views) -> None:
    @router.get("/static/{name}")
    def static(name: str) -> Response:
        # Of a fixed list: a name never becomes a path.
        known = {one.name: one for one in _STATIC.iterdir()}
        if name in _VENDORED:
            text = text_of(name)
        elif name in known:
            text = known[name].read_text("utf-8")
        else:
            raise HTTPException(404, "no such file")
        kind = _TYPES[f".{name.rpartition('.')[2]}"]
        return Response(text, media_type=kind, headers={"cache-control": "public, max-age=3600"})

    @router.get("/favicon.ico")
    def favicon() -> Response:
        return Response((_STATIC / "icon.svg").read_text("utf-8"), media_type=_TYPES[".svg"])

    @router.get("/manifest.webmanifest")
    def manifest() -> Response:
        return Response((_STATIC / "manifest.webmanifest").read_text("utf-8"), media_type=_TYPES[".webmanifest"])

    @router.get("/sw.js")
    def worker() -> Response:
        text = (_STATIC / "sw.js").read_text("utf-8").replace("@VERSION@", __version__)
        return Response(text, media_type=_TYPES[".js"], headers={"cache-control": "no-cache"})

    @router.get("/offline")
    def offline() -> str:
        return views.bare("offline")


def _market_views(router: APIRouter, parts: Parts, views: Views) -> None:
    """What is open, and what each pair is worth."""
    database, shown = parts.database, partial(_shown, views)

    @router.get("/")
    def overview(request: Request) -> Response:
        return shown(request, "overview")

    @router.get("/pairs")
    def pairs(request: Request) -> Response:
        def make() -> dict[str, Any]:
            with database.transaction() as connection:
                return {"models": queries.many(connection, "models_listed", Row, limit=50)}

        return shown(request, "pairs", make)

    @router.get("/pairs/{pair}")
    def pair(request: Request, pair: str) -> Response:
        def make() -> dict[str, Any]:
            name = parse_pair(pair)
            with database.transaction() as connection:
                every = queries.many(connection, "pairs", Row)
                closed = queries.many(
                    connection, "trades_page", Row, pair=name, since=None, until=None, before=None, limit=20
                )
                changes = queries.many(connection, "control_changes", Row, pair=name, limit=20)
            one = next((row for row in every if row["pair"] == name), None)
            return {"name": name, "pair": one, "closed_of_pair": closed, "changes": changes}

        return shown(request, "pair", make)

    @router.get("/performance")
    def performance(request: Request) -> Response:
        def make() -> dict[str, Any]:
            with database.transaction() as connection:
                return {"days": queries.many(connection, "daily_performance", Row, days=90)}

        return shown(request, "performance", make)


def _record_views(router: APIRouter, parts: Parts, views: Views) -> None:
    """What was signalled, and what was closed."""
    database, shown = parts.database, partial(_shown, views)

    @router.get("/signals")
    def signals(
        request: Request, pair: Text = None, status: Text = None, before: Text = None, every: bool = False
    ) -> Response:
        def make() -> dict[str, Any]:
            asked = {
                "pair": named(pair),
                "status": _status(status),
                "before": _uuid(before),
                "since": None,
                "until": None,
            }
            most = _PAGE if every else 10 * _PAGE
            with database.transaction() as connection:
                found = queries.many(connection, "signals_page", Row, limit=most + 1, **asked)
            rows, more = page_of(found, most)
            return {"signals": rows if every else grouped(rows), "every": every, "more": more, "pair": pair or "",
                    "status": status or "", "statuses": list(SignalStatus)}  # fmt: skip

        return shown(request, "signals", make)

    @router.get("/trades")
    def trades(
        request: Request, pair: Text = None, before: Annotated[int | None, Query(ge=1, le=2**62)] = None
    ) -> Response:
        def make() -> dict[str, Any]:
            asked = {"pair": named(pair), "before": before, "since": None, "until": None}
            with database.transaction() as connection:
                found = queries.many(connection, "trades_page", Row, limit=_PAGE + 1, **asked)
            rows, more = page_of(found, _PAGE)
            return {"trades": rows, "more": more, "pair": pair or ""}

        return shown(request, "trades", make)


def _house_views(router: APIRouter, parts: Parts, views: Views) -> None:
    """The house itself: room, log, history, settings."""
    database, shown = parts.database, partial(_shown, views)

    @router.get("/storage")
    def storage(request: Request) -> Response:
        def make() -> dict[str, Any]:
            with database.transaction() as connection:
                usage = views.storage.usage(connection)
            return {"usage": usage, "backups": parts.backups()}

        return shown(request, "storage", make)

    @router.get("/logs")
    def logs(
        request: Request, level: Text = "info", component: Text = None, text: Text = None,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    ) -> Response:  # fmt: skip
        def make() -> dict[str, Any]:
            levels = ["debug", "info", "warning", "error", "critical"]
            graver = levels[levels.index(level) :] if level in levels else levels[1:]
            asked = {"component": clean(component) or None, "levels": graver, "text": clean(text) or None}
            with database.transaction() as connection:
                found = queries.many(
                    connection,
                    "log_lines",
                    Row,
                    before=before,
                    after=None,
                    since=None,
                    until=None,
                    limit=_PAGE + 1,
                    **asked,
                )
            rows, more = page_of(found, _PAGE)
            return {"lines": rows, "more": more, "level": level, "component": component or "", "text": text or "",
                    "levels": levels}  # fmt: skip

        return shown(request, "logs", make)

    @router.get("/changes")
    def changes(request: Request) -> Response:
        def make() -> dict[str, Any]:
            with database.transaction() as connection:
                return {
                    "changes": queries.many(connection, "control_changes", Row, pair=None, limit=100),
                    "asked": queries.many(connection, "requests_page", Row, limit=50),
                }

        return shown(request, "changes", make)

    @router.get("/settings")
    def settings(request: Request) -> Response:
        return shown(request, "settings", lambda: {"settings": parts.settings_shown})


def _shown(views: Views, request: Request, name: str, make: Callable[[], dict[str, Any]] = dict) -> Response:
    """A page for who calls; one line of words where the database is away, or what was asked cannot be."""
    caller: Caller = request.state.caller
    values = {
        "caller": caller,
        "operates": caller.role is Role.OPERATE,
        "csrf": caller.csrf if caller.session else "",
    }
    try:
        return HTMLResponse(views.page(name, {**values, **make()}))
    except StoreError:
        return HTMLResponse(views.bare("away"), 503)
    except InputError as error:
        return HTMLResponse(views.bare("away", wrong=html.escape(error.message)), 422)


def _fresh(access: Access) -> None:
    if not access.is_fresh():
        access.refresh()


def _entered_by_page(answer: Response, after: str) -> Response:
    """A strict cookie is not sent along a redirect that another site began: the page itself goes on."""
    answer.status_code = 200
    del answer.headers["location"]
    where = html.escape(_local(after), quote=True)
    answer.body = (
        f'<!doctype html><meta http-equiv="refresh" content="0;url={where}"><a href="{where}">go on</a>'.encode()
    )
    answer.headers["content-length"] = str(len(answer.body))
    answer.headers["content-type"] = "text/html; charset=utf-8"
    return answer


def _local(after: str) -> str:
    """Where to go after a login: a path of this server, and nothing that leads elsewhere."""
    parts = urlsplit(after)
    return after if after.startswith("/") and not after.startswith(("//", "/\\")) and not parts.netloc else "/"


def _status(text: str | None) -> str | None:
    return text if text in set(SignalStatus) else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InputError("no such page", "go back to the first") from None
