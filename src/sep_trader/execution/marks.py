"""What this system writes on its trades at the broker, so that a fresh process without a database can close and protect
them, and a second database on the account is noticed. Pure.

The id is that of the order, `sep-` and the signal's id. The tag is `sep:` and the database's id. The comment holds when
the trade ends at the latest and how far its stop is from the fill.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID

from sep_trader.broker.port import BrokerTrade
from sep_trader.errors import InputError
from sep_trader.market.clock import format_rfc3339, parse_rfc3339

OUR_MARK = "sep-"
"""The client id of every order that this system sends begins with it."""
TAG = "sep:"


class Owner(StrEnum):
    """Whose trade it is (broker_accounts.trades, owner)."""

    OURS = "ours"
    PERSON = "person"
    """A person's own: it is shown and left alone."""
    ANOTHER = "another"
    """Of this system, with another database."""


@dataclass(frozen=True, slots=True)
class Terms:
    """When a trade of ours ends at the latest (broker time), and how far its stop is from the fill (price units)."""

    horizon_at: datetime
    stop_distance: Decimal


def client_id_of(signal: UUID) -> str:
    """What the order of a signal is called at the broker; the same whenever it is tried."""
    return f"{OUR_MARK}{signal.hex}"


def tag_of(database_id: str) -> str:
    """The tag of every trade that this database opens."""
    return f"{TAG}{database_id}"


def comment_of(terms: Terms) -> str:
    """The terms as the comment of a trade."""
    return f"until {format_rfc3339(terms.horizon_at)} stop {terms.stop_distance:f}"


def terms_of(comment: str | None) -> Terms | None:
    """The terms that a comment holds; None for any other text."""
    words = (comment or "").split()
    if len(words) != 4 or words[0] != "until" or words[2] != "stop":
        return None
    try:
        distance = Decimal(words[3])
        return Terms(parse_rfc3339(words[1]), distance) if distance.is_finite() and distance > 0 else None
    except (InputError, InvalidOperation):
        return None


def carries(trade: BrokerTrade, client_id: str, database_id: str, terms: Terms) -> bool:
    """Whether a trade carries these marks at the broker."""
    return (trade.client_id, trade.tag, trade.comment) == (client_id, tag_of(database_id), comment_of(terms))


def owner_of(trade: BrokerTrade, database_id: str | None) -> Owner:
    """Whose trade it is, by its marks. Without a database at hand (None) every marked trade counts as ours."""
    tag = trade.tag or ""
    if tag.startswith(TAG):
        return Owner.OURS if database_id is None or tag == tag_of(database_id) else Owner.ANOTHER
    return Owner.OURS if (trade.client_id or "").startswith(OUR_MARK) else Owner.PERSON
