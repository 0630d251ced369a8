"""Whatever is ordered and however prices move, the exchange's books add up."""

from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.quotes import ScriptedQuotes

from sep_trader.broker.oanda import record
from sep_trader.exchange.accounts.account import Account, open_account
from sep_trader.exchange.accounts.floor import Floor, Policy
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.sessions import Sessions
from sep_trader.exchange.market.tape import Tape
from sep_trader.exchange.market.terms import offered
from sep_trader.exchange.matching import closing, placing
from sep_trader.exchange.matching.exchange import Exchange
from sep_trader.ledger.entries import amount_of, balance_difference

NOON, EUR = 1_767_787_200, "EUR_USD"
UNITS = st.integers(-20_000, 20_000).filter(bool)
MOVES = st.lists(st.integers(-400, 400), min_size=3, max_size=12)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from(["MARKET", "LIMIT", "STOP", "MARKET_IF_TOUCHED", "CLOSE"]),
        UNITS,
        st.integers(-300, 300),
        st.sampled_from([{}, {"stopLossOnFill": {"distance": "0.002"}}, {"takeProfitOnFill": {"distance": "0.002"}}]),
    ),
    max_size=15,
)


def traded(moves: list[int], orders: list[Any], hedging: bool) -> tuple[Floor, Account]:
    """An account after a day of orders, on a market that moves."""
    level, quotes = 110_000, []
    for i, move in enumerate(moves):
        level += move
        quotes.append((NOON + i, f"{level / 1e5:.5f}", f"{(level + 12) / 1e5:.5f}"))
    floor = Floor({EUR: offered(EUR)}, Policy(sessions=Sessions(always=True)))
    exchange = Exchange(floor, Tape(ScriptedQuotes({EUR: quotes})), NOON * SECOND)
    account = Account("101-001-0000001-001", hedging=hedging)
    floor.commit(open_account(account, Decimal(1000), floor.now))
    exchange.add_account(account)
    for at, kind, units, away, exits in sorted(orders, key=lambda order: order[0]):
        exchange.advance((NOON + at) * SECOND)
        if kind == "CLOSE":
            closing.close_position(floor, account, EUR, {"longUnits": "ALL"}, "1")
            continue
        price = {} if kind == "MARKET" else {"price": f"{(floor.books[EUR].bid + away) / 1e5:.5f}"}
        order = {"type": kind, "instrument": EUR, "units": str(units), **price, **exits}
        placing.place_order(floor, account, {"order": order}, "1")
    exchange.advance((NOON + 20) * SECOND)
    return floor, account


@given(MOVES, ORDERS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_ids_money_and_positions_add_up(moves: list[int], orders: list[Any], hedging: bool) -> None:
    floor, account = traded(moves, orders, hedging)
    entries = [orjson.loads(line) for line in account.record.between(1, account.record.last)]
    assert [int(entry["id"]) for entry in entries] == list(range(1, len(entries) + 1))
    fills = [entry for entry in entries if entry["type"] == "ORDER_FILL"]
    assert account.balance == 1000 + sum(Decimal(fill["pl"]) for fill in fills)
    assert account.pl == sum((trade.realized for trade in account.trades.values()), Decimal(0))
    for long in (True, False):
        side = account.holding(EUR).side(long)
        trades = [trade for trade in account.open_trades.values() if trade.long is long]
        assert side.units == sum(abs(trade.units) for trade in trades)
        assert side.cost == sum(abs(trade.units) * trade.price for trade in trades)
    assert hedging or not (account.holding(EUR).long.units and account.holding(EUR).short.units)
    created = {entry["id"] for entry in entries if entry["type"].endswith("_ORDER")}
    ended = [entry["orderID"] for entry in entries if entry["type"] in ("ORDER_FILL", "ORDER_CANCEL")]
    assert len(ended) == len(set(ended))
    assert created - set(ended) == {str(number) for number in account.pending}
    assert len(floor.triggers[EUR]) == len(account.pending)


@given(MOVES, ORDERS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_our_books_follow_whatever_the_exchange_records(moves: list[int], orders: list[Any], hedging: bool) -> None:
    """Every transaction is read as a typed one, and each stated balance is the one before it plus the amount."""
    _, account = traded(moves, orders, hedging)
    balance = Decimal(0)
    for line in account.record.between(1, account.record.last):
        transaction = record.transaction(orjson.loads(line))
        assert balance_difference(balance, transaction) is None
        balance += amount_of(transaction)
    assert balance == account.balance
