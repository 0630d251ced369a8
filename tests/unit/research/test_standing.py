"""What a pair's accounts are worth, and that no look, order or correction raises them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep_trader.research.account import Bet
from sep_trader.research.catalogue import CATALOGUE, design_of
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.standing import Accounts, accounts_of, bets_of, most_of, standing_of, threshold_of
from sep_trader.research.walk_forward import HeldOut

DESIGN = CATALOGUE[0]
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bets(outcomes: Sequence[float], start: datetime = START) -> list[Bet]:
    return [
        Bet(start + 2 * at * HOUR, start + (2 * at + 1) * HOUR, "EUR_USD", DESIGN.name, one, 1.35)
        for at, one in enumerate(outcomes)
    ]


def booked(
    outcomes: Sequence[float], hours: int | None = None, before: Accounts | None = None, start: datetime = START
) -> Accounts:
    until = start + (2 * len(outcomes) if hours is None else hours) * HOUR
    return accounts_of(DESIGN, bets(outcomes, start), [1.5] * len(outcomes), until, before)


def test_the_weights_of_the_catalogue_leave_an_eighth_for_later_designs() -> None:
    assert sum(one.weight for one in CATALOGUE) == 7 / 8
    assert (CATALOGUE[0].granularity, CATALOGUE[0].weight) == ("M1", 1 / 2)
    assert len({one.name for one in CATALOGUE}) == len(CATALOGUE)


def test_only_a_training_as_the_catalogue_says_is_of_a_design() -> None:
    exact = (CATALOGUE, DESIGN.granularity, Grid(), DESIGN.plan)
    assert design_of(*exact, CostModel(slippage_pips=0.2)) is DESIGN
    assert design_of(*exact, CostModel(slippage_pips=0.5)) is DESIGN
    assert design_of(*exact, CostModel(slippage_pips=0.19)) is None, "cheaper costs explore"
    assert design_of(*exact[:2], Grid(confirm=(("M5",),)), DESIGN.plan, CostModel()) is None


@pytest.mark.parametrize(
    ("pair", "tried", "wanted"),
    [
        ("EUR_USD", [], 280.0),
        ("EUR_USD", ["GBP_USD", "USD_JPY"], 280.0),
        ("EUR_GBP", [], 1_120.0),
        ("USD_MXN", ["EUR_USD", "USD_MXN"], 20 * 8 * np.pi**2 / 6),
        ("USD_TRY", ["USD_MXN", "EUR_USD", "USD_TRY"], 20 * 8 * 4 * np.pi**2 / 6),
    ],
)
def test_a_threshold_depends_on_nothing_but_the_pair(pair: str, tried: list[str], wanted: float) -> None:
    assert threshold_of(pair, tried) == pytest.approx(wanted)


def test_half_of_the_default_design_and_nothing_for_designs_that_were_never_run() -> None:
    account = booked([1.4] * 40)
    standing = standing_of("EUR_USD", {DESIGN.name: account}, ["EUR_USD"])
    assert standing.e_history == account.value / 2
    assert (account.clean, standing.e_forward) == (1.0, 1 / 4), "all of it is older than the release"
    assert standing.e_value == (standing.e_history + standing.e_forward) / 2
    assert (standing.basis, standing.enough) == ("history", True)
    assert standing_of("EUR_USD", {}, []).e_value == 0


def test_the_clean_account_bets_on_what_came_after_the_release_only() -> None:
    outcomes = [1.4] * 40
    assert booked(outcomes, start=DESIGN.released - timedelta(days=30)).clean == 1.0
    late = booked(outcomes, start=DESIGN.released)
    assert late.clean == late.value > 1_000
    assert standing_of("EUR_USD", {DESIGN.name: late}, []).basis == "forward"


@given(st.lists(st.floats(-1.1, 1.5), min_size=1, max_size=40), st.data())
def test_looking_in_between_changes_nothing(outcomes: list[float], data: st.DataObject) -> None:
    whole = booked(outcomes)
    looks = sorted(data.draw(st.lists(st.integers(0, 2 * len(outcomes)), max_size=5)))
    before: Accounts | None = None
    for hours in looks:
        before = booked(outcomes, hours, before)
    assert booked(outcomes, before=before) == whole


@given(st.lists(st.floats(-1.1, 1.5), min_size=4, max_size=20), st.lists(st.floats(-1.1, 1.5), min_size=4, max_size=20))
def test_corrected_candles_never_raise_what_was_booked(first: list[float], again: list[float]) -> None:
    size = min(len(first), len(again))
    seen = booked(first[:size])
    corrected = booked(again[:size], before=seen)
    assert corrected.value <= seen.value + 1e-12
    assert corrected.value <= booked(again[:size]).value + 1e-12
    later = booked([*again[:size], 1.0], before=corrected)
    assert later.value <= corrected.value * (1 + (1 / 1.35) / 2) + 1e-12, "nor at the next look"


def test_fewer_candles_than_were_booked_book_nothing() -> None:
    lost = booked([-1.0] * 10)
    assert booked([-1.0] * 4, before=lost) == lost


def held(stop: list[float], net: list[float], **columns: list[float]) -> HeldOut:
    n, seconds = len(stop), int(START.timestamp()) + 3_600 * np.arange(len(stop))
    given_columns = {
        "net": net, "stop": stop, "target": [0.0030] * n, "spread": [0.0001] * n, "price": [1.1] * n, **columns,
    }  # fmt: skip
    return HeldOut(
        decided=seconds, entry_time=seconds, left=seconds + 1_800, horizon=np.full(n, 30), side=np.ones(n, np.int64),
        **{name: np.array(values, float) for name, values in given_columns.items()},
    )  # fmt: skip


def test_a_bet_is_in_stops_and_its_scale_is_known_before() -> None:
    costs = CostModel(slippage_pips=0.2, financing_long=-0.0365, financing_short=0.0)
    (bet,) = bets_of("EUR_USD", "d", held([0.0020], [-0.0010]), costs, 60)
    assert bet.outcome == pytest.approx(-0.5)
    # 1 + (1 pip + 2 x 0.2 pip) / 20 pips + 1 night x 0.01 % x 1.1 / 20 pips + 0.25
    assert bet.scale == pytest.approx(1 + 1.4 / 20 + 0.0001 * 1.1 / 0.0020 + 0.25)
    other = held([0.0020], [0.0050])
    assert bets_of("EUR_USD", "d", other, costs, 60)[0].scale == bet.scale
    assert most_of(other, [bet], costs, 60) == [pytest.approx(1.5)]


@pytest.mark.parametrize(
    ("decided", "weekend"),
    [
        ("2026-01-09T21:30:00", False),  # a Friday: half an hour before 17:00 New York
        ("2026-01-09T21:30:01", True),
        ("2026-01-09T22:00:00", False),  # the next one is a week away
        ("2026-07-10T20:30:00", False),  # in summer
        ("2026-07-10T20:30:01", True),
        ("2026-07-08T20:45:00", False),
    ],
)
def test_less_is_bet_where_the_horizon_reaches_beyond_a_weekend(decided: str, weekend: bool) -> None:
    moment = np.array([int(datetime.fromisoformat(decided).replace(tzinfo=UTC).timestamp())])
    trades = replace(held([0.0020], [0.0010]), decided=moment)  # 30 candles of M1
    (bet,) = bets_of("EUR_USD", "d", trades, CostModel(), 60)
    (plain,) = bets_of("EUR_USD", "d", held([0.0020], [0.0010]), CostModel(), 60)
    assert bet.scale - plain.scale == pytest.approx(0.01 * 1.1 / 0.0020 if weekend else 0.0)


def test_stops_inside_two_spreads_and_trades_without_a_stop_are_not_bet_on() -> None:
    trades = held([0.00019, 0.00021, np.inf], [0.0001] * 3)
    assert len(bets_of("EUR_USD", "d", trades, CostModel(), 60)) == 1
    assert len(bets_of("EUR_USD", "d", trades, CostModel(spread_multiplier=2.0), 60)) == 0


def test_accounts_survive_the_ledger_to_the_bit() -> None:
    account = booked([0.3, -1.0, 1.2])
    assert Accounts.from_json(account.to_json()) == account
