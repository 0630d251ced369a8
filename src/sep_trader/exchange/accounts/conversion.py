"""Home-currency conversion: what a unit of another currency is worth to an account, with the broker's markup."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from sep_trader.exchange.accounts.book import Book
from sep_trader.exchange.market.figures import price_value
from sep_trader.exchange.market.terms import REFERENCE

_ONE = Decimal(1)
_INVERSE = Decimal("0.0000000001")


@dataclass(frozen=True, slots=True)
class Rate:
    """Home currency for one unit of another currency: bid, mid and ask, and the broker's markup as a share."""

    bid: Decimal = _ONE
    mid: Decimal = _ONE
    ask: Decimal = _ONE
    markup: Decimal = Decimal(0)

    @property
    def gain(self) -> Decimal:
        """Factor for a realised gain: the mid less the markup."""
        return self.mid * (1 - self.markup)

    @property
    def loss(self) -> Decimal:
        """Factor for a realised loss: the mid plus the markup."""
        return self.mid * (1 + self.markup)

    def realise(self, amount: Decimal) -> Decimal:
        """Convert a realised amount, not rounded."""
        return amount * (self.gain if amount >= 0 else self.loss)

    def value(self, amount: Decimal) -> Decimal:
        """Convert an unrealised amount, not rounded: without markup, at the side it would trade at."""
        return amount * (self.bid if amount >= 0 else self.ask)


HOME = Rate()


class Conversions:
    """Rates into home currencies from the current books; an unquoted pair falls back on its reference price."""

    def __init__(self, books: Mapping[str, Book], markup: Decimal) -> None:
        self._books = books
        self.markup = markup
        self._cached: dict[tuple[str, str], tuple[tuple[int, int], Rate]] = {}

    def rate(self, currency: str, home: str) -> Rate:
        """The rate of a currency into the home currency; direct, inverse, or by way of the dollar."""
        if currency == home:
            return HOME
        for name, inverse in ((f"{currency}_{home}", False), (f"{home}_{currency}", True)):
            book = self._books.get(name)
            if book is not None and book.known:
                return self._of_book(currency, home, book, inverse)
        for name, inverse in ((f"{currency}_{home}", False), (f"{home}_{currency}", True)):
            if name in REFERENCE:
                mid = Decimal(REFERENCE[name][0])
                mid = _invert(mid) if inverse else mid
                return Rate(mid, mid, mid, self.markup)
        if "USD" in (currency, home):
            return Rate(markup=self.markup)
        first, second = self.rate(currency, "USD"), self.rate("USD", home)
        return Rate(first.bid * second.bid, first.mid * second.mid, first.ask * second.ask, self.markup)

    def _of_book(self, currency: str, home: str, book: Book, inverse: bool) -> Rate:
        quote = (book.bid, book.ask)
        cached = self._cached.get((currency, home))
        if cached is not None and cached[0] == quote:
            return cached[1]
        bid, mid, ask = (price_value(ticks, book.precision) for ticks in (book.bid, book.mid, book.ask))
        rate = (
            Rate(_invert(ask), _invert(mid), _invert(bid), self.markup) if inverse else Rate(bid, mid, ask, self.markup)
        )
        self._cached[currency, home] = (quote, rate)
        return rate


def _invert(price: Decimal) -> Decimal:
    return (_ONE / price).quantize(_INVERSE, rounding=ROUND_HALF_EVEN)
