"""The composition root: settings in, wired adapters out. Nothing else builds a database or a broker."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sep_trader.errors import InputError
from sep_trader.settings import OandaEnvironment, Settings
from sep_trader.store.copy_stream import Way
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate, require_current

if TYPE_CHECKING:
    from sep_trader.broker.oanda.client import OandaClient
    from sep_trader.execution.exits import ExitRules
    from sep_trader.ops.health import Questions
    from sep_trader.risk.limits import RiskLimits
    from sep_trader.risk.protections import Consequence, Protection

__all__ = ["Risk", "database_url", "open_broker", "open_database", "questions_of", "risk_of"]


def database_url(settings: Settings) -> str:
    """The database's address: SEP_DATABASE_URL, or that of the embedded server, started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from sep_trader.store.embedded import start_embedded

    return start_embedded(settings.home)


@contextmanager
def open_database(settings: Settings, *, max_size: int = 4) -> Iterator[Database]:
    """The database, with its schema up to date. The embedded server is migrated automatically, any other by
    `sep db migrate`: raises InputError when that is due, and for the schema of a newer release."""
    Way.socket = settings.copy_from_socket
    with Database(database_url(settings), max_size=max_size) as database:
        if settings.database_url is None:
            migrate(database)
        else:
            require_current(database)
        yield database


def questions_of(settings: Settings) -> "Questions":
    """What the health check asks of this machine."""
    from sep_trader.ops.health import Questions

    return Questions(settings.backup_dir, settings.data_dir, settings.signal_silence_h)


@dataclass(frozen=True, slots=True)
class Risk:
    """The owner's risk settings, of the environment and of the files that it names."""

    limits: "RiskLimits"
    consequences: "Mapping[Protection, Consequence]"
    exits: "ExitRules"


def risk_of(settings: Settings) -> Risk:
    """Limits, what protections do, and exits. Raises InputError for a file that cannot be read."""
    from sep_trader.execution.exits import ExitRules
    from sep_trader.risk.limits import RiskLimits
    from sep_trader.risk.terms import RiskTerms, read_news, read_terms

    limits = RiskLimits(
        risk_per_trade=settings.risk_per_trade,
        max_open_trades=settings.max_open_trades,
        max_daily_loss=settings.max_daily_loss,
        max_weekly_loss=settings.max_weekly_loss,
        max_drawdown=settings.max_drawdown,
        max_spread_pips=settings.max_spread_pips,
        price_max_age_s=settings.price_max_age_s,
        max_leverage=settings.max_leverage,
        max_currency_exposure=settings.max_currency_exposure,
        min_stop_pips=settings.min_stop_pips,
        margin_headroom=settings.margin_headroom,
        losing_streak=settings.losing_streak,
        cooldown_minutes=settings.cooldown_minutes,
        max_orders_a_minute=settings.max_orders_a_minute,
    )
    terms = RiskTerms(limits)
    if settings.risk_file is not None:
        terms = read_terms(_text(settings.risk_file, "SEP_RISK_FILE"), str(settings.risk_file), limits)
    if settings.news_file is not None:
        news = read_news(_text(settings.news_file, "SEP_NEWS_FILE"), str(settings.news_file))
        terms = replace(terms, limits=replace(terms.limits, news=news))
    return Risk(terms.limits, terms.consequences, ExitRules(**terms.exits))


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", f"see {setting}") from None


@contextmanager
def open_broker(settings: Settings, *, requests_per_s: int = 20) -> "Iterator[OandaClient]":
    """The broker's client. Raises InputError that names the missing setting.

    requests_per_s: this program's share of what the broker allows one address.
    """
    # Commands that ask no broker start without its client.
    from sep_trader.broker.oanda.client import OandaClient
    from sep_trader.broker.oanda.hosts import hosts

    if settings.oanda_api_key is None:
        raise InputError("no broker token", "set OANDA_API_KEY in the environment or OANDA.env")
    if settings.oanda_account_id is None:
        raise InputError("no broker account", "set OANDA_ACCOUNT_ID in the environment or OANDA.env")
    if settings.oanda_environment is OandaEnvironment.CUSTOM:
        if settings.oanda_api_url is None:
            raise InputError("OANDA_ENVIRONMENT is custom without an address", "set OANDA_API_URL")
        api_url, stream_url = settings.oanda_api_url, settings.oanda_stream_url or settings.oanda_api_url
    else:
        api_url, stream_url = hosts(settings.oanda_environment.value)
    if settings.oanda_environment is not OandaEnvironment.LIVE and "fxtrade" in api_url:
        raise InputError(f"{api_url} is OANDA's live address", "set OANDA_ENVIRONMENT=live, with all that it asks for")
    client = OandaClient(
        api_url=api_url,
        stream_url=stream_url,
        token=settings.oanda_api_key.get_secret_value(),
        account_id=settings.oanda_account_id,
        requests_per_s=requests_per_s,
    )
    try:
        yield client
    finally:
        client.close()
