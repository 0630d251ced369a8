"""The outcome rule, case by case, with the expected values written as arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.costs import CostModel, rollovers
from sep_trader.research.simulate import ExitReason, Trades, simulate

FREE = CostModel(slippage_pips=0, spread_multiplier=0, financing_long=0, financing_short=0)
COSTLY = CostModel(slippage_pips=1, spread_multiplier=2, financing_long=-0.1, financing_short=0.05, pip=0.01)
NONE = math.inf
# 2014-05-01 20:57 UTC is 16:57 in New York: the candle of index 3 starts at the cut-off.
START = 1398977820


def _candles(rows: Sequence[tuple[float, float, float, float]], spread: float = 0.0) -> Candles:
    table = np.array(rows, dtype=np.float64)
    n = len(rows)
    time = START + 60 * np.arange(n, dtype=np.int64)
    columns = {name: table[:, at].copy() for at, name in enumerate(("open", "high", "low", "close"))}
    volume = np.zeros(n, dtype=np.int64)
    return Candles("EUR_USD", Granularity.M1, time, **columns, spread=np.full(n, spread), volume=volume)


def _run(
    candles: Candles, sides: dict[int, int], stop: float = NONE, target: float = NONE, horizon: int = 3,
    costs: CostModel = FREE,
) -> Trades:  # fmt: skip
    n = len(candles)
    side = np.zeros(n, dtype=np.int8)
    for at, value in sides.items():
        side[at] = value
    return simulate(candles, side, np.full(n, stop), np.full(n, target), horizon, costs)


# Eight candles; index 3 falls to 98, index 5 rises to 104.
PATH = [(100, 101, 99.5, 100), (100, 101, 99.5, 100), (100, 101, 99, 100), (100, 100, 98, 99),
        (99, 100, 99, 100), (101, 104, 101, 103), (103, 103, 102, 102), (102, 102, 102, 102)]  # fmt: skip


@pytest.mark.parametrize(
    ("side", "stop", "target", "horizon", "leave", "price", "reason"),
    [
        (1, NONE, NONE, 3, 5, 101, ExitReason.HORIZON),
        (1, NONE, NONE, 1, 3, 100, ExitReason.HORIZON),
        (1, 2, NONE, 5, 3, 100 - 2, ExitReason.STOP),
        (1, 2.5, 3, 5, 5, 100 + 3, ExitReason.TARGET),
        (-1, 3, NONE, 5, 5, 100 + 3, ExitReason.STOP),
        (-1, 0.5, 2, 5, 2, 100 + 0.5, ExitReason.STOP),
        (-1, 1.5, 2, 5, 3, 100 - 2, ExitReason.TARGET),
        (1, NONE, NONE, 6, 7, 102, ExitReason.END),
        (1, 1, 1, 5, 2, 100 - 1, ExitReason.STOP),  # touches both: the stop counts
    ],
)
def test_the_first_of_stop_target_and_horizon(
    side: int, stop: float, target: float, horizon: int, leave: int, price: float, reason: ExitReason
) -> None:
    trades = _run(_candles(PATH), {1: side}, stop, target, horizon)
    assert (trades.entry.tolist(), trades.exit.tolist(), trades.side.tolist()) == ([2], [leave], [side])
    assert (trades.entry_price[0], trades.exit_price[0], trades.reason[0]) == (100, price, reason)
    assert trades.net[0] == trades.gross[0] == side * (price - 100)


@pytest.mark.parametrize(("side", "gap"), [(1, 95.0), (-1, 105.0)])
def test_a_gap_through_the_stop_fills_at_the_open(side: int, gap: float) -> None:
    rows = [(100, 100, 100, 100)] * 3 + [(gap, gap, gap, gap)] * 2
    trades = _run(_candles(rows), {0: side}, stop=2, target=1)
    assert (trades.exit.tolist(), trades.exit_price.tolist(), trades.reason[0]) == ([3], [gap], ExitReason.STOP)


def test_a_gap_through_the_target_fills_at_the_target() -> None:
    rows = [(100, 100, 100, 100)] * 3 + [(105, 105, 105, 105)] * 2
    trades = _run(_candles(rows), {0: 1}, stop=2, target=1)
    assert (trades.exit_price.tolist(), trades.reason[0]) == ([101], ExitReason.TARGET)


def test_spread_slippage_and_financing_are_paid() -> None:
    # Half a spread of 0.04 doubled is 0.04; slippage is one pip of 0.01; the horizon of 3 candles passes 17:00 once.
    candles = _candles(PATH, spread=0.04)
    bought, sold = 100 + 0.04 + 0.01, 101 - 0.04 - 0.01
    trades = _run(candles, {1: 1}, costs=COSTLY)
    assert trades.entry_price[0] == pytest.approx(bought, abs=1e-12)
    assert trades.exit_price[0] == pytest.approx(sold, abs=1e-12)
    assert trades.gross[0] == pytest.approx(101 - 100, abs=1e-12)
    assert trades.net[0] == pytest.approx(sold - bought - 0.1 / 365 * bought, abs=1e-12)
    short = _run(candles, {1: -1}, costs=COSTLY)
    assert short.entry_price[0] == pytest.approx(100 - 0.04 - 0.01, abs=1e-12)
    assert short.exit_price[0] == pytest.approx(101 + 0.04 + 0.01, abs=1e-12)
    assert short.gross[0] == pytest.approx(-1, abs=1e-12)
    assert short.net[0] == pytest.approx((99.95 - 101.05) + 0.05 / 365 * 99.95, abs=1e-12)


def test_the_fill_carries_the_spread_of_the_close_before_it() -> None:
    candles = replace(_candles(PATH), spread=np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4]))
    costs = replace(FREE, spread_multiplier=1.0)
    assert _run(candles, {1: 1}, costs=costs).entry_price[0] == pytest.approx(100 + 0.2 / 2)
    assert _run(candles, {1: 1}, costs=costs).exit_price[0] == pytest.approx(101 - 0.8 / 2)
    last = _run(candles, {1: 1}, horizon=50, costs=costs)
    assert last.exit_price[0] == pytest.approx(102 - 1.4 / 2)
    assert last.gross[0] == pytest.approx(102 - 100)


def test_a_stop_is_triggered_by_the_bid_not_the_mid() -> None:
    costs = replace(FREE, spread_multiplier=1.0)
    # Bought at 100.1, stop at 98.05; the mid low of candle 3 is 98 and its bid low 97.9.
    assert _run(_candles(PATH, 0.2), {1: 1}, stop=2.05, costs=costs).exit_price[0] == pytest.approx(100.1 - 2.05)
    # Without a spread the stop at 97.95 is not touched.
    assert _run(_candles(PATH), {1: 1}, stop=2.05, costs=costs).reason[0] == ExitReason.HORIZON


def test_one_position_at_a_time() -> None:
    candles = _candles(PATH)
    every = dict.fromkeys(range(8), 1)
    assert _run(candles, every, horizon=2).entry.tolist() == [1, 4, 7]
    assert _run(candles, every, horizon=2).exit.tolist() == [3, 6, 7]
    assert _run(candles, every, stop=2, horizon=9).entry.tolist() == [1, 4]


def test_no_proposal_and_one_at_the_last_close_give_no_trade() -> None:
    assert len(_run(_candles(PATH), {})) == 0
    assert len(_run(_candles(PATH), {7: 1})) == 0
    assert len(_run(_candles(PATH).take(slice(0, 0)), {})) == 0


def test_long_quiet_trades_pass_whole_blocks() -> None:
    rows = [(100, 100.5, 99.5, 100)] * 100
    rows[71] = (100, 100.5, 97, 100)
    trades = _run(_candles(rows), {4: 1}, stop=2, target=2, horizon=90)
    assert (trades.exit.tolist(), trades.reason[0]) == ([71], ExitReason.STOP)
    trades = _run(_candles(rows), {4: 1}, stop=4, target=2, horizon=80)
    assert (trades.exit.tolist(), trades.reason[0]) == ([85], ExitReason.HORIZON)


def _shifted(candles: Candles, after: int, minutes: int) -> Candles:
    """The same candles with a gap of so many minutes after one of them."""
    time = candles.time.copy()
    time[after + 1 :] += 60 * minutes
    return replace(candles, time=time)


@pytest.mark.parametrize(
    ("gap", "leave"),
    # Entered at candle 2 with a horizon of 4 candles, which ends 4 minutes after candle 1 has: the gap lies after 3.
    [(0, 6), (1, 5), (2, 4), (3, 4), (60, 4)],
)
def test_the_horizon_is_by_the_clock(gap: int, leave: int) -> None:
    trades = _run(_shifted(_candles(PATH), 3, gap), {1: 1}, horizon=4)
    assert (trades.entry.tolist(), trades.exit.tolist(), trades.reason[0]) == ([2], [leave], ExitReason.HORIZON)
    assert trades.exit_price[0] == PATH[leave][0]


def test_no_price_before_the_horizon_is_no_trade() -> None:
    # The signal of candle 1 ends at minute 2, its horizon at minute 5; the next candle opens at minute 5, or before.
    assert len(_run(_shifted(_candles(PATH), 1, 3), {1: 1}, horizon=3)) == 0
    assert len(_run(_shifted(_candles(PATH), 1, 2), {1: 1}, horizon=3)) == 1
    # The proposal after the gap is not passed over for it.
    assert _run(_shifted(_candles(PATH), 1, 3), {1: 1, 2: 1}, horizon=3).entry.tolist() == [3]


def test_rollovers_follow_new_york_through_daylight_saving() -> None:
    # 2014-03-09 the clocks went forward: 17:00 is 22:00 UTC on the 8th and 21:00 UTC on the 9th.
    march_8 = 1394236800
    at = np.array([march_8, march_8 + 22 * 3600 - 1, march_8 + 22 * 3600, march_8 + 45 * 3600 - 1, march_8 + 45 * 3600])
    assert rollovers(at).tolist() == [0, 0, 1, 1, 2]
    assert rollovers(at[:0]).tolist() == []


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("open", math.nan, "open of candle 2"), ("low", 0.0, "low of candle 2"), ("spread", -1.0, "spread of candle 2"),
     ("time", 0, "time of candle 2")],
)  # fmt: skip
def test_bad_candles_are_named(column: str, value: float, expected: str) -> None:
    candles = _candles(PATH)
    getattr(candles, column)[2] = value
    with pytest.raises(InputError, match=expected):
        _run(candles, {1: 1})


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"stop": 0.0}, "stop distance of candle 1"), ({"target": math.nan}, "target distance of candle 1"),
     ({"horizon": 0}, "horizon 0")],
)  # fmt: skip
def test_bad_distances_and_horizons_are_refused(options: dict[str, float], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        _run(_candles(PATH), {1: 1}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{"slippage_pips": -1.0}, {"spread_multiplier": math.nan}, {"pip": 0.0}, {"financing_long": 2.0}]
)
def test_costs_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        CostModel(**options)
