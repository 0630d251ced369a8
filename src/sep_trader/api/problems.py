"""Errors as application/problem+json (RFC 9457): one shape everywhere, and no word about sockets, paths or input."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from sep_trader.errors import InputError, NotAllowed, SepError, StoreError

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    406: "Not acceptable", 409: "Conflict", 413: "Too large", 421: "Wrong host", 422: "Not understood",
    429: "Too many requests", 500: "Our fault", 503: "Not available",
}  # fmt: skip
_LONGEST = 300


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error: what happened and what to do."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail[:_LONGEST]}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def told_by(app: FastAPI) -> None:
    """Let every error of the application be a problem."""

    @app.exception_handler(SepError)
    def ours(_: Request, error: SepError) -> Response:
        if isinstance(error, InputError):
            return problem(422, error.message if not error.hint else f"{error.message} ({error.hint})")
        if isinstance(error, NotAllowed):
            return problem(403, error.message)
        # Where the database is, or what it said, is for the log of this machine.
        return problem(503 if isinstance(error, StoreError) else 500, "the database does not answer; try again later")

    @app.exception_handler(RequestValidationError)
    def unread(_: Request, error: RequestValidationError) -> Response:
        said = [f"{'.'.join(str(p) for p in one['loc'][1:]) or one['loc'][0]}: {one['msg']}" for one in error.errors()]
        return problem(422, "; ".join(said))

    @app.exception_handler(HTTPException)
    def known(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    def unknown(_: Request, __: Exception) -> Response:
        return problem(500, "an error of this program; its log says more")


def documented() -> dict[int | str, dict[str, Any]]:
    """The errors that every operation may answer, for the API's own description."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }  # fmt: skip
    content = {MEDIA_TYPE: {"schema": schema}}
    return {
        code: {"description": _TITLES[code], "content": content}
        for code in (400, 401, 403, 404, 421, 422, 429, 500, 503)
    }
