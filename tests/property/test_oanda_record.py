"""Times survive both formats, transactions come out in order whatever happens, and no answer breaks an order."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.support.transactions import transaction

from sep_trader.broker.oanda.ordering import InOrder
from sep_trader.broker.oanda.outcomes import from_answer, from_cancel, from_exits
from sep_trader.broker.oanda.times import format_ns, format_time, parse_ns, parse_time
from sep_trader.broker.port import Cancelled, Filled, Rejected, Resting, Unknown

EARLIEST, LATEST = 0, 253402300799_999999999  # 1970 .. 9999


@given(st.integers(EARLIEST, LATEST))
def test_nanoseconds_survive_both_formats(moment: int) -> None:
    assert parse_ns(format_ns(moment)) == moment
    assert parse_ns(format_ns(moment, "UNIX")) == moment


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_datetimes_survive_both_formats(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    assert parse_time(format_time(moment, "UNIX")) == moment


@given(st.integers(1, 40), st.data())
def test_every_transaction_comes_out_once_and_in_order(count: int, data: st.DataObject) -> None:
    """Stream and record hand over overlapping, shuffled and repeated pieces; in the end the record hands over all."""
    everything = [transaction(n) for n in range(1, count + 1)]
    pieces = st.lists(st.lists(st.sampled_from(everything), max_size=6), max_size=20)
    order = InOrder(0, patience_s=1e9)
    released: list[int] = []
    for piece in [*data.draw(pieces), everything]:
        order.add(piece)
        items, given_up = order.release(0.0)
        assert given_up == []
        released += [item.id for item in items]
        assert released == list(range(1, len(released) + 1))
        assert order.last_id == len(released)
    assert released == list(range(1, count + 1))
    assert not order.behind


@given(st.sets(st.integers(1, 60), min_size=1))
def test_with_holes_nothing_that_came_is_lost_once_the_patience_ends(ids: set[int]) -> None:
    order = InOrder(0, patience_s=1.0)
    order.add([transaction(n) for n in ids])
    released: list[int] = []
    given_up: list[int] = []
    for second in range(0, 400, 2):
        items, missing = order.release(float(second))
        released += [item.id for item in items]
        given_up += missing
    assert released == sorted(ids)
    assert given_up == sorted(set(range(1, max(ids))) - ids)


names = st.sampled_from(
    [
        "orderCreateTransaction", "orderFillTransaction", "orderCancelTransaction", "orderRejectTransaction", "id",
        "type", "orderID", "reason", "rejectReason", "errorCode", "errorMessage", "replacedByOrderID", "price",
        "units", "time",
        "tradeOpened", "tradeID", "accountBalance", "stopLossOrderTransaction", "stopLossOrderCancelTransaction",
    ]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "1", "1.1", "MARKET_ORDER", "x", "NaN"])
bodies = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner), max_leaves=25)


@given(st.integers(100, 599), bodies.map(orjson.dumps) | st.binary(max_size=60))
def test_no_answer_breaks_the_reading_of_an_outcome(status: int, content: bytes) -> None:
    for read in (from_answer, from_cancel, from_exits):
        outcome: Any = read(status, content)
        assert isinstance(outcome, Filled | Resting | Cancelled | Rejected | Unknown)
        refused = 400 <= status < 500 and status != 408
        # A refusal is told by a 4xx only, and a 5xx never tells anything.
        assert isinstance(outcome, Rejected) == refused
        if not 200 <= status < 300 and not refused:
            assert isinstance(outcome, Unknown)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value="0.00001", max_value=10**6))
def test_a_fills_price_is_exact(price: Decimal) -> None:
    fill = {"id": "2", "orderID": "1", "time": "0", "units": "1", "price": str(price), "accountBalance": "0"}
    outcome = from_answer(201, orjson.dumps({"orderFillTransaction": fill}))
    assert isinstance(outcome, Filled)
    assert outcome.price == price
