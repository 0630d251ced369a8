"""What the broker's record means for our orders and trades."""

from datetime import timedelta
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
        TradeChanged(3, NOON, part(3, -50, "1"), False, FillCause.ORDER),
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


@pytest.mark.parametrize(
    ("cause", "minutes", "reason"),
    [
        (FillCause.STOP_LOSS, 5, ExitReason.STOP_LOSS),
        (FillCause.TAKE_PROFIT, 90, ExitReason.TAKE_PROFIT),
        (FillCause.TRAILING_STOP, 5, ExitReason.TRAILING_STOP),
        (FillCause.TRADE_CLOSE, 30, ExitReason.HORIZON),
        (FillCause.TRADE_CLOSE, 29, ExitReason.MANUAL),
        (FillCause.POSITION_CLOSE, 90, ExitReason.MANUAL),
        (FillCause.MARGIN_CLOSEOUT, 5, ExitReason.MARGIN_CLOSEOUT),
        (FillCause.OTHER, 90, ExitReason.MANUAL),
    ],
)
def test_the_reason_of_an_exit(cause: FillCause, minutes: int, reason: ExitReason) -> None:
    assert exit_reason(cause, NOON + timedelta(minutes=minutes), NOON + timedelta(minutes=30)) is reason
    if cause is FillCause.TRADE_CLOSE:
        assert exit_reason(cause, NOON, None) is ExitReason.MANUAL


def test_a_hole_in_the_record_keeps_everything_back() -> None:
    items = [transaction(n) for n in (8, 9, 12)]
    assert to_apply(7, items).missing == (10, 11)
    assert to_apply(7, items).transactions == ()
    assert to_apply(6, items[:2]).missing == (7,)
    assert to_apply(7, items[:2]).transactions == tuple(items[:2])
    assert to_apply(7, []).transactions == ()


def test_differences_between_our_books_and_the_brokers() -> None:
    ours = {1: Decimal(100), 2: Decimal(50)}
    theirs = [trade(1, 60), trade(3, 10, "sep-abc"), trade(4, 10, "by hand")]
    texts = [d.text for d in compare_open_trades(ours, theirs)]
    assert [t.split(" ")[1] for t in texts] == ["2", "1", "3"]  # the trade made by hand is not ours to judge
    assert compare_open_trades({1: Decimal(60)}, theirs[:1]) == []
