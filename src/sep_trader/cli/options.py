"""Options that several commands share, each in one wording."""

from typing import Annotated

import typer

from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339

_USUAL = ("EUR_USD", "USD_JPY", "GBP_USD", "AUD_USD", "NZD_USD", "USD_CAD", "USD_CHF", "EUR_GBP", "EUR_JPY")


def known_pairs(incomplete: str) -> list[str]:
    """Pairs that begin so, for the shell's completion: of the database where it answers at once, else usual ones."""
    from sep_trader.settings import load_settings
    from sep_trader.store.database import Database
    from sep_trader.store.queries import Row, queries

    names: list[str] = []
    try:
        url = load_settings().database_url
        if url is not None:
            with (
                Database(url.get_secret_value(), max_size=1, timeout_s=0.5) as database,
                database.transaction() as asked,
            ):
                names = [row["name"] for row in queries.many(asked, "known_pairs", Row)]
    except Exception:  # a shell that completes shows no error
        names = []
    return [name for name in names or _USUAL if name.startswith(incomplete.upper())]


def states(incomplete: str) -> list[str]:
    """States of the switch that begin so."""
    return [state for state in ("active", "reducing", "halted") if state.startswith(incomplete.lower())]


Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides it.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why; recorded.")]
PairName = Annotated[str, typer.Argument(metavar="PAIR", help="As EUR_USD.", autocompletion=known_pairs)]
OnePair = Annotated[str | None, typer.Option("--pair", help="Only this pair, as EUR_USD.", autocompletion=known_pairs)]
From = Annotated[str | None, typer.Option("--from", help="From this date or RFC 3339 time on, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="Before this date or RFC 3339 time.")]


def moment(text: str) -> int:
    """An RFC 3339 time, or a date at midnight UTC, in seconds since the epoch."""
    return int(parse_rfc3339(f"{text}T00:00:00Z" if len(text) == 10 else text).timestamp())


def span(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Both ends in seconds since the epoch. Raises InputError where the end is not after the beginning."""
    begin, stop = (None if text is None else moment(text) for text in (start, end))
    if begin is not None and stop is not None and stop <= begin:
        raise InputError(f"--to {end} is not after --from {start}", "an earlier beginning, or a later end")
    return begin, stop


__all__ = ["By", "From", "Json", "OnePair", "PairName", "To", "Why", "known_pairs", "moment", "span", "states"]
