"""A report states what the store gives again, and nothing that was changed passes for it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.candles import random_walk
from tests.support.reports import backtest_page, training_page

from sep_trader.errors import InputError
from sep_trader.reports.figures import differences
from sep_trader.reports.page import report_in
from sep_trader.reports.source import build, find_target
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
