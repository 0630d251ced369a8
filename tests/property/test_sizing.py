"""The loss at the stop never exceeds the risk asked for, whatever the account, pair and rates."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sep_trader.market.instrument import Instrument, standard_instrument
from sep_trader.risk.limits import Refused
from sep_trader.risk.sizing import size_by_risk

PAIRS = [standard_instrument("EUR_USD"), standard_instrument("USD_JPY")]
amounts = st.decimals(min_value=1, max_value=10_000_000, places=4)
rates = st.decimals(min_value="0.0001", max_value=200, places=6)


@given(
    nav=amounts,
    risk=st.decimals(min_value="0.0001", max_value="0.05", places=4),
    ticks=st.integers(min_value=1, max_value=100_000),
    loss_factor=rates,
    base_factor=rates,
    margin=amounts,
    instrument=st.sampled_from(PAIRS),
)
def test_never_more_risk_or_margin_than_asked_for(
    nav: Decimal,
    risk: Decimal,
    ticks: int,
    loss_factor: Decimal,
    base_factor: Decimal,
    margin: Decimal,
    instrument: Instrument,
) -> None:
    distance = instrument.tick * ticks
    units = size_by_risk(
        nav=nav, risk_per_trade=risk, stop_distance=distance, loss_factor=loss_factor, price=Decimal(1),
        base_factor=base_factor, margin_available=margin, instrument=instrument,
    )  # fmt: skip
    wanted = nav * risk / (distance * loss_factor)
    if isinstance(units, Refused):
        too_small = wanted < instrument.minimum_trade_size
        margin_needed = min(wanted, instrument.maximum_order_units) * base_factor * instrument.margin_rate
        assert too_small or margin_needed > margin
        return
    assert units * distance * loss_factor <= nav * risk
    assert units == instrument.quantise_units(units)
    assert instrument.minimum_trade_size <= units <= instrument.maximum_order_units
    assert units * base_factor * instrument.margin_rate <= margin
    # Not needlessly small either: one unit more would risk more than asked for, or be above the largest order.
    one_more = units + Decimal(1).scaleb(-instrument.trade_units_precision)
    assert one_more > wanted or one_more > instrument.maximum_order_units


def test_no_rate_is_a_refusal_not_a_guess() -> None:
    refused = size_by_risk(
        nav=Decimal(1000), risk_per_trade=Decimal("0.01"), stop_distance=Decimal("0.001"), loss_factor=Decimal(0),
        price=Decimal(1), base_factor=Decimal(1), margin_available=Decimal(1000), instrument=PAIRS[0],
    )  # fmt: skip
    assert isinstance(refused, Refused)
    assert refused.code == "NO_CONVERSION_RATE"
