"""Limits refuse with their code."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sep_trader.risk.limits import Exposure, Reason, RiskLimits, check_exposure

CANDLE_END = datetime(2014, 5, 15, 8, 1, tzinfo=UTC)


def exposure(**changes: object) -> Exposure:
    base = {
        "nav": Decimal(10_000),
        "balance": Decimal(10_000),
        "margin_available": Decimal(10_000), "open_trades": 0, "unsettled_pairs": frozenset(),
        "net_pl_today": Decimal(0),
    }  # fmt: skip
    return Exposure(**{**base, **changes})  # type: ignore[arg-type]


def code(**changes: object) -> str | None:
    refused = check_exposure("EUR_USD", CANDLE_END, exposure(**changes), RiskLimits(max_open_trades=2))
    return refused.code if refused else None


def test_nothing_forbids_a_flat_account() -> None:
    assert code() is None


def test_a_busy_pair_is_refused_and_another_one_is_not() -> None:
    assert code(unsettled_pairs=frozenset({"EUR_USD"}), open_trades=1) == Reason.PAIR_BUSY
    assert code(unsettled_pairs=frozenset({"NZD_USD"}), open_trades=1) is None


def test_a_pair_is_busy_for_candles_that_ended_with_its_trade_or_before() -> None:
    second = timedelta(seconds=1)
    assert code(last_exit=CANDLE_END - second) is None
    assert code(last_exit=CANDLE_END) == Reason.PAIR_BUSY
    assert code(last_exit=CANDLE_END + second) == Reason.PAIR_BUSY


def test_the_number_of_trades_is_limited() -> None:
    assert code(open_trades=2) == Reason.MAX_OPEN_TRADES


def test_the_daily_loss_is_measured_against_the_balance_at_the_start_of_the_day() -> None:
    # 3 % of 10,000 is 300: reached when 300 of the day's opening 10,000 are gone, not a cent earlier.
    almost, gone = Decimal("9700.01"), Decimal(9_700)
    assert code(nav=almost, balance=almost, net_pl_today=Decimal("-299.99")) is None
    assert code(nav=gone, balance=gone, net_pl_today=Decimal(-300)) == Reason.DAILY_LOSS_LIMIT


def test_losses_of_open_trades_count_towards_the_daily_loss() -> None:
    assert code(nav=Decimal(9_700), balance=Decimal(10_000)) == Reason.DAILY_LOSS_LIMIT
    assert code(nav=Decimal(9_800), balance=Decimal(9_900), net_pl_today=Decimal(-100)) is None
    assert code(nav=Decimal(9_700), balance=Decimal(9_900), net_pl_today=Decimal(-100)) == Reason.DAILY_LOSS_LIMIT


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"unsettled_pairs": frozenset({"EUR_USD"})}, "EUR_USD has an open trade or an unsettled order"),
        ({"open_trades": 3}, "3 trades are open, 2 allowed"),
        (
            {"last_exit": CANDLE_END + timedelta(seconds=7)},
            "the candle ended at 08:01:00, the trade of EUR_USD at 08:01:07 UTC",
        ),
        (
            {"nav": Decimal(9_500), "balance": Decimal(9_900), "net_pl_today": Decimal(-100)},
            "NAV is 9500 after 10000 at the start of the day, 3.0% may be lost",
        ),
    ],
)
def test_a_refusal_says_its_figures(changes: dict[str, object], text: str) -> None:
    refused = check_exposure("EUR_USD", CANDLE_END, exposure(**changes), RiskLimits(max_open_trades=2))
    assert refused is not None
    assert refused.text == text
