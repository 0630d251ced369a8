"""How numbers and times look on the wire: prices as whole ticks, money with four decimals, times with nine digits."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

SECOND = 1_000_000_000
ZERO = Decimal(0)
_CENT = Decimal("0.0001")
_PERCENT = Decimal("0.00001")


def price_text(ticks: int, precision: int) -> str:
    """Write a price given in whole ticks (10 to the minus `precision` each), with all its decimals."""
    if precision == 0:
        return str(ticks)
    sign, digits = ("-", -ticks) if ticks < 0 else ("", ticks)
    text = str(digits).rjust(precision + 1, "0")
    return f"{sign}{text[:-precision]}.{text[-precision:]}"


def price_value(ticks: int, precision: int) -> Decimal:
    """The price in quote currency of a number of ticks."""
    return Decimal(ticks).scaleb(-precision)


def half_even(numerator: int, denominator: int) -> int:
    """Divide whole numbers and round half to even; `denominator` is positive."""
    quotient, rest = divmod(numerator, denominator)
    double = rest * 2
    if double > denominator or (double == denominator and quotient & 1):
        quotient += 1
    return quotient


def round_money(amount: Decimal) -> Decimal:
    """Round an amount of home currency half-even to the four decimals that accounts are kept in; never minus zero."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_EVEN) + ZERO


def money_text(amount: Decimal) -> str:
    """Write an amount of home currency: four decimals."""
    return str(round_money(amount))


def percent_text(share: Decimal) -> str:
    """Write a share, as of margin: five decimals."""
    return str(share.quantize(_PERCENT, rounding=ROUND_HALF_EVEN) + ZERO)


def number_text(value: Decimal) -> str:
    """Write a decimal plainly: no exponent, no surplus zeros after the point."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def read_number(value: object) -> Decimal | None:
    """Read a decimal sent as a string or as a JSON number; None for anything else, infinities included."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def to_ticks(value: Decimal, precision: int) -> int | None:
    """The whole number of ticks in a price; None when it has more decimals than the instrument."""
    scaled = value.scaleb(precision)
    ticks = int(scaled)
    return ticks if ticks == scaled else None


def time_text(ns: int) -> str:
    """Write nanoseconds since the epoch as RFC 3339 in UTC with nine fractional digits."""
    seconds, fraction = divmod(ns, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def unix_text(ns: int) -> str:
    """Write nanoseconds since the epoch as the protocol's UNIX form: seconds with nine fractional digits."""
    return f"{ns // SECOND}.{ns % SECOND:09d}"


def read_time(text: str) -> int | None:
    """Read RFC 3339 or UNIX seconds, up to nine fractional digits, into nanoseconds; None if it is neither."""
    text = text.strip()
    number = read_number(text)
    if number is not None:
        return int(number * SECOND) if 0 <= number < 10**11 else None
    head, dot, tail = text.partition(".")
    fraction = 0
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        if not digits or len(digits) > 9:
            return None
        fraction = int(digits.ljust(9, "0"))
        head += tail[len(digits) :]
    try:
        when = datetime.fromisoformat(head.replace("z", "Z").replace(" ", "+"))
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int(when.timestamp()) * SECOND + fraction
