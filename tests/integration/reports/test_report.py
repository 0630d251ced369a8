"""A report states what the store gives again, and nothing that was changed passes for it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.candles import random_walk
from tests.support.reports import backtest_page, training_page

from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339
from sep_trader.reports import live, portfolio
from sep_trader.reports.figures import differences
from sep_trader.reports.page import page_of, report_in
from sep_trader.reports.source import build, find_target
from sep_trader.research.exploring import explore, set_of
from sep_trader.research.training import TrainingSpec
from sep_trader.store import candles as store
from sep_trader.store.database import Database


@pytest.fixture
def walked(database: Database) -> Database:
    """A store with a random walk of EUR_USD."""
    store.load(database, replace(random_walk(14_000, 4), spread=np.full(14_000, 2e-6)))
    return database


@pytest.mark.parametrize("made", [backtest_page, training_page])
def test_every_figure_is_reproduced(walked: Database, tmp_path: Path, made: object) -> None:
    path: Path = made(walked, tmp_path)  # type: ignore[operator]
    stated = report_in(path)
    again = build(walked, find_target(walked, stated["manifest"]["run"]))
    assert differences(stated, again) == []
    assert path.stat().st_size < 1_000_000
    assert stated["statistics"]["trades"] == stated["trades"]["all"] > 10
    assert sum(one["sum"] for one in stated["monthly"]) == pytest.approx(stated["statistics"]["net_pips"], abs=0.05)
    for group in ("by_hour", "by_weekday", "by_reason", "by_side"):
        assert sum(one["pips"] for one in stated[group]) == pytest.approx(stated["statistics"]["net_pips"], abs=0.2)
    by_spread = {one["multiple"]: one["expectancy_pips"] for one in stated["sensitivity"]}
    assert by_spread[1.0] == pytest.approx(stated["statistics"]["expectancy_pips"], abs=1e-3)
    assert by_spread[3.0] < by_spread[0.5]
    assert not re.search(r"https?://(?!www.w3.org|www.apache.org|www.tradingview.com)", _own(path.read_text()))


def _own(page: str) -> str:
    """The page without the scripts of others, whose comments name their homes."""
    return re.sub(r"<script>.*?</script>", "", page, flags=re.S)


def test_a_changed_figure_is_named(walked: Database, tmp_path: Path) -> None:
    path = backtest_page(walked, tmp_path)
    stated = report_in(path)
    text = path.read_text()
    wins = stated["statistics"]["wins"]
    path.write_text(text.replace(f'"wins":{wins}', f'"wins":{wins + 1}'))
    found = differences(report_in(path), build(walked, find_target(walked, stated["manifest"]["run"])))
    assert found == [f"statistics.wins: {wins + 1}, then {wins}"]


def test_other_candles_and_other_files_are_told(walked: Database, tmp_path: Path) -> None:
    path = backtest_page(walked, tmp_path)
    run = report_in(path)["manifest"]["run"]
    with walked.transaction() as connection:
        connection.execute(
            "UPDATE market_candles SET close = close + 0.00001 WHERE time = (SELECT max(time) FROM market_candles)"
        )
    with pytest.raises(InputError, match="are not those of the run"):
        build(walked, find_target(walked, run))
    with pytest.raises(InputError, match="no finished run or backtest"):
        find_target(walked, "GBP_USD")
    path.write_text(path.read_text()[:1_000])
    with pytest.raises(InputError, match="is no report, or was cut"):
        report_in(path)


def test_a_portfolio_adds_up(walked: Database, tmp_path: Path) -> None:
    store.load(walked, replace(random_walk(14_000, 5, pair="GBP_USD"), spread=np.full(14_000, 2e-6)))
    spec = TrainingSpec(slippage_pips=0.0, financing=0.0)
    made = [
        explore(walked, pair, set_of(name, {}), spec)
        for pair, name in (("EUR_USD", "donchian_breakout"), ("GBP_USD", "donchian_breakout"), ("EUR_USD", "sma_cross"))
    ]
    targets = [find_target(walked, str(one.run_id)) for one in made]
    told = portfolio.build(walked, targets)
    assert told["statistics"]["trades"] == sum(one.backtest.statistics.trades for one in made)
    assert told["statistics"]["net_pips"] == pytest.approx(sum(one.backtest.statistics.net_pips for one in made))
    assert (
        told["statistics"]["max_drawdown_pips"] <= sum(one.backtest.statistics.max_drawdown_pips for one in made) + 1e-6
    )
    rows = told["correlation"]["rows"]
    assert [rows[at][at] for at in range(3)] == [1.0, 1.0, 1.0]
    assert rows[0][1] == rows[1][0]
    assert set(told["exposure"]["currencies"]) == {"EUR", "GBP", "USD"}
    # Every open trade holds one currency and owes another.
    sums = np.sum([told["exposure"]["currencies"][one] for one in ("EUR", "GBP", "USD")], axis=0)
    assert not sums.any()
    # Two strategies of one pair are told apart.
    assert {(p, m) for p, m in zip(told["trades"]["pair"], told["trades"]["model"], strict=True)} == {
        (one.pair, str(one.run_id)[:8]) for one in targets
    }
    page = tmp_path / "all.html"
    page.write_text(page_of(told))
    assert page.stat().st_size < 1_000_000
    assert differences(report_in(page), portfolio.build(walked, targets)) == []


def test_live_trading_is_what_the_books_say(walked: Database, tmp_path: Path) -> None:
    with walked.transaction() as connection:
        connection.execute(
            "INSERT INTO trading_signals (id, pair, granularity, candle_time, side, confidence, metrics, "
            "stop_distance, horizon, expires_at, origin, status, reason_code, reason, decided_at) VALUES "
            "('00000000-0000-4000-8000-000000000009', 'EUR_USD', 'M1', '2026-01-05T10:00Z', 1, 1, '{}', "
            "0.001, interval '1 hour', '2026-01-05T11:00Z', 'probe', 'EXECUTED', 'FILLED', 'filled', now())"
        )
        connection.execute(
            "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, "
            "intent_transaction_id, expected_price, stop_distance, trade_id, entry_time, entry_price, exit_time, "
            "exit_price, exit_reason, gross_pl, financing) VALUES ('00000000-0000-4000-8000-000000000009', 'a', "
            "'EUR_USD', 'sep-9', 'CLOSED', -1000, '2026-01-05T10:01Z', 1, 1.1, 0.001, 1, '2026-01-05T10:01Z', 1.1, "
            "'2026-01-05T10:31Z', 1.0995, 'HORIZON', 0.5, -0.05)"
        )
    span = parse_rfc3339("2026-01-05T00:00:00Z"), parse_rfc3339("2026-01-06T00:00:00Z")
    told = live.build(walked, *span)
    assert told["statistics"]["trades"] == 1
    assert told["statistics"]["net_pips"] == pytest.approx(4.5), "5 pips less a tenth for financing"
    assert told["money"]["net"] == pytest.approx(0.45)
    assert told["trades"]["money"] == [0.45]
    page = tmp_path / "live.html"
    page.write_text(page_of(told))
    assert differences(report_in(page), live.build(walked, *span)) == []
    nothing = live.build(walked, parse_rfc3339("2020-01-05T00:00:00Z"), parse_rfc3339("2020-01-06T00:00:00Z"))
    assert nothing["statistics"]["trades"] == 0
    assert page_of(nothing)
