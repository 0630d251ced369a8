"""What the API tells: every route reads by named queries, and changes nothing."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from sep_trader.api import models
from sep_trader.api.parts import Parts
from sep_trader.api.tables import CSV_TOO, AsFormat, Format, sent
from sep_trader.errors import InputError
from sep_trader.market.instrument import parse_pair
from sep_trader.states import ExecutionStatus, SignalStatus
from sep_trader.store.queries import Row, queries

Days = Annotated[int, Query(ge=1, le=3660, description="Days back from the newest day that has signals or trades.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest.")]
Pair = Annotated[str | None, Query(max_length=20, description="Only this pair, as EUR_USD.")]
Since = Annotated[datetime | None, Query(alias="from", description="From this RFC 3339 time on.")]
Until = Annotated[datetime | None, Query(alias="to", description="Before this RFC 3339 time.")]
Before = Annotated[
    int | None, Query(ge=1, le=2**62, description="The page before this id: the last of the page before.")
]
_LEVELS = ("debug", "info", "warning", "error", "critical")
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MOST_POINTS = 2_000


def read_routes(parts: Parts) -> APIRouter:
    """The routes of what is in tables."""
    router = APIRouter(responses=CSV_TOO)
    _trading(router, parts)
    _money(router, parts)
    _house(router, parts)
    _history(router, parts)
    return router


def named(pair: str | None) -> str | None:
    """A pair as it is written in the tables. Raises InputError for an unknown one."""
    return parse_pair(pair) if pair else None


def within(since: datetime | None, until: datetime | None) -> dict[str, datetime | None]:
    """A span, of aware times. Raises InputError for one that is reversed, or out of every clock's range."""
    span = {"since": _aware(since), "until": _aware(until)}
    begin, end = span["since"], span["until"]
    if begin is not None and end is not None and begin >= end:
        raise InputError("'to' is not after 'from'", "an earlier beginning, or a later end")
    return span


def _aware(when: datetime | None) -> datetime | None:
    if when is None:
        return None
    shown = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    try:
        return min(max(shown, _EARLIEST), _LATEST).astimezone(UTC)
    except OverflowError:
        raise InputError("a time that no clock shows", "as 2026-11-27T00:00:00Z") from None


def _trading(router: APIRouter, parts: Parts) -> None:
    database = parts.database

    @router.get("/api/trades/open", tags=["trades"], response_model=list[models.OpenTrade])
    def trades_open(form: AsFormat = Format.JSON) -> Any:
        """Orders that have, or may have, a trade open at the broker, with what each earns now."""
        with database.transaction() as connection:
            return sent(models.OpenTrade, queries.many(connection, "open_trades", Row), form)

    @router.get("/api/trades/closed", tags=["trades"], response_model=list[models.PagedTrade])
    def trades_closed(
        limit: Limit = 100, pair: Pair = None, since: Since = None, until: Until = None, before: Before = None,
        form: AsFormat = Format.JSON,
    ) -> Any:  # fmt: skip
        """Closed trades, newest first."""
        asked = {"pair": named(pair), "before": before, "limit": limit, **within(since, until)}
        with database.transaction() as connection:
            return sent(models.PagedTrade, queries.many(connection, "trades_page", Row, **asked), form)

    @router.get("/api/executions", tags=["trades"], response_model=list[models.Execution])
    def executions(
        limit: Limit = 100, pair: Pair = None, status: ExecutionStatus | None = None, before: Before = None,
        form: AsFormat = Format.JSON,
    ) -> Any:  # fmt: skip
        """Every order and how far it came, newest first."""
        asked = {"pair": named(pair), "status": status, "before": before, "limit": limit}
        with database.transaction() as connection:
            return sent(models.Execution, queries.many(connection, "executions_page", Row, **asked), form)

    @router.get("/api/signals/recent", tags=["signals"], response_model=list[models.RecentSignal])
    def signals_recent(
        limit: Limit = 50, pair: Pair = None, status: SignalStatus | None = None, since: Since = None,
        until: Until = None, before: UUID | None = None, form: AsFormat = Format.JSON,
    ) -> Any:  # fmt: skip
        """Signals, newest first, with what became of them."""
        asked = {"pair": named(pair), "status": status, "before": before, "limit": limit, **within(since, until)}
        with database.transaction() as connection:
            return sent(models.RecentSignal, queries.many(connection, "signals_page", Row, **asked), form)

    @router.get("/api/pairs", tags=["pairs"], response_model=list[models.Pair])
    def pairs(form: AsFormat = Format.JSON) -> Any:
        """Every trained pair with its verdict, the account behind it, and its right to trade."""
        with database.transaction() as connection:
            return sent(models.Pair, queries.many(connection, "pairs", Row), form)

    @router.get("/api/models", tags=["pairs"], response_model=list[models.ListedModel])
    def models_listed(limit: Limit = 100, form: AsFormat = Format.JSON) -> Any:
        """Trained models, newest first."""
        with database.transaction() as connection:
            return sent(models.ListedModel, queries.many(connection, "models_listed", Row, limit=limit), form)


