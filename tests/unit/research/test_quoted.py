"""Trades on bid and ask candles, worked out by hand."""

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.research.costs import CostModel
from sep_trader.research.simulate import ExitReason, Trades, simulate

FREE = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)
SPREAD = 0.0002
NONE = np.inf


def quotes(
    *bids: tuple[float, float, float, float], spread: float = SPREAD, times: list[int] | None = None
) -> QuoteCandles:
    """Candles by the open, high, low and close of the bid; the ask is a spread above."""
    table = np.array(bids)
    time = np.array(times or [60 * i for i in range(len(bids))], np.int64)
    columns = [table[:, i] for i in range(4)] + [table[:, i] + spread for i in range(4)]
    return QuoteCandles("EUR_USD", Granularity.M1, time, *columns, np.ones(len(bids), np.int64))  # type: ignore[call-arg]


def run(candles: QuoteCandles, side: int, *, stop: float = NONE, target: float = NONE, horizon: int = 10) -> Trades:
    n = len(candles)
    sides = np.zeros(n, np.int8)
    sides[0] = side
    return simulate(candles, sides, np.full(n, stop), np.full(n, target), horizon, FREE)


FLAT = (1.1, 1.1, 1.1, 1.1)


def test_a_long_trade_is_bought_at_the_ask_and_stopped_by_the_bid() -> None:
    low = (1.1, 1.1, 1.0989, 1.0995)
    trades = run(quotes(FLAT, FLAT, low, FLAT), 1, stop=0.0012)
    # Bought at 1.1 + 0.0002; the stop is at 1.1002 - 0.0012 = 1.0990, and the bid fell to 1.0989.
    assert trades.entry_price[0] == pytest.approx(1.1002)
    assert trades.exit_price[0] == pytest.approx(1.0990)
    assert (trades.entry[0], trades.exit[0], trades.reason[0]) == (1, 2, ExitReason.STOP)
    assert trades.net[0] == pytest.approx(-0.0012)


def test_a_short_trade_is_sold_at_the_bid_and_stopped_by_the_ask() -> None:
    high = (1.1, 1.1009, 1.1, 1.1)
    # Sold at 1.1; the stop is at 1.1010, and the ask rose to 1.1009 + 0.0002.
    trades = run(quotes(FLAT, FLAT, high, FLAT), -1, stop=0.0010)
    assert trades.exit_price[0] == pytest.approx(1.1010) and trades.reason[0] == ExitReason.STOP
    lower = run(quotes(FLAT, FLAT, (1.1, 1.1007, 1.1, 1.1), FLAT), -1, stop=0.0010)
    assert lower.reason[0] == ExitReason.END, "the ask came to 1.1009 only"


def test_a_candle_that_opens_beyond_the_stop_fills_at_its_open() -> None:
    gap = (1.0950, 1.0960, 1.0940, 1.0950)
    assert run(quotes(FLAT, FLAT, gap), 1, stop=0.0012).exit_price[0] == pytest.approx(1.0950)
    above = (1.1050, 1.1060, 1.1040, 1.1050)
    assert run(quotes(FLAT, FLAT, above), -1, stop=0.0012).exit_price[0] == pytest.approx(1.1050 + SPREAD)


def test_a_target_fills_at_its_price_and_a_candle_with_both_counts_as_the_stop() -> None:
    high = (1.1, 1.1020, 1.1, 1.1)
    assert run(quotes(FLAT, FLAT, high), 1, target=0.0010).exit_price[0] == pytest.approx(1.1012)
    both = (1.1, 1.1020, 1.0980, 1.1)
    assert run(quotes(FLAT, FLAT, both), 1, stop=0.0012, target=0.0010).reason[0] == ExitReason.STOP


def test_the_horizon_is_by_the_clock_and_leaves_at_the_closing_side_of_the_open() -> None:
    times = [0, 60, 120, 400, 460]
    trades = run(quotes(FLAT, FLAT, FLAT, (1.2, 1.2, 1.2, 1.2), FLAT, times=times), 1, horizon=3)
    # Candle 0 ends at 60; three minutes later is 240; the first candle that begins then or later is that of 400.
    assert (trades.exit[0], trades.reason[0]) == (3, ExitReason.HORIZON)
    assert trades.net[0] == pytest.approx(1.2 - 1.1002)
    assert trades.gross[0] == pytest.approx(0.1), "between mid prices"


def test_there_is_no_trade_where_the_horizon_has_passed_when_the_next_candle_opens() -> None:
    assert len(run(quotes(FLAT, FLAT, FLAT, times=[0, 9_000, 9_060]), 1, horizon=3)) == 0


def test_one_position_at_a_time_and_the_proposal_of_the_candle_it_leaves_in_counts() -> None:
    candles = quotes(*[FLAT] * 8)
    sides = np.ones(8, np.int8)
    trades = simulate(candles, sides, np.full(8, NONE), np.full(8, NONE), 2, FREE)
    assert trades.entry.tolist() == [1, 4, 7] and trades.exit.tolist() == [3, 6, 7]


def test_slippage_and_financing_are_charged() -> None:
    costs = CostModel(slippage_pips=0.5, financing_long=-0.0365, financing_short=0.0)
    # 21:00 UTC is 17:00 in New York in summer: one night.
    start = 1_400_000_400 // 86_400 * 86_400 + 20 * 3600 + 58 * 60
    candles = quotes(FLAT, FLAT, FLAT, FLAT, times=[start, start + 60, start + 120, start + 180])
    sides = np.array([1, 0, 0, 0], np.int8)
    trades = simulate(candles, sides, np.full(4, NONE), np.full(4, NONE), 2, costs)
    bought = 1.1002 + 0.00005
    assert trades.net[0] == pytest.approx((1.1 - 0.00005) - bought - bought * 0.0365 / 365)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="horizon 0"):
        run(quotes(FLAT, FLAT), 1, horizon=0)
    with pytest.raises(InputError, match="stop distance"):
        run(quotes(FLAT, FLAT), 1, stop=0.0)
