"""What turns the switch without a person, and how far: one table. Pure.

A protection only turns down. What is HALTED stays HALTED, with the words of who halted.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from sep_trader.risk.limits import Reason


class Protection(StrEnum):
    """Who turns the switch when it is no person: the words in trading_state.changed_by."""

    DAILY_LOSS = "daily loss limit"
    WEEKLY_LOSS = "weekly loss limit"
    DRAWDOWN = "drawdown limit"
    MARGIN_CLOSEOUT = "margin closeout"
    UNKNOWN_ORDERS = "unknown orders"
    BALANCE = "balance difference"
    BOOKS = "books in doubt"
    FOREIGN_ACCOUNT = "foreign account"
    NEW_ACCOUNT = "account begun anew"
    TWO_DATABASES = "two databases"
    UNREADABLE = "unreadable transaction"
    ACCOUNT_KIND = "account cannot be traded"


class Consequence(StrEnum):
    """What a protection does."""

    REDUCE = "reduce"
    """REDUCING: nothing is opened; exits and protection go on."""
    FLATTEN = "flatten"
    """REDUCING, and every trade of ours is closed."""
    HALT = "halt"
    """HALTED: nothing is sent, since what would be sent might be wrong. A person looks."""


CONSEQUENCES: Mapping[Protection, Consequence] = MappingProxyType(
    {
        Protection.DAILY_LOSS: Consequence.REDUCE,
        Protection.WEEKLY_LOSS: Consequence.REDUCE,
        Protection.DRAWDOWN: Consequence.REDUCE,
        Protection.MARGIN_CLOSEOUT: Consequence.REDUCE,
        Protection.UNKNOWN_ORDERS: Consequence.REDUCE,
        Protection.BALANCE: Consequence.REDUCE,
        Protection.BOOKS: Consequence.HALT,
        Protection.FOREIGN_ACCOUNT: Consequence.HALT,
        Protection.NEW_ACCOUNT: Consequence.HALT,
        Protection.TWO_DATABASES: Consequence.HALT,
        Protection.UNREADABLE: Consequence.HALT,
        Protection.ACCOUNT_KIND: Consequence.HALT,
    }
)
"""What each protection does unless the owner's file of limits says otherwise."""

OF_LOSSES: Mapping[Reason, Protection] = MappingProxyType(
    {
        Reason.DAILY_LOSS_LIMIT: Protection.DAILY_LOSS,
        Reason.WEEKLY_LOSS_LIMIT: Protection.WEEKLY_LOSS,
        Reason.MAX_DRAWDOWN: Protection.DRAWDOWN,
    }
)
"""The protection of each loss limit."""

CHOSEN = frozenset({Protection.DAILY_LOSS, Protection.WEEKLY_LOSS, Protection.DRAWDOWN, Protection.MARGIN_CLOSEOUT})
"""Those whose consequence the owner may choose."""
