"""What the account carries in its own currency: every trade of the broker's snapshot, and every order whose end is not
known yet. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from sep_trader.broker.port import AccountSnapshot, Pricing
from sep_trader.execution.rows import Books, Execution
from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import Approved, Exposure, Marks
from sep_trader.states import ExecutionStatus

_ZERO = Decimal(0)
_ONE = Decimal(1)


def factors(pricing: Pricing, currency: str, home: str) -> tuple[Decimal, Decimal]:
    """Home currency per unit of a currency, for a gain and for a loss; 0 where the broker states no rate."""
    return (_ONE, _ONE) if currency == home else pricing.home_conversions.get(currency, (_ZERO, _ZERO))


def mid_factor(pricing: Pricing, currency: str, home: str) -> Decimal:
    """Home currency per unit of a currency, between gain and loss; 0 where the broker states no rate."""
    gain, loss = factors(pricing, currency, home)
    return (gain + loss) / 2


def exposure_of(
    snapshot: AccountSnapshot,
    pricing: Pricing,
    books: Books,
    marks: Marks,
    terms: Mapping[str, Instrument],
) -> Exposure:
    """The exposure by the broker's trades, whoever opened them, and by our orders that are not settled."""
    account = snapshot.summary
    pending = [e for e in books.executions if e.status is not ExecutionStatus.OPEN]
    held = [(t.instrument, t.units) for t in snapshot.trades] + [(e.pair, e.units) for e in pending]
    gross, by_currency = _carried(held, pricing, account.currency)
    return Exposure(
        nav=account.nav,
        margin_available=account.margin_available - _margin(pending, pricing, account.currency, terms),
        open_trades=len(books.executions),
        unsettled_pairs=frozenset(pair for pair, _ in held),
        marks=marks,
        gross=gross,
        by_currency=by_currency,
        last_exits=books.last_exits,
        orders_last_minute=books.orders_last_minute,
        losses_in_a_row=books.losses_in_a_row,
        last_loss=books.last_loss,
    )


def with_order(exposure: Exposure, instrument: Instrument, order: Approved, base_factor: Decimal) -> Exposure:
    """The exposure once an order more is under way."""
    size = order.units * base_factor
    by_currency = dict(exposure.by_currency)
    by_currency[instrument.base] = by_currency.get(instrument.base, _ZERO) + size
    by_currency[instrument.quote] = by_currency.get(instrument.quote, _ZERO) - size
    return replace(
        exposure,
        margin_available=exposure.margin_available - abs(size) * instrument.margin_rate,
        open_trades=exposure.open_trades + 1,
        unsettled_pairs=exposure.unsettled_pairs | {instrument.name},
        gross=None if exposure.gross is None else exposure.gross + abs(size),
        by_currency=by_currency,
        orders_last_minute=exposure.orders_last_minute + 1,
    )


def _carried(
    held: Iterable[tuple[str, Decimal]], pricing: Pricing, home: str
) -> tuple[Decimal | None, dict[str, Decimal]]:
    gross: Decimal | None = _ZERO
    by_currency: dict[str, Decimal] = {}
    for pair, units in held:
        base, quote = pair.split("_", 1)
        factor = mid_factor(pricing, base, home)
        if factor <= 0:
            gross = None
            continue
        size = units * factor
        gross = None if gross is None else gross + abs(size)
        by_currency[base] = by_currency.get(base, _ZERO) + size
        by_currency[quote] = by_currency.get(quote, _ZERO) - size
    return gross, by_currency


def _margin(pending: Iterable[Execution], pricing: Pricing, home: str, terms: Mapping[str, Instrument]) -> Decimal:
    """The margin that orders under way may take."""
    total = _ZERO
    for execution in pending:
        instrument = terms.get(execution.pair)
        if instrument is not None:
            total += abs(execution.units) * mid_factor(pricing, instrument.base, home) * instrument.margin_rate
    return total
