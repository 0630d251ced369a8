"""An order as the exchange holds it: its wire fields, the numbers read from them, and what triggers it."""

from dataclasses import dataclass, field
from typing import Any

from sep_trader.exchange.market.figures import price_text, time_text

ENTRY_TYPES = ("MARKET", "LIMIT", "STOP", "MARKET_IF_TOUCHED")
DEPENDENT_TYPES = ("TAKE_PROFIT", "STOP_LOSS", "TRAILING_STOP_LOSS")
BID, ASK, MID = 0, 1, 2
_COMPONENTS = {"BID": BID, "ASK": ASK, "MID": MID}


@dataclass(slots=True, eq=False)
class Order:
    """An order of one account. Prices, distances: ticks, 0 for none. Times: ns. Units: signed, 0 for all of a trade."""

    type: str
    instrument: str
    fields: dict[str, Any]
    """What transactions and order objects share, in wire form."""
    units: int = 0
    price: int = 0
    bound: int | None = None
    distance: int = 0
    time_in_force: str = "GTC"
    gtd: int | None = None
    position_fill: str = "DEFAULT"
    trigger_condition: str = "DEFAULT"
    client_id: str | None = None
    trade_id: int | None = None
    trade_long: bool = True
    account_id: str = ""
    id: int = 0
    created: int = 0
    state: str = "PENDING"
    trailing: int = 0
    """Where a trailing stop stands now."""
    rising: bool = False
    """Whether a market-if-touched order waits for a rise (else for a fall)."""
    outcome: dict[str, Any] = field(default_factory=dict)
    """What is added to the order object once it is filled or cancelled."""

    @property
    def dependent(self) -> bool:
        """Whether it closes a trade."""
        return self.trade_id is not None

    @property
    def buys(self) -> bool:
        """Whether filling it buys."""
        return not self.trade_long if self.dependent else self.units > 0

    @property
    def concerns_long(self) -> bool:
        """Whether it belongs to the long side of a recorded candle: the exits of long trades, and buys."""
        return self.trade_long if self.dependent else self.units > 0

    def component(self) -> int:
        """Which price triggers it: BID, ASK or MID (twice the mid, so that it stays whole)."""
        named = _COMPONENTS.get(self.trigger_condition)
        if named is not None:
            return named
        return ASK if self.buys != (self.trigger_condition == "INVERSE") else BID

    def waits_for_rise(self) -> bool:
        """Whether it triggers at or above its level rather than at or below."""
        if self.type == "MARKET_IF_TOUCHED":
            return self.rising
        return self.buys == (self.type in ("STOP", "STOP_LOSS", "TRAILING_STOP_LOSS"))

    def level(self) -> int:
        """The trigger level in ticks."""
        return self.trailing if self.type == "TRAILING_STOP_LOSS" else self.price

    def body(self, precision: int) -> dict[str, Any]:
        """The order object as the protocol writes it."""
        body = {"id": str(self.id), "createTime": time_text(self.created), "type": self.type, **self.fields}
        if self.type != "MARKET" and not self.dependent:
            body["partialFill"] = "DEFAULT_FILL"
        if self.trailing:
            body["trailingStopValue"] = price_text(self.trailing, precision)
        return {**body, "state": self.state, **self.outcome}
