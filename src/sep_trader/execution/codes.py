"""Our reason codes for what a broker says: its own words stand in the text, never in the code. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from sep_trader.risk.limits import Reason

_OF_WORDS: Mapping[str, Reason] = MappingProxyType(
    {
        "MARKET_HALTED": Reason.MARKET_CLOSED,
        "INSTRUMENT_NOT_TRADEABLE": Reason.MARKET_CLOSED,
        "INSUFFICIENT_MARGIN": Reason.INSUFFICIENT_MARGIN,
        "INSUFFICIENT_LIQUIDITY": Reason.NO_LIQUIDITY,
        "BOUNDS_VIOLATION": Reason.PRICE_MOVED,
        "STOP_LOSS_ON_FILL_LOSS": Reason.PRICE_MOVED,
        "TAKE_PROFIT_ON_FILL_LOSS": Reason.PRICE_MOVED,
        "CLIENT_TRADE_ID_ALREADY_EXISTS": Reason.ORDERED_BEFORE,
        "CLIENT_ORDER_ID_ALREADY_EXISTS": Reason.ORDERED_BEFORE,
        "UNITS_MINIMUM_NOT_MET": Reason.SIZE_BELOW_MINIMUM,
        "UNITS_MIMIMUM_NOT_MET": Reason.SIZE_BELOW_MINIMUM,
        "UNITS_INVALID": Reason.SIZE_BELOW_MINIMUM,
        "NOTHING_OPENED": Reason.NOTHING_OPENED,
        "NOT_SENT": Reason.NOT_SENT,
        "RATE_LIMITED": Reason.NOT_SENT,
    }
)
MARKET_CLOSED = frozenset({"MARKET_HALTED", "INSTRUMENT_NOT_TRADEABLE"})
"""The broker's words for a closed market."""


GONE = frozenset({"TRADE_DOESNT_EXIST", "NO_SUCH_TRADE"})
"""The broker's words for a trade that is closed already."""


def reason_of(words: str) -> Reason:
    """The reason code for a broker's words; BROKER_REFUSED for any that have none of their own."""
    return _OF_WORDS.get(words, Reason.BROKER_REFUSED)
