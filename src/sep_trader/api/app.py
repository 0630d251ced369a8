"""The HTTP API and its dashboard: reads through named queries, requests through rows, behind one gate."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sep_trader.api import models
from sep_trader.api.access import Access
from sep_trader.api.charts import chart_routes
from sep_trader.api.control import control_routes
from sep_trader.api.events import Broadcast, event_routes
from sep_trader.api.gate import Gate, Tagged
from sep_trader.api.metrics import CONTENT_TYPE, metrics
from sep_trader.api.pages import page_routes
from sep_trader.api.parts import Parts
from sep_trader.api.problems import documented, problem, told_by
from sep_trader.api.reads import read_routes
from sep_trader.api.status import Kept, Storage, alive, status_bytes
from sep_trader.api.views import Views
from sep_trader.errors import SepError
from sep_trader.version import __version__

_DESCRIPTION = (
    "What the trading system knows and does. Every call needs `Authorization: Bearer TOKEN`; "
    "`sep token create NAME --role read|operate` makes one. Errors are application/problem+json."
)


def create_app(parts: Parts) -> ASGIApp:
    """The application behind its gate."""
    app = FastAPI(
        title="SEP Trader", version=__version__, description=_DESCRIPTION, responses=documented(), docs_url=None,
        redoc_url=None, openapi_url="/openapi.json",
    )  # fmt: skip
    told_by(app)
    access, storage = Access(parts.database), Storage(parts.measure_storage)
    kept = Kept(lambda: status_bytes(parts, storage))
    views = Views(parts, storage)

    @app.get("/api/status", tags=["status"], response_model=models.Status)
    async def status(request: Request) -> Response:
        """Version, database, broker, switch, enabled pairs, what is newest, open trades, age of the trader's report."""
        known = getattr(request.state, "caller", None) is not None
        if known or not parts.public_status:
            return Response(await kept.value(), media_type="application/json")
        try:
            await kept.value()
            return Response(alive(ok=True).model_dump_json(), media_type="application/json")
        except SepError:
            return Response(alive(ok=False).model_dump_json(), media_type="application/json")

    @app.get("/healthz", tags=["probes"])
    async def healthz() -> models.Alive:
        """This process runs."""
        return alive(ok=True)

    @app.get("/readyz", tags=["probes"], response_model=models.Alive)
    def readyz() -> Response:
        """This process can answer: its database does."""
        try:
            with parts.database.transaction() as connection:
                connection.execute("SELECT 1")
        except SepError:
            return problem(503, "the database does not answer")
        return Response(alive(ok=True).model_dump_json(), media_type="application/json")

    @app.get("/metrics", tags=["probes"], response_class=Response,
             responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    def scraped() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(metrics(parts, storage), media_type=CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(views.bare("docs"))

    routers = [
        read_routes(parts), chart_routes(parts), control_routes(parts),
        event_routes(Broadcast(views, access)), page_routes(parts, access, views),
    ]  # fmt: skip
    for router in routers:
        app.include_router(router)
    inside: ASGIApp = GZipMiddleware(Tagged(app), minimum_size=600, compresslevel=5)
    own = [route for route in app.routes if isinstance(route, Route)]
    return Gate(inside, parts, access, own + [route for router in routers for route in router.routes])
