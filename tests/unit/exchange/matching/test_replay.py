"""The tape in time: candle order, conflated chunks, what a candle query may see, and determinism."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.quotes import ScriptedQuotes

from sep_trader.errors import InputError
from sep_trader.exchange.market.candles import Alignment, CandleQuery, bucket_starts, candles_body, find_candles
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.lean import write_market
from sep_trader.exchange.market.recorded import RecordedQuotes
from sep_trader.exchange.market.seeded import SeededMarket
from sep_trader.exchange.market.sessions import Sessions
from sep_trader.exchange.market.tape import Tape
from sep_trader.exchange.market.terms import offered
from sep_trader.market.granularity import Granularity

EUR = "EUR_USD"
NOON = 1_767_787_200


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("units", "exits", "reason"),
    [
        # Both the stop and the target lie within the candle: the adverse extreme comes first for either side.
        ("1000", ("1.10400", "1.09700"), "STOP_LOSS_ORDER"),
        ("-1000", ("1.09700", "1.10400"), "STOP_LOSS_ORDER"),
        ("1000", ("1.10400", "1.09000"), "TAKE_PROFIT_ORDER"),
        ("-1000", ("1.09700", "1.11000"), "TAKE_PROFIT_ORDER"),
    ],
)
def test_within_a_candle_the_adverse_extreme_comes_first(
    desk: Any, units: str, exits: tuple[str, str], reason: str
) -> None:
    flat = (0, ("1.10000",) * 4, ("1.10010",) * 4)
    wide = (60, ("1.10000", "1.10500", "1.09500", "1.10000"), ("1.10010", "1.10510", "1.09510", "1.10010"))
    d = desk(candles={EUR: [flat, wide]}, hedging=True)
    d.to(59)
    d.order(units=units, takeProfitOnFill={"price": exits[0]}, stopLossOnFill={"price": exits[1]})
    d.to(120)
    assert f"ORDER_FILL:{reason}" in d.kinds(6)


def test_both_sides_of_a_hedged_account_meet_their_own_adverse_extreme_first(desk: Any) -> None:
    flat = (0, ("1.10000",) * 4, ("1.10010",) * 4)
    wide = (60, ("1.10000", "1.10500", "1.09500", "1.10000"), ("1.10010", "1.10510", "1.09510", "1.10010"))
    d = desk(candles={EUR: [flat, wide]}, hedging=True)
    d.to(59)
    d.order(units="1000", takeProfitOnFill={"price": "1.10400"}, stopLossOnFill={"price": "1.09700"})
    d.order(units="-1000", takeProfitOnFill={"price": "1.09700"}, stopLossOnFill={"price": "1.10400"})
    d.to(120)
    fills = [entry["reason"] for entry in d.transactions(10) if entry["type"] == "ORDER_FILL"]
    assert fills == ["STOP_LOSS_ORDER", "STOP_LOSS_ORDER"]


def test_a_candle_opens_through_a_stop_at_its_open(desk: Any) -> None:
    flat = (0, ("1.10000",) * 4, ("1.10010",) * 4)
    gap = (60, ("1.09000", "1.09100", "1.08900", "1.09000"), ("1.09010", "1.09110", "1.08910", "1.09010"))
    d = desk(candles={EUR: [flat, gap]})
    d.to(59)
    d.order(stopLossOnFill={"price": "1.09500"})
    d.to(61)
    assert d.transactions(5)[0]["price"] == "1.09000"


def test_a_forming_candle_shows_what_has_been_quoted_and_nothing_more() -> None:
    quotes = [(NOON + 1, "1.10000", "1.10010"), (NOON + 30, "1.10100", "1.10110"), (NOON + 50, "1.09000", "1.09010")]
    tape = Tape(ScriptedQuotes({EUR: quotes}))
    query = CandleQuery(Granularity.M1, "BA", 5)
    now = (NOON + 40) * SECOND
    body = candles_body(offered(EUR), query, find_candles(tape, EUR, query, now), now)["candles"]
    assert body == [
        {
            "complete": False,
            "volume": 2,
            "time": "2026-01-07T12:00:00.000000000Z",
            "bid": {"o": "1.10000", "h": "1.10100", "l": "1.10000", "c": "1.10100"},
            "ask": {"o": "1.10010", "h": "1.10110", "l": "1.10010", "c": "1.10110"},
        }
    ]
    now = (NOON + 60) * SECOND
    done = candles_body(offered(EUR), query, find_candles(tape, EUR, query, now), now)["candles"][0]
    assert (done["complete"], done["bid"]["l"]) == (True, "1.09000")
    assert len(find_candles(tape, EUR, query, NOON * SECOND)) == 0


@pytest.mark.parametrize(
    ("granularity", "when", "start"),
    [
        ("D", "2026-01-07T12:00:00", "2026-01-06T22:00:00"),
        ("D", "2026-07-07T12:00:00", "2026-07-06T21:00:00"),
        ("H4", "2026-01-07T12:00:00", "2026-01-07T10:00:00"),
        ("H4", "2026-07-07T12:00:00", "2026-07-07T09:00:00"),
        ("W", "2026-01-07T12:00:00", "2026-01-02T22:00:00"),
        ("M", "2026-01-07T12:00:00", "2025-12-31T22:00:00"),
        ("M15", "2026-01-07T12:16:01", "2026-01-07T12:15:00"),
    ],
)
def test_candles_are_aligned_as_the_broker_aligns_them(granularity: str, when: str, start: str) -> None:
    times = np.array([seconds(when)], np.int64)
    assert bucket_starts(Granularity(granularity), times, Alignment())[0] == seconds(start)


def test_coarser_candles_are_made_of_finer_ones() -> None:
    tape = Tape(SeededMarket(3, NOON))
    now = (NOON + 7 * 3600) * SECOND
    minutes = find_candles(tape, EUR, CandleQuery(Granularity.M1, count=None, start=NOON * SECOND), now)
    for granularity in (Granularity.M5, Granularity.H1):
        rows = find_candles(tape, EUR, CandleQuery(granularity, count=None, start=NOON * SECOND), now)
        for row in rows[:-1]:
            part = minutes[(minutes[:, 0] >= row[0]) & (minutes[:, 0] < row[0] + granularity.seconds)]
            assert row[1:5].tolist() == [part[0, 1], part[:, 2].max(), part[:, 3].min(), part[-1, 4]]
            assert row[9] == part[:, 9].sum()


def test_count_from_and_include_first() -> None:
    tape, now = Tape(SeededMarket(3, NOON)), (NOON + 7200) * SECOND
    every = find_candles(tape, EUR, CandleQuery(Granularity.M1, count=None, start=NOON * SECOND), now)[:, 0].tolist()
    some = find_candles(tape, EUR, CandleQuery(Granularity.M1, count=3, start=(NOON + 30) * SECOND), now)
    assert some[:, 0].tolist() == every[:3]
    later = CandleQuery(Granularity.M1, count=3, start=NOON * SECOND, include_first=False)
    assert find_candles(tape, EUR, later, now)[:, 0].tolist() == every[1:4]
    before = CandleQuery(Granularity.M1, count=2, end=(NOON + 600) * SECOND)
    assert find_candles(tape, EUR, before, now)[:, 0].tolist() == [NOON + 480, NOON + 540]
    weekend = seconds("2026-01-11T12:00:00") * SECOND
    newest = find_candles(tape, EUR, CandleQuery(Granularity.M1, count=1), weekend)
    assert newest[0, 0] == seconds("2026-01-09T21:57:00")


def test_real_ticks_and_candles_are_replayed_to_the_last(data_dir: Path) -> None:
    source = RecordedQuotes([data_dir / "lean-oanda"], ["EUR_USD", "NZD_USD"])
    tape = Tape(source)
    day = seconds("2014-05-06T00:00:00")
    ticks, minutes = (source.points(name, day // 86_400) for name in ("EUR_USD", "NZD_USD"))
    assert ticks is not None and minutes is not None
    block = tape.block_after(day * SECOND - 1)
    assert block is not None
    assert len(block.time) == len(ticks.time) + len(minutes.time) // 4 * 6
    assert (np.diff(block.time) >= 0).all()
    rows = tape.rows("EUR_USD", 60, day, day + 86_400, 1 << 62)
    assert rows[:, 9].sum() == len(ticks.time)
    hours = find_candles(tape, EUR, CandleQuery(Granularity.H1, count=24 * 40), (day + 3600) * SECOND)
    assert len(hours) == 24 * 40 and (np.diff(hours[:, 0]) > 0).all()


def test_the_same_seed_makes_the_same_market_whatever_is_asked_first(tmp_path: Path) -> None:
    one, two = Tape(SeededMarket(7, NOON)), Tape(SeededMarket(7, NOON))
    late = two.rows(EUR, 60, NOON + 7200, NOON + 10_800, 1 << 62)
    assert (one.rows(EUR, 60, NOON, NOON + 10_800, 1 << 62)[-len(late) :] == late).all()
    assert not (Tape(SeededMarket(8, NOON)).rows(EUR, 60, NOON + 7200, NOON + 10_800, 1 << 62) == late).all()
    assert write_market(tmp_path / "a", [EUR], NOON, 2, 7) == write_market(tmp_path / "b", [EUR], NOON, 2, 7) == 2
    for file in (tmp_path / "a").rglob("*.zip"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_a_planted_edge_makes_minutes_go_on() -> None:
    def continuing(edge: float) -> float:
        tape = Tape(SeededMarket(7, NOON, [EUR], edge=edge))
        rows = tape.rows(EUR, 60, NOON, NOON + 5 * 86_400, 1 << 62)
        moves = np.sign(np.diff(rows[:, 4] + rows[:, 8]))
        runs = (moves[1:-1] == moves[:-2]) & (moves[1:-1] != 0)
        return float((moves[2:][runs] == moves[1:-1][runs]).mean())

    assert continuing(0.0) < 0.53
    assert continuing(0.4) > 0.62


def test_the_seeded_market_has_fat_tails_regimes_and_a_wide_rollover() -> None:
    tape = Tape(SeededMarket(7, NOON, [EUR]))
    rows = tape.rows(EUR, 60, NOON, NOON + 12 * 86_400, 1 << 62)
    spread, hour = rows[:, 8] - rows[:, 4], rows[:, 0] % 86_400 // 60
    rollover = spread[(hour >= 21 * 60 + 50) & (hour < 22 * 60 + 10)].mean()
    assert rollover > 2 * np.median(spread)
    moves = np.diff(np.log(rows[:, 4] + rows[:, 8]))
    assert ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2 > 4
    hourly = [part.std() for part in np.array_split(moves, len(moves) // 240)]
    assert max(hourly) > 3 * min(hourly)


def test_a_market_that_never_closes_is_quoted_at_the_weekend() -> None:
    saturday = seconds("2026-01-10T12:00:00")
    assert len(Tape(SeededMarket(7, saturday, [EUR], sessions=Sessions(always=True))).rows(
        EUR, 60, saturday, saturday + 600, 1 << 62
    )) == 10  # fmt: skip
    assert not len(Tape(SeededMarket(7, saturday, [EUR])).rows(EUR, 60, saturday, saturday + 600, 1 << 62))


@pytest.mark.parametrize("broken", ["missing", "empty", "garbage", "columns"])
def test_unusable_data_is_one_line_of_error(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "minute" / "eurusd"
    if broken != "missing":
        folder.mkdir(parents=True)
    if broken == "garbage":
        (folder / "20260105_quote.zip").write_bytes(b"no zip")
    if broken == "columns":
        import zipfile

        with zipfile.ZipFile(folder / "20260105_quote.zip", "w") as archive:
            archive.writestr("x.csv", "0,1.1,1.2\n")
    with pytest.raises(InputError) as error:
        source = RecordedQuotes([tmp_path / "nowhere" if broken == "missing" else tmp_path])
        source.points(EUR, source.first_second // 86_400)
    assert "\n" not in str(error.value)
