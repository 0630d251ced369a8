"""The HTTP API: reads through the same named queries as the command line. It changes nothing."""

from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from sep_trader.api import models
from sep_trader.errors import InputError, SepError, StoreUnavailable
from sep_trader.market.instrument import parse_pair
from sep_trader.states import SignalStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import Row, queries
from sep_trader.store.storage import Usage
from sep_trader.version import __version__

Measure = Callable[[Connection], Usage]

_ALIVE_S = 30.0
"""A trader that has not reported for so long counts as gone."""

Days = Annotated[int, Query(ge=1, le=3660, description="Days back from the newest day that has signals or trades.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def create_app(database: Database, measure_storage: Measure) -> FastAPI:
    """The application over one database; `measure_storage` measures the volume behind it."""
    app = FastAPI(
        title="SEP Trader",
        version=__version__,
        description="What the trading system knows: status, performance, trades, signals, pairs. Read only.",
        responses={503: {"model": models.Problem, "description": "The database does not answer."}},
    )

    @app.exception_handler(SepError)
    def problem(_: Request, error: SepError) -> JSONResponse:
        code = 503 if isinstance(error, StoreUnavailable) else 422 if isinstance(error, InputError) else 500
        return JSONResponse({"detail": str(error)}, status_code=code)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def dashboard() -> str:
        return (files("sep_trader.api") / "dashboard" / "index.html").read_text("utf-8")

    @app.get("/api/status", tags=["status"])
    def status() -> models.Status:
        """Version, database, broker, switch, enabled pairs, what is newest, open trades, age of the trader's report."""
        with database.transaction() as connection:
            return _status(connection, measure_storage(connection))

    @app.get("/api/performance/daily", tags=["performance"])
    def performance_daily(days: Days = 30) -> list[models.DailyPerformance]:
        """Per UTC day (broker time) and pair, newest first: signals, trades, win rate, net P&L, drawdown."""
        with database.transaction() as connection:
            return models.rows(models.DailyPerformance, queries.many(connection, "daily_performance", Row, days=days))

    @app.get("/api/trades/open", tags=["trades"])
    def trades_open() -> list[models.OpenTrade]:
        """Orders that have, or may have, a trade open at the broker."""
        with database.transaction() as connection:
            return models.rows(models.OpenTrade, queries.many(connection, "open_trades", Row))

    @app.get("/api/trades/closed", tags=["trades"])
    def trades_closed(limit: Limit = 100) -> list[models.ClosedTrade]:
        """Closed trades, newest first."""
        with database.transaction() as connection:
            return models.rows(models.ClosedTrade, queries.many(connection, "closed_trades", Row, limit=limit))

    @app.get("/api/signals/recent", tags=["signals"])
    def signals_recent(
        limit: Limit = 50, pair: str | None = None, status: SignalStatus | None = None
    ) -> list[models.RecentSignal]:
        """Signals, newest first, with what became of them."""
        name = parse_pair(pair) if pair else None
        with database.transaction() as connection:
            found = queries.many(connection, "recent_signals", Row, limit=limit, pair=name, status=status)
            return models.rows(models.RecentSignal, found)

    @app.get("/api/pairs", tags=["pairs"])
    def pairs() -> list[models.Pair]:
        """Every trained pair with its verdict and its right to trade."""
        with database.transaction() as connection:
            return models.rows(models.Pair, queries.many(connection, "pairs", Row))

    return app


def _status(connection: Any, storage: Usage) -> models.Status:
    components = queries.many(connection, "component_status", Row)
    trader = next((c for c in components if c["component"] == "trader"), None)
    details = trader["details"] if trader else {}
    alive = trader is not None and trader["state"] == "running" and trader["age_s"] < _ALIVE_S
    streams = details.get("streams", {})
    return models.Status(
        version=__version__,
        notice=queries.optional(connection, "notice", str),
        database=models.DatabaseStatus.model_validate(queries.only(connection, "database_info", Row)),
        broker=models.BrokerStatus(
            connected=alive and bool(streams) and all(streams.values()),
            account=details.get("account"),
            environment=details.get("environment"),
            broker_time=trader["broker_time"] if trader else None,
            last_transaction_id=details.get("last_transaction_id"),
        ),
        trading_state=models.TradingStatus.model_validate(queries.only(connection, "trading_state", Row)),
        enabled_pairs=[row["pair"] for row in queries.many(connection, "active_pairs", Row)],
        last=models.Newest.model_validate(queries.only(connection, "newest", Row)),
        open_trades=len(queries.many(connection, "open_trades", Row)),
        stream_age_s=_stream_age(trader),
        components=models.rows(models.ComponentStatus, components),
        storage=models.Storage.model_validate(storage.as_dict()),
        statements=models.rows(models.LiveStatement, queries.many(connection, "newest_statements", Row)),
    )


def _stream_age(trader: dict[str, Any] | None) -> float | None:
    """What the trader reported, plus the time since it did."""
    reported = trader["details"].get("stream_age_s") if trader else None
    return None if trader is None or reported is None else round(reported + trader["age_s"], 3)
