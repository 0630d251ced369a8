"""`sep_trader.load`: candles from the store into a notebook."""

from datetime import datetime
from typing import Any

from pydantic import SecretStr

from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.history.frames import as_kind
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import load_settings
from sep_trader.store.candles import read_or_make


def load(
    instrument: str,
    granularity: str = "M1",
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    *,
    kind: str = "candles",
    url: str | None = None,
) -> Any:
    """Read candles with start <= time < end from the store, oldest first.

    instrument: such as EUR_USD. granularity: M1, H1, ...; lengths that are not stored are made of stored M1 candles.
    start, end: RFC 3339 texts, dates, or aware datetimes. kind: `candles` (numpy columns), `polars`, `pandas`, `arrow`;
    the columns are shared where the other library allows it. url: of the database, the settings' by default.
    An unknown spread is NaN in numpy and pandas, null in polars and Arrow.
    Raises InputError for an unknown pair, granularity, kind or time, StoreUnavailable without a database.
    """
    pair, length = parse_pair(instrument), Granularity.parse(granularity)
    begin, stop = _moment(start), _moment(end)
    settings = load_settings()
    if url is not None:
        settings = settings.model_copy(update={"database_url": SecretStr(url)})
    with open_database(settings) as database:
        candles = read_or_make(database, pair, length, begin, stop)
    return as_kind(candles, kind)


def _moment(when: str | datetime | None) -> datetime | None:
    if when is None:
        return None
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InputError(f"{when} names no time zone", "an aware datetime")
        return when
    return parse_rfc3339(f"{when}T00:00:00Z" if len(when) == 10 else when)
