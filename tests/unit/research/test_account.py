"""The betting account: the cash rule worked out by hand, its invariants, and its promise."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sep_trader.research.account import LAMBDAS, Account, Bet, booked, scale_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def bet(outcome: float, *, at: int = 0, minutes: int = 5, scale: float = 1.0, pair: str = "EUR_USD") -> Bet:
    entered = NOON + timedelta(minutes=at)
    return Bet(entered, entered + timedelta(minutes=minutes), pair, "d", outcome, scale)


def test_a_trade_that_wins_its_scale_doubles_each_stake() -> None:
    account, (booking,) = booked([bet(1.0)])
    # Each gambler holds 1/4; it stakes its share and gets it back twice.
    assert booking.value == pytest.approx(sum((1 + share) / 4 for share in LAMBDAS))
    assert account.guard_breaks == 0


def test_an_open_stake_counts_as_lost() -> None:
    account, bookings = booked([bet(1.0, minutes=60)], until=NOON + timedelta(minutes=30))
    assert bookings == []
    assert account.value == pytest.approx(sum((1 - share) / 4 for share in LAMBDAS))


def test_two_open_trades_are_staked_one_after_the_other() -> None:
    account, _ = booked([bet(0.0, minutes=60), bet(0.0, minutes=60, pair="USD_JPY")], until=NOON)
    assert account.value == pytest.approx(sum((1 - share) ** 2 / 4 for share in LAMBDAS))


def test_a_loss_beyond_the_scale_is_counted_and_paid_by_the_others() -> None:
    account, _ = booked([bet(-4.0, scale=1.0)])
    # The gambler that bets a half has 1/8 - 3/8 of 1/4's: its debt is paid in proportion.
    before = [(1 - share + share * (1 - 4)) / 4 for share in LAMBDAS]
    assert account.guard_breaks == 1
    assert account.value == pytest.approx(sum(before))
    assert account.cash[0] == 0 and min(account.cash) >= 0


def test_an_account_in_debt_is_nothing_for_ever() -> None:
    account, bookings = booked([bet(-40.0), bet(9.0, at=10), bet(9.0, at=20)])
    assert [one.value for one in bookings] == [0, 0, 0] and account.value == 0


def test_exits_come_before_entries_of_the_same_moment() -> None:
    first, second = bet(1.0, minutes=5), bet(1.0, at=5)
    _, bookings = booked([second, first])
    whole = sum((1 + share) ** 2 / 4 for share in LAMBDAS)
    assert bookings[-1].value == pytest.approx(whole), "the second stakes what the first has won"


@given(
    st.lists(
        st.tuples(st.floats(-2, 3), st.integers(0, 300), st.integers(1, 90), st.floats(1.0, 2.0)),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 400),
)
@settings(max_examples=200)
def test_a_shorter_history_is_the_beginning_of_a_longer_one(
    trades: list[tuple[float, int, int, float]], cut: int
) -> None:
    bets = [bet(x, at=at, minutes=m, scale=scale, pair=f"P{n}") for n, (x, at, m, scale) in enumerate(trades)]
    until = NOON + timedelta(minutes=cut)
    account, bookings = booked(bets)
    _, earlier = booked(bets, until=until)
    assert earlier == [one for one in bookings if one.at <= until], "to the last bit"
    assert all(one.value >= 0 for one in bookings) and account.value >= 0


def test_the_order_in_which_trades_are_told_does_not_matter() -> None:
    chance = random.Random(1)
    bets = [bet(chance.uniform(-1, 1.4), at=chance.randrange(200), pair=f"P{n}") for n in range(50)]
    shuffled = bets[:]
    chance.shuffle(shuffled)
    assert booked(bets)[1] == booked(shuffled)[1]


def test_without_an_edge_it_is_seldom_ever_worth_twenty() -> None:
    """P(ever >= 1/alpha) <= alpha: 400 accounts of 400 trades at the boundary of the null."""
    chance, ever = random.Random(7), 0
    for _ in range(400):
        account = Account()
        for _ in range(400):
            outcome = 1.42 if chance.random() < 1.08 / (1.08 + 1.42) else -1.08
            account.leave(account.enter(bet(outcome, scale=1.33)))
            if account.value >= 20:
                ever += 1
                break
    assert ever <= 28, "5 % of 400 and three standard errors of 4.4 %"


def test_with_an_edge_it_grows() -> None:
    chance, values = random.Random(3), []
    for _ in range(40):
        account = Account()
        for _ in range(1500):
            won = chance.random() < (1.08 + 0.15) / (1.08 + 1.42)
            account.leave(account.enter(bet(1.42 if won else -1.08, scale=1.33)))
        values.append(account.value)
    assert sum(value >= 20 for value in values) >= 32


def test_the_scale_is_the_stop_the_costs_and_a_quarter() -> None:
    scale = scale_of(stop=0.0010, spread=0.0001, slippage=0.00002, most_nights=2, night_rate=0.00003, price=1.1)
    assert scale == pytest.approx(1 + 0.00014 / 0.0010 + 2 * 0.00003 * 1.1 / 0.0010 + 0.25)


def test_an_account_of_endless_luck_stays_a_number() -> None:
    account, _ = booked([bet(1.5, at=10 * at) for at in range(5_000)])
    assert math.isfinite(account.value)
