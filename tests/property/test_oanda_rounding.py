"""A price that goes out is on the tick, at most one tick off, and never across the price it protects."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sep_trader.broker.oanda.orders import quantised
from sep_trader.broker.oanda.rounding import round_entry_stop, round_limit, round_stop, round_target
from sep_trader.broker.port import MarketOrder
from sep_trader.market.instrument import Instrument

precisions = st.integers(1, 6)
prices = st.decimals(min_value="0.00001", max_value="30000", places=9)
sizes = st.integers(1, 10**8).flatmap(lambda n: st.sampled_from([Decimal(n), Decimal(-n)]))


def instrument(precision: int) -> Instrument:
    return Instrument("EUR_USD", pip_location=1 - precision, display_precision=precision)


@given(prices, st.decimals(min_value="0.000000001", max_value="10", places=9), sizes, precisions)
def test_a_stop_never_crosses_the_entry(entry: Decimal, distance: Decimal, units: Decimal, precision: int) -> None:
    side = 1 if units > 0 else -1
    stop = round_stop(entry - side * distance, units, instrument(precision))
    assert (entry - stop) * side >= distance


@given(prices, st.decimals(min_value="0.000000001", max_value="10", places=9), sizes, precisions)
def test_a_target_never_crosses_the_entry(entry: Decimal, distance: Decimal, units: Decimal, precision: int) -> None:
    side = 1 if units > 0 else -1
    target = round_target(entry + side * distance, units, instrument(precision))
    assert (target - entry) * side >= distance


@given(prices, sizes, precisions)
def test_a_limit_or_bound_is_never_worse_than_asked_for(price: Decimal, units: Decimal, precision: int) -> None:
    limit = round_limit(price, units, instrument(precision))
    assert limit <= price if units > 0 else limit >= price


@given(prices, sizes, precisions)
def test_a_stop_entry_is_never_earlier_than_asked_for(price: Decimal, units: Decimal, precision: int) -> None:
    entry = round_entry_stop(price, units, instrument(precision))
    assert entry >= price if units > 0 else entry <= price


@given(prices, prices, prices, prices, sizes, precisions)
def test_a_quantised_order_is_on_the_tick_within_one_of_it_and_stays(
    stop: Decimal, target: Decimal, bound: Decimal, trailing: Decimal, units: Decimal, precision: int
) -> None:
    terms = instrument(precision)
    order = MarketOrder("EUR_USD", units, "a", stop, target, bound, trailing_stop=trailing)
    found = quantised(order, terms)
    assert isinstance(found, MarketOrder)
    asked = (order.stop_loss, order.take_profit, order.price_bound, order.trailing_stop)
    sent = (found.stop_loss, found.take_profit, found.price_bound, found.trailing_stop)
    for before, after in zip(asked, sent, strict=True):
        assert before is not None and after is not None
        assert after == terms.quantise_price(after)
        assert abs(after - before) < terms.tick
    assert quantised(found, terms) == found