def _money(router: APIRouter, parts: Parts) -> None:
    database = parts.database

    @router.get("/api/account", tags=["money"], response_model=list[models.Account])
    def account(form: AsFormat = Format.JSON) -> Any:
        """Each account as the trader last saw it: balance, NAV, open profit and loss, margin."""
        with database.transaction() as connection:
            return sent(models.Account, queries.many(connection, "seen_accounts", Row), form)

    @router.get("/api/equity", tags=["money"], response_model=list[models.EquityPoint])
    def equity(since: Since = None, until: Until = None, form: AsFormat = Format.JSON) -> Any:
        """What each account was worth over time, at most 2,000 points, with its drawdown; by default 30 days."""
        span = within(since, until)
        end = span["until"] or datetime.now(UTC)
        begin = span["since"] or end - timedelta(days=30)
        step = max(60.0, (end - begin).total_seconds() / _MOST_POINTS)
        with database.transaction() as connection:
            found = queries.many(connection, "equity", Row, since=begin, until=end, step_s=step)
        return sent(models.EquityPoint, list(with_drawdown(found)), form)

    @router.get("/api/performance/daily", tags=["performance"], response_model=list[models.DailyPerformance])
    def performance_daily(days: Days = 30, form: AsFormat = Format.JSON) -> Any:
        """Per broker day and pair, newest first: signals, trades, win rate, net P&L, drawdown."""
        with database.transaction() as connection:
            return sent(models.DailyPerformance, queries.many(connection, "daily_performance", Row, days=days), form)

    @router.get("/api/performance/pairs", tags=["performance"], response_model=list[models.PairPerformance])
    def performance_pairs(since: Since = None, until: Until = None, form: AsFormat = Format.JSON) -> Any:
        """Closed trades of a span by pair."""
        with database.transaction() as connection:
            found = queries.many(connection, "performance_by_pair", Row, **_ends(since, until))
        return sent(models.PairPerformance, found, form)

    @router.get("/api/performance/hours", tags=["performance"], response_model=list[models.HourPerformance])
    def performance_hours(since: Since = None, until: Until = None, form: AsFormat = Format.JSON) -> Any:
        """Closed trades of a span by the UTC hour of their entry."""
        with database.transaction() as connection:
            found = queries.many(connection, "performance_by_hour", Row, **_ends(since, until))
        return sent(models.HourPerformance, found, form)


def _house(router: APIRouter, parts: Parts) -> None:
    database = parts.database

    @router.get("/api/storage", tags=["house"])
    def storage() -> models.Storage:
        """The volume's areas against their budgets."""
        with database.transaction() as connection:
            return models.Storage.model_validate(parts.measure_storage(connection).as_dict())

    @router.get("/api/backups", tags=["house"])
    def backups() -> models.Backups:
        """The backups that this process may see, newest first."""
        found = parts.backups()
        return models.Backups(known=found is not None, backups=models.rows(models.BackupFile, found or []))

    @router.get("/api/health", tags=["house"])
    def health() -> models.Health:
        """What ought to run and does not, and what else is wrong."""
        with database.transaction() as connection:
            found = parts.findings(connection, datetime.now(UTC))
        return models.Health(ok=all(one["ok"] for one in found), findings=models.rows(models.Checked, found))


def _history(router: APIRouter, parts: Parts) -> None:
    database = parts.database

    @router.get("/api/logs", tags=["house"], response_model=list[models.LogLine])
    def logs(
        limit: Limit = 100,
        level: Annotated[
            str, Query(description="This grave and graver.", pattern="^(" + "|".join(_LEVELS) + ")$")
        ] = "info",
        component: Annotated[str | None, Query(max_length=40)] = None,
        text: Annotated[str | None, Query(max_length=200, description="In the event or the message.")] = None,
        since: Since = None,
        until: Until = None,
        before: Before = None,
        form: AsFormat = Format.JSON,
    ) -> Any:
        """The log, newest first."""
        asked = {"component": clean(component), "levels": list(_LEVELS[_LEVELS.index(level) :]), "text": clean(text)}
        with database.transaction() as connection:
            found = queries.many(
                connection, "log_lines", Row, before=before, after=None, limit=limit, **asked, **within(since, until)
            )
        return sent(models.LogLine, found, form)

    @router.get("/api/changes", tags=["house"], response_model=list[models.ControlChange])
    def changes(limit: Limit = 100, pair: Pair = None, form: AsFormat = Format.JSON) -> Any:
        """Who turned the switch, enabled, overrode or disabled, when and why; newest first."""
        with database.transaction() as connection:
            found = queries.many(connection, "control_changes", Row, pair=named(pair), limit=limit)
        return sent(models.ControlChange, found, form)

    @router.get("/api/requests", tags=["house"], response_model=list[models.Asked])
    def requests(limit: Limit = 100, form: AsFormat = Format.JSON) -> Any:
        """What people asked of the trader, from wherever they did, and what came of it; newest first."""
        with database.transaction() as connection:
            return sent(models.Asked, queries.many(connection, "requests_page", Row, limit=limit), form)

    @router.get("/api/limits", tags=["house"], response_model=list[models.LimitSet])
    def limits(form: AsFormat = Format.JSON) -> Any:
        """Limits that were tightened from afar."""
        with database.transaction() as connection:
            return sent(models.LimitSet, queries.many(connection, "limit_overrides", Row), form)

    @router.get("/api/settings", tags=["house"])
    def settings() -> list[models.Setting]:
        """This process's settings, with their sources; secrets are not shown."""
        return models.rows(models.Setting, parts.settings_shown)


def with_drawdown(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Equity rows, oldest first, each with how far its NAV is below the highest before."""
    highest: dict[str, Any] = {}
    for row in rows:
        high = highest[row["account_id"]] = max(row["nav"], highest.get(row["account_id"], row["nav"]))
        yield {**row, "drawdown": float((high - row["nav"]) / high) if high > 0 else 0.0}


def clean(text: str | None) -> str | None:
    """Text that PostgreSQL takes. Raises InputError for a NUL."""
    if text is not None and "\0" in text:
        raise InputError("a NUL is no text", "leave it out")
    return text


def _ends(since: datetime | None, until: datetime | None) -> dict[str, datetime]:
    span = within(since, until)
    return {"since": span["since"] or _EARLIEST, "until": span["until"] or _LATEST}
