from tests.support.transactions import transaction

from sep_trader.broker.oanda.ordering import InOrder
from sep_trader.ledger.transactions import Transaction


def entry(number: int) -> Transaction:
    return transaction(number)


def ids(released: tuple[list[Transaction], list[int]]) -> list[int]:
    return [item.id for item in released[0]]


def test_what_comes_in_order_goes_through() -> None:
    order = InOrder(4, patience_s=30)
    order.add([entry(5), entry(6)])
    assert ids(order.release(0)) == [5, 6]
    assert order.last_id == 6
    assert not order.behind


def test_doubles_and_old_ones_are_dropped() -> None:
    order = InOrder(4, patience_s=30)
    order.add([entry(3), entry(4), entry(5), entry(5)])
    assert ids(order.release(0)) == [5]
    order.add([entry(5)])
    assert ids(order.release(0)) == []


def test_a_skipped_id_holds_the_later_ones_until_it_comes() -> None:
    order = InOrder(4, patience_s=30)
    order.add([entry(7), entry(6)])
    assert ids(order.release(0)) == []
    assert order.behind
    order.add([entry(5)])
    assert ids(order.release(1)) == [5, 6, 7]


def test_a_heartbeat_ahead_makes_it_behind_without_holding_anything() -> None:
    order = InOrder(4, patience_s=30)
    order.expect(6)
    assert order.behind
    assert order.release(0) == ([], [])


def test_an_id_that_never_comes_is_given_up_and_named() -> None:
    order = InOrder(4, patience_s=30)
    order.add([entry(7)])
    assert order.release(100) == ([], [])
    assert order.release(130) == ([], [])
    released, given_up = order.release(130.5)
    assert [item.id for item in released] == [7]
    assert given_up == [5, 6]
    assert not order.behind


def test_progress_starts_the_patience_again() -> None:
    order = InOrder(4, patience_s=30)
    order.add([entry(7)])
    order.release(0)
    order.add([entry(5)])
    assert ids(order.release(20)) == [5]
    assert order.release(45) == ([], [])
    assert order.release(51)[1] == [6]
