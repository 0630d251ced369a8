"""What an account is worth and what its positions bind: unrealised P/L, margin, and how near the closeout is."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.accounts.book import Book
from sep_trader.exchange.accounts.conversion import Conversions
from sep_trader.exchange.accounts.trades import Position, Trade
from sep_trader.exchange.market.figures import ZERO, price_value, round_money
from sep_trader.market.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Worth:
    """Money of an account, a position or a trade at the current quotes, in home currency, four decimals."""

    unrealized: Decimal = ZERO
    margin_used: Decimal = ZERO
    position_value: Decimal = ZERO
    long_unrealized: Decimal = ZERO
    short_unrealized: Decimal = ZERO


class Valuer:
    """Values positions at the books' quotes: longs at the bid, shorts at the ask, margin at the mid."""

    def __init__(self, books: Mapping[str, Book], conversions: Conversions) -> None:
        self.books = books
        self.conversions = conversions

    def margin_for(self, account: Account, instrument: Instrument, units: int) -> Decimal:
        """Margin in home currency that |units| bind, not rounded."""
        rate = max(instrument.margin_rate, account.margin_rate) if account.margin_rate else instrument.margin_rate
        return self.value_of(account, instrument, units) * rate

    def value_of(self, account: Account, instrument: Instrument, units: int) -> Decimal:
        """Value in home currency of |units| at the mid, not rounded."""
        return abs(units) * self.conversions.rate(instrument.base, account.currency).mid

    def position(self, account: Account, position: Position) -> Worth:
        """The worth of a position; a hedged one binds margin for its larger side only."""
        book = self.books[position.instrument]
        instrument = book.instrument
        rate = self.conversions.rate(instrument.quote, account.currency)
        long, short = position.long, position.short
        above = rate.value(price_value(long.units * book.bid - long.cost, book.precision)) if long.units else ZERO
        below = rate.value(price_value(short.cost - short.units * book.ask, book.precision)) if short.units else ZERO
        up, down = round_money(above), round_money(below)
        bound = max(long.units, short.units)
        return Worth(
            unrealized=up + down,
            margin_used=round_money(self.margin_for(account, instrument, bound)),
            position_value=round_money(self.value_of(account, instrument, long.units + short.units)),
            long_unrealized=up,
            short_unrealized=down,
        )

    def account(self, account: Account) -> Worth:
        """The worth of all positions of an account."""
        unrealized = margin = value = ZERO
        for position in account.positions.values():
            if position.open:
                worth = self.position(account, position)
                unrealized += worth.unrealized
                margin += worth.margin_used
                value += worth.position_value
        return Worth(unrealized, margin, value)

    def trade(self, account: Account, trade: Trade) -> Worth:
        """The worth of one open trade."""
        book = self.books[trade.instrument]
        rate = self.conversions.rate(book.instrument.quote, account.currency)
        gain = trade.units * ((book.bid if trade.long else book.ask) - trade.price)
        return Worth(
            unrealized=round_money(rate.value(price_value(gain, book.precision))),
            margin_used=round_money(self.margin_for(account, book.instrument, trade.units)),
        )

    def strained(self, account: Account) -> bool:
        """Whether a closer look at the margin is due: a cheap estimate, on the safe side of the exact figures."""
        nav = float(account.balance)
        used = 0.0
        for position in account.positions.values():
            long, short = position.long, position.short
            if not (long.units or short.units):
                continue
            book = self.books[position.instrument]
            scale = 10.0**-book.precision
            rate = self.conversions.rate(book.instrument.quote, account.currency)
            gain = (long.units * book.bid - long.cost + short.cost - short.units * book.ask) * scale
            nav += gain * float(rate.bid if gain >= 0 else rate.ask)
            used += float(self.margin_for(account, book.instrument, max(long.units, short.units)))
        return used * 1.01 + 1 >= nav


def closeout_share(used: Decimal, nav: Decimal) -> Decimal:
    """Half the margin used over the NAV: 1 or more closes the account out. A NAV of nothing is past any limit."""
    if not used:
        return ZERO
    return used / 2 / nav if nav > 0 else Decimal(1000)


def call_share(used: Decimal, nav: Decimal) -> Decimal:
    """The margin used over the NAV: 1 or more is a margin call."""
    if not used:
        return ZERO
    return used / nav if nav > 0 else Decimal(1000)
