"""What a broker says of a currency pair: precision, sizes, margin; and the exact rounding that follows from it."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from sep_trader.errors import InputError

CURRENCIES = frozenset("AUD CAD CHF CNH CZK DKK EUR GBP HKD HUF JPY MXN NOK NZD PLN SEK SGD THB TRY USD ZAR".split(" "))
# Quote currencies whose pip is the second decimal.
_TWO_DECIMAL_PIP = frozenset({"JPY", "HUF", "THB"})


@dataclass(frozen=True, slots=True)
class Instrument:
    """A currency pair as the broker trades it. Prices in quote currency, sizes in units of base currency."""

    name: str
    pip_location: int = -4
    display_precision: int = 5
    trade_units_precision: int = 0
    minimum_trade_size: Decimal = Decimal(1)
    maximum_order_units: Decimal = Decimal(100_000_000)
    margin_rate: Decimal = Decimal("0.02")
    minimum_trailing_stop_distance: Decimal = Decimal("0.0005")
    financing_long_rate: Decimal = Decimal(0)
    """Annual rate for a long position; negative is a charge."""
    financing_short_rate: Decimal = Decimal(0)
    financing_days: tuple[int, ...] = (1, 1, 3, 1, 1, 0, 0)
    """Days charged at 17:00 New York, Monday first."""

    @property
    def base(self) -> str:
        """Base currency, the one a unit is of."""
        return self.name.split("_")[0]

    @property
    def quote(self) -> str:
        """Quote currency, the one a price is in."""
        return self.name.split("_")[1]

    @property
    def pip(self) -> Decimal:
        """Size of one pip in price units."""
        return Decimal(1).scaleb(self.pip_location)

    @property
    def tick(self) -> Decimal:
        """Smallest price step."""
        return Decimal(1).scaleb(-self.display_precision)

    def quantise_price(self, price: Decimal) -> Decimal:
        """Round a price half-even to the instrument's precision."""
        return price.quantize(self.tick, rounding=ROUND_HALF_EVEN)

    def quantise_units(self, units: Decimal) -> Decimal:
        """Cut a size towards zero to the instrument's unit precision: never more than asked for."""
        return units.quantize(Decimal(1).scaleb(-self.trade_units_precision), rounding=ROUND_DOWN)


def parse_pair(text: str) -> str:
    """Return a pair's canonical name, EUR_USD; raises InputError for anything that is not two known currencies."""
    name = text.upper().replace("/", "_").replace("-", "_")
    if len(name) == 6 and "_" not in name:
        name = f"{name[:3]}_{name[3:]}"
    parts = name.split("_")
    if len(parts) != 2 or parts[0] == parts[1] or not CURRENCIES.issuperset(parts):
        raise InputError(f"unknown pair '{text}'", "write it as EUR_USD")
    return name


def standard_instrument(pair: str) -> Instrument:
    """The usual terms of a pair, for files that come without a broker's. Raises InputError for an unknown pair."""
    name = parse_pair(pair)
    if name.endswith(tuple(_TWO_DECIMAL_PIP)):
        return Instrument(name, pip_location=-2, display_precision=3, minimum_trailing_stop_distance=Decimal("0.05"))
    return Instrument(name)
