"""What the broker's record means for our orders and trades."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.transactions import NOON, part, transaction

from sep_trader.broker.port import BrokerTrade
from sep_trader.execution.reconcile import (
    NOTHING_OPENED,
    OrderCameToNothing,
    OrderFilled,
    TradeChanged,
    TradeFinanced,
    changes_of,
    compare_open_trades,
    exit_reason,
    to_apply,
)
from sep_trader.ledger.transactions import (
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
    Transfer,
)
from sep_trader.states import ExitReason


def fill(
    *closed: TradePart, client_id: str | None = "sep-1", opened: TradePart | None = None,
    reduced: TradePart | None = None,
) -> Fill:  # fmt: skip
    zero = Decimal(0)
    return Fill(6, client_id, FillCause.ORDER, zero, zero, zero, opened, closed, reduced)


def trade(trade_id: int, units: int, client_id: str | None = None) -> BrokerTrade:
    return BrokerTrade(
        trade_id=trade_id, instrument="EUR_USD", units=Decimal(units), initial_units=Decimal(units),
        price=Decimal("1.37"), open_time=NOON, state="OPEN", realized_pl=Decimal(0), financing=Decimal(0),
        client_id=client_id, stop_loss=None, take_profit=None,
    )  # fmt: skip


def test_a_fill_of_our_order_opens_its_trade() -> None:
    opened = part(7, 100)
    assert changes_of(transaction(7, fill(opened=opened))) == [OrderFilled("sep-1", 6, NOON, opened)]


def test_a_fill_that_turns_a_position_round_closes_before_it_opens() -> None:
    changes = changes_of(transaction(7, fill(part(3, -50, "1"), opened=part(7, 50))))
    assert [type(c) for c in changes] == [TradeChanged, OrderFilled]


def test_an_order_that_only_reduced_others_opened_nothing() -> None:
    changes = changes_of(transaction(7, fill(reduced=part(3, -50, "1"))))
    assert changes == [
        TradeChanged(3, NOON, part(3, -50, "1"), False, FillCause.ORDER, 6),
        OrderCameToNothing("sep-1", 6, NOTHING_OPENED),
    ]


def test_an_order_that_came_to_nothing_says_why() -> None:
    cancelled = changes_of(transaction(7, OrderEnded(6, "sep-1", "MARKET_HALTED")))
    assert cancelled == [OrderCameToNothing("sep-1", 6, "MARKET_HALTED")]
    rejected = changes_of(transaction(7, OrderEnded(None, "sep-1", "UNITS_INVALID")))
    assert rejected == [OrderCameToNothing("sep-1", None, "UNITS_INVALID")]


def test_financing_is_booked_to_each_trade_that_it_names() -> None:
    parts = (FinancingPart(3, Decimal("-0.5")), FinancingPart(4, Decimal("0.2")))
    changes = changes_of(transaction(7, Financing(Decimal("-0.3"), parts)))
    assert changes == [TradeFinanced(3, NOON, Decimal("-0.5")), TradeFinanced(4, NOON, Decimal("0.2"))]


@pytest.mark.parametrize(
    "event",
    [
        OrderPlaced(6, "sep-1"),
        OrderEnded(6, None, "LINKED_TRADE_CLOSED"),
        ExitsChanged(3, 8, ExitKind.STOP_LOSS, Decimal(1), None),
        Transfer(Decimal(500)),
        Other(),
    ],
)
def test_what_concerns_no_order_or_trade_of_ours_changes_nothing(event: Other) -> None:
    assert changes_of(transaction(7, event)) == []


def test_a_fill_and_an_end_without_a_name_take_that_of_their_order() -> None:
    opened = part(7, 100)
    assert changes_of(transaction(7, fill(client_id=None, opened=opened)), "sep-1") == [
        OrderFilled("sep-1", 6, NOON, opened)
    ]
    assert changes_of(transaction(7, fill(client_id=None, opened=opened))) == []
    ended = changes_of(transaction(7, OrderEnded(6, None, "MARKET_HALTED")), "sep-1")
    assert ended == [OrderCameToNothing("sep-1", 6, "MARKET_HALTED")]
    both = changes_of(transaction(7, fill(client_id="sep-2", opened=opened)), "sep-1")
    assert both == [OrderFilled("sep-2", 6, NOON, opened)]
    assert changes_of(transaction(7, OrderEnded(6, "sep-2", "X")), "sep-1") == [OrderCameToNothing("sep-2", 6, "X")]


def test_a_fill_keeps_the_quote_that_it_states() -> None:
    quoted = replace(fill(opened=part(7, 100)), bid=Decimal("1.1"), ask=Decimal("1.2"))
    (change,) = changes_of(transaction(7, quoted))
    assert isinstance(change, OrderFilled)
    assert (change.bid, change.ask) == (Decimal("1.1"), Decimal("1.2"))


@pytest.mark.parametrize(
    ("cause", "ours", "reason"),
    [
        (FillCause.STOP_LOSS, ExitReason.HORIZON, ExitReason.STOP_LOSS),
        (FillCause.TAKE_PROFIT, None, ExitReason.TAKE_PROFIT),
        (FillCause.TRAILING_STOP, None, ExitReason.TRAILING_STOP),
        (FillCause.TRADE_CLOSE, ExitReason.HORIZON, ExitReason.HORIZON),
        (FillCause.TRADE_CLOSE, ExitReason.FLATTENED, ExitReason.FLATTENED),
        (FillCause.TRADE_CLOSE, None, ExitReason.MANUAL),
        (FillCause.POSITION_CLOSE, ExitReason.HORIZON, ExitReason.MANUAL),
        (FillCause.MARGIN_CLOSEOUT, None, ExitReason.MARGIN_CLOSEOUT),
        (FillCause.OTHER, None, ExitReason.MANUAL),
    ],
)
def test_the_reason_of_an_exit(cause: FillCause, ours: ExitReason | None, reason: ExitReason) -> None:
    assert exit_reason(cause, ours) is reason


def test_a_hole_in_the_record_keeps_back_what_follows_it() -> None:
    items = [transaction(n) for n in (8, 9, 12)]
    assert to_apply(7, items) == tuple(items[:2])
    assert to_apply(6, items) == ()
    assert to_apply(8, items) == (items[1],)
    assert to_apply(7, []) == ()
    assert to_apply(7, [items[1], items[0], items[0]]) == tuple(items[:2])


def test_differences_between_our_books_and_the_brokers() -> None:
    ours = {1: Decimal(100), 2: Decimal(50)}
    theirs = [trade(1, 60), trade(3, 10, "sep-abc"), trade(4, 10, "by hand")]
    found = compare_open_trades(ours, theirs, "db")
    assert [(d.trade_id, d.text) for d in found] == [
        (2, "trade 2 is open in our books and not at the broker"),
        (1, "trade 1 has 60 units at the broker, 100 in our books"),
        (3, "trade 3 carries our mark sep-abc and is not in our books"),
    ]  # the trade made by hand is not ours to judge
    assert compare_open_trades({1: Decimal(60)}, theirs[:1], "db") == []


def test_a_trade_of_another_database_is_not_compared() -> None:
    theirs = [replace(trade(3, 10, "sep-abc"), tag="sep:other")]
    assert compare_open_trades({}, theirs, "db") == []
    assert len(compare_open_trades({}, theirs, "other")) == 1


def test_a_fill_that_closes_names_the_trade_the_order_and_the_cause() -> None:
    closed = part(3, -50, "1")
    stop = replace(fill(closed, client_id=None), cause=FillCause.STOP_LOSS)
    assert changes_of(transaction(7, stop)) == [TradeChanged(3, NOON, closed, True, FillCause.STOP_LOSS, 6)]
