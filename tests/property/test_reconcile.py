"""The two invariants of reconciliation, whatever the broker hands over and however often."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.support.transactions import transaction

from sep_trader.execution.reconcile import OrderCameToNothing, OrderFilled, changes_of, to_apply
from sep_trader.ledger.transactions import (
    Event,
    ExitKind,
    ExitsChanged,
    Fill,
    FillCause,
    Financing,
    FinancingPart,
    OrderEnded,
    OrderPlaced,
    Other,
    TradePart,
    Transaction,
    Transfer,
)

money = st.decimals("-1000", "1000", places=4)
ids = st.integers(1, 60)
names = st.none() | st.sampled_from(["sep-1", "sep-2", "by-hand"])
parts = st.builds(
    TradePart, ids, st.integers(-500, 500).map(Decimal), st.none() | st.just(Decimal("1.1")), money, money, money, money
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Fill, ids, names, st.sampled_from(FillCause), money, money, money, st.none() | parts,
        st.lists(parts, max_size=3).map(tuple), st.none() | parts,
    ),
    st.builds(Financing, money, st.lists(st.builds(FinancingPart, ids, money), max_size=3).map(tuple)),
    st.builds(Transfer, money),
    st.builds(OrderPlaced, ids, names),
    st.builds(OrderEnded, st.none() | ids, names, st.just("MARKET_HALTED")),
    st.builds(ExitsChanged, ids, ids, st.sampled_from(ExitKind), st.none() | money, st.none() | money),
    st.just(Other()),
)  # fmt: skip


@given(st.lists(events, min_size=1, max_size=40), st.data())
def test_each_transaction_is_applied_once_and_in_order_however_the_record_is_handed_over(
    record: list[Event], data: st.DataObject
) -> None:
    """Pieces overlap, repeat, come shuffled and with holes; at the end the whole record comes once more."""
    everything = [transaction(n, event) for n, event in enumerate(record, start=1)]
    pieces = data.draw(st.lists(st.lists(st.sampled_from(everything), max_size=8), max_size=12))
    applied: list[Transaction] = []
    for piece in [*pieces, everything]:
        last = applied[-1].id if applied else 0
        batch = to_apply(last, piece)
        assert [t.id for t in batch] == list(range(last + 1, last + 1 + len(batch)))
        held = {t.id for t in piece} - {t.id for t in batch}
        assert last + len(batch) + 1 not in held, "what follows was kept back without a hole"
        applied += batch
    assert applied == everything


def _named_trades(event: Event) -> set[int]:
    match event:
        case Fill():
            return {p.trade_id for p in (event.opened, event.reduced, *event.closed) if p is not None}
        case Financing():
            return {p.trade_id for p in event.parts}
        case _:
            return set()


@given(events)
def test_a_change_names_an_order_or_a_trade_that_the_transaction_names(event: Event) -> None:
    source = transaction(7, event)
    for change in changes_of(source):
        if isinstance(change, OrderFilled | OrderCameToNothing):
            assert change.client_id == source.client_id
        else:
            assert change.trade_id in _named_trades(event)


@given(events)
def test_no_money_of_a_fill_or_of_financing_is_lost_or_counted_twice(event: Event) -> None:
    """What the changes realise is what the transaction's parts state, each part once."""
    changes = changes_of(transaction(7, event))
    match event:
        case Fill():
            stated = [p for p in (*event.closed, event.reduced) if p is not None]
            stated += [event.opened] if event.opened is not None and event.client_id else []
            booked = [change.part for change in changes if hasattr(change, "part")]
            assert sorted(map(repr, booked)) == sorted(map(repr, stated))
        case Financing():
            assert sum((c.amount for c in changes if hasattr(c, "amount")), Decimal(0)) == sum(
                (p.amount for p in event.parts), Decimal(0)
            )
        case _:
            assert all(isinstance(change, OrderCameToNothing) for change in changes)
