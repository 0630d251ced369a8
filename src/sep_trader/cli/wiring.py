"""The composition root: settings in, wired adapters out. Nothing else builds a database or a broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sep_trader.errors import InputError
from sep_trader.settings import OandaEnvironment, Settings
from sep_trader.store.copy_stream import Way
from sep_trader.store.database import Database
from sep_trader.store.migrations import migrate, pending

if TYPE_CHECKING:
    from sep_trader.broker.oanda.client import OandaClient

__all__ = ["database_url", "open_broker", "open_database"]


def database_url(settings: Settings) -> str:
    """The database's address: SEP_DATABASE_URL, or that of the embedded server, started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from sep_trader.store.embedded import start_embedded

    return start_embedded(settings.home)


@contextmanager
def open_database(settings: Settings, *, max_size: int = 4) -> Iterator[Database]:
    """The database, with its schema up to date. The embedded server is migrated automatically, any other by
    `sep db migrate`: raises InputError when that is due."""
    Way.socket = settings.copy_from_socket
    with Database(database_url(settings), max_size=max_size) as database:
        if settings.database_url is None:
            migrate(database)
        elif due := pending(database):
            raise InputError(
                f"the database schema is {len(due)} migrations behind ({due[0]}, ...)", "run: sep db migrate"
            )
        yield database


@contextmanager
def open_broker(settings: Settings) -> "Iterator[OandaClient]":
    """The broker's client. Raises InputError that names the missing setting."""
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
    )
    try:
        yield client
    finally:
        client.close()
