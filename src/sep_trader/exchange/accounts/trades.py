"""Trades and positions of an account, and what they are worth at a quote."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sep_trader.exchange.market.figures import ZERO, money_text, price_text, time_text

EXIT_TYPES = (
    ("takeProfitOrder", "TAKE_PROFIT"),
    ("stopLossOrder", "STOP_LOSS"),
    ("trailingStopLossOrder", "TRAILING_STOP_LOSS"),
)


@dataclass(slots=True, eq=False)
class Trade:
    """A trade; `units` is what is still open, signed. Price in ticks, times in ns, money in home currency."""

    id: int
    instrument: str
    price: int
    opened: int
    initial_units: int
    units: int
    initial_margin: Decimal
    realized: Decimal = ZERO
    financing: Decimal = ZERO
    extensions: dict[str, str] | None = None
    exits: dict[str, int] = field(default_factory=dict)
    """Attached orders by type."""
    closing_ids: list[int] = field(default_factory=list)
    closed_cost: int = 0
    """Sum of |units| times closing price, in ticks."""
    closed: int = 0

    @property
    def client_id(self) -> str | None:
        """The client's id for the trade."""
        return (self.extensions or {}).get("id")

    @property
    def long(self) -> bool:
        """Whether it was bought."""
        return self.initial_units > 0

    @property
    def open(self) -> bool:
        """Whether anything of it is still open."""
        return self.units != 0

    def body(self, precision: int) -> dict[str, Any]:
        """What every form of the trade object shares; prices and margins of open trades are added by the caller."""
        body: dict[str, Any] = {
            "id": str(self.id),
            "instrument": self.instrument,
            "price": price_text(self.price, precision),
            "openTime": time_text(self.opened),
            "initialUnits": str(self.initial_units),
            "initialMarginRequired": money_text(self.initial_margin),
            "state": "OPEN" if self.open else "CLOSED",
            "currentUnits": str(self.units),
            "realizedPL": money_text(self.realized),
            "financing": money_text(self.financing),
            "dividendAdjustment": "0.0000",
        }
        if self.extensions:
            body["clientExtensions"] = self.extensions
        if self.closing_ids:
            closed_units = abs(self.initial_units) - abs(self.units)
            body["averageClosePrice"] = price_text(round(Decimal(self.closed_cost) / closed_units), precision)
            body["closingTransactionIDs"] = [str(i) for i in self.closing_ids]
        if not self.open:
            body["closeTime"] = time_text(self.closed)
        return body


@dataclass(slots=True)
class Side:
    """One side of a position: |units| and their cost (sum of |units| times price in ticks), and what it has earned."""

    units: int = 0
    cost: int = 0
    pl: Decimal = ZERO
    financing: Decimal = ZERO


@dataclass(slots=True)
class Position:
    """All trades of one instrument, open and closed, added up."""

    instrument: str
    long: Side = field(default_factory=Side)
    short: Side = field(default_factory=Side)

    def side(self, long: bool) -> Side:
        """The side by direction."""
        return self.long if long else self.short

    @property
    def open(self) -> bool:
        """Whether either side holds units."""
        return bool(self.long.units or self.short.units)
