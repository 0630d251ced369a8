"""Limits that a person tightens from afar: below the owner's own, and never above them. Pure."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sep_trader.risk.limits import RiskLimits

MAY_TIGHTEN: Mapping[str, str] = MappingProxyType(
    {
        "risk_per_trade": "share of the NAV that a trade may lose",
        "max_open_trades": "open trades at once",
        "max_daily_loss": "share of the NAV in the broker's day",
        "max_weekly_loss": "share of the NAV in the broker's week",
        "max_drawdown": "share below the highest NAV",
        "max_spread_pips": "spread in pips at which nothing is opened",
        "max_leverage": "gross exposure over NAV",
        "max_currency_exposure": "net exposure in a currency over NAV",
        "max_orders_a_minute": "orders a minute",
    }
)
"""Names, and what each is. The smaller value is the stricter one in all of them."""


def tightened(limits: RiskLimits, overrides: Mapping[str, Decimal]) -> RiskLimits:
    """The limits as they count: of the owner's and the one from afar the stricter, for every pair, too."""
    wanted = {name: value for name, value in overrides.items() if name in MAY_TIGHTEN}
    if not wanted:
        return limits
    pairs = {pair: replace(own, **_stricter(own, wanted)) for pair, own in limits.pairs.items()}
    return replace(limits, **_stricter(limits, wanted), pairs=pairs)


def _stricter(limits: Any, wanted: Mapping[str, Decimal]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields(limits):
        own = getattr(limits, one.name)
        if one.name in wanted and own is not None and wanted[one.name] < own:
            found[one.name] = int(wanted[one.name]) if isinstance(own, int) else wanted[one.name]
    return found
