"""Training end to end: the gate lets a planted edge through and nothing else, and all of it is on record."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sep_trader.errors import InputError
from sep_trader.exchange.market.lean import write_market
from sep_trader.history.job import import_path
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.research.costs import CostModel
from sep_trader.research.grid import Grid
from sep_trader.research.job import train
from sep_trader.research.learning import LearnedGrid
from sep_trader.research.registration import register
from sep_trader.research.training import TrainingSpec
from sep_trader.research.walk_forward import WalkForwardPlan
from sep_trader.research.weights import nth_weight
from sep_trader.store.database import Database

START = int(parse_rfc3339("2025-01-06T00:00:00Z").timestamp())


def market(database: Database, folder: Path, edge: float) -> None:
    write_market(folder, ["EUR_USD"], start=START, days=40, seed=3, edge=edge)
    import_path(database, folder / "minute" / "eurusd", "lean", "EUR_USD", Granularity.M1)


def rows(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize(("edge", "verdict"), [(0.0, "UNDECIDABLE"), (0.8, "READY")])
def test_the_gate_tells_an_edge_from_noise(database: Database, tmp_path: Path, edge: float, verdict: str) -> None:
    market(database, tmp_path, edge)
    (result,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    assert result.verdict == verdict, result.reason
    (pair,) = rows(database, "SELECT * FROM trading_pairs")
    assert (pair["verdict"], pair["verdict_reason"], pair["enabled"]) == (verdict, result.reason, False)
    (model,) = rows(database, "SELECT * FROM models")
    assert model["id"] == pair["model_id"] == result.model_id
    assert model["artifact"]["parameters"] == result.parameters.to_json()


def test_the_same_data_gives_the_same_result_and_counts_as_new_trials(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.9)
    (first,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    (second,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    assert second.model_id == first.model_id
    assert second.evidence.p_value == first.evidence.p_value
    assert second.evidence.trials == 2 * first.evidence.trials
    runs = rows(database, "SELECT data_hash, trials, seed FROM research_runs")
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_a_new_verdict_takes_the_right_that_an_older_model_had(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.0)
    train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    with database.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = true, override_by = 'me', override_reason = 'practice'")
    train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    (pair,) = rows(database, "SELECT * FROM trading_pairs")
    assert (pair["enabled"], pair["override_by"]) == (False, None)
    assert "retrained: the new model is" in pair["disabled_reason"]


def test_a_pair_without_candles_is_an_error_and_nothing_is_recorded(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.0)
    with pytest.raises(InputError, match="no M1 candles of USD_JPY"):
        train(database, ["EUR_USD", "USD_JPY"], TrainingSpec(), lambda *_: None)
    assert rows(database, "SELECT 1 FROM research_runs") == []


def test_a_training_that_was_broken_off_goes_on_where_it_was(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.0)
    (first,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    (kept,) = train(database, ["EUR_USD"], TrainingSpec(again=False), lambda *_: None)
    assert kept.device == "kept"
    assert replace(kept, device=first.device) == first
    assert len(rows(database, "SELECT 1 FROM research_ledger")) == 2
    # Other settings are another training, and so is what began and did not finish.
    (other,) = train(database, ["EUR_USD"], TrainingSpec(again=False, slippage_pips=0.4), lambda *_: None)
    assert other.device != "kept"
    assert len(rows(database, "SELECT 1 FROM research_ledger")) == 4


def test_the_table_of_a_verdict_is_on_record(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.8)
    (result,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    (run,) = rows(database, "SELECT evidence FROM research_runs")
    assert run["evidence"]["table"] == [asdict(one) for one in result.table]
    failing = [one.condition for one in result.table if one.passed is False]
    assert failing == ["account, live"], result.table
    assert result.evidence.stability is not None
    assert result.evidence.pbo is not None


def test_a_registered_design_bets_on_what_comes_after_it_alone(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.9)
    grid = Grid(theta_run=(0.3,))
    with database.transaction() as connection:
        design, _ = register(connection, "EUR_USD", Granularity.M1, grid, WalkForwardPlan(), CostModel())
        with pytest.raises(InputError, match="registration-1 of EUR_USD is this design already"):
            register(connection, "EUR_USD", Granularity.M1, grid, WalkForwardPlan(), CostModel())
        with pytest.raises(InputError, match="collapse-M1"):
            register(connection, "EUR_USD", Granularity.M1, Grid(), WalkForwardPlan(), CostModel())
    (result,) = train(database, ["EUR_USD"], TrainingSpec(grid=grid), lambda *_: None)
    (row,) = rows(
        database, "SELECT design, body::jsonb->'account' AS account FROM research_ledger WHERE kind = 'FINISHED'"
    )
    assert row["design"] == design.name == "registration-1"
    # Its candles are older than its row: they are history that nobody pays for.
    assert row["account"]["clean"] == 1.0
    assert row["account"]["value"] > 1_000
    assert result.e_history == 0.0
    assert result.e_forward == pytest.approx(nth_weight(1) / 2)


def test_an_edge_that_was_found_gone_begins_a_new_account(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.8)
    (ready,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    assert ready.verdict == "READY"
    (promise,) = rows(database, "SELECT account->'promise' AS promise FROM trading_pairs")
    assert promise["promise"]["edge_r"] == pytest.approx(ready.evidence.edge_r)
    with database.transaction() as connection:
        connection.execute(
            "UPDATE trading_pairs SET verdict = 'UNDECIDABLE', "
            "decayed_at = (account->>'candles_until')::timestamptz - interval '1 day'"
        )
    (anew,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    assert anew.e_value < ready.e_value
    (row,) = rows(
        database, "SELECT body::jsonb->'account' AS account FROM research_ledger ORDER BY number DESC LIMIT 1"
    )
    since, until = (datetime.fromisoformat(row["account"][name]) for name in ("since", "until"))
    assert until - since == timedelta(days=1)
    assert row["account"]["trades"] < ready.trades
    # What it won since then may be much, and is of a day: a hundred trades are asked for anew.
    assert (anew.verdict, "TOO_FEW_TRADES" in anew.reasons) == ("UNDECIDABLE", True)


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_a_model_that_learns_finds_a_planted_edge(database: Database, tmp_path: Path, kind: str) -> None:
    market(database, tmp_path, 0.9)
    spec = TrainingSpec(grid=LearnedGrid(kind, exits=((8.0, 12.0, 45),)), plan=WalkForwardPlan(min_trades=20))
    (result,) = train(database, ["EUR_USD"], spec, lambda *_: None)
    assert result.trades > 50
    assert result.expectancy_pips > 0
    assert "EXPLORED" in result.reasons, "no design of the catalogue: it books nothing until it is registered"
    (row,) = rows(database, "SELECT artifact FROM models")
    assert Model.from_json(row["artifact"]).id == result.model_id
    (run,) = rows(database, "SELECT evidence->'learned' AS learned FROM research_runs")
    assert run["learned"]["brier"] < run["learned"]["brier_base"]


def test_a_training_that_explores_takes_no_right_and_no_model(database: Database, tmp_path: Path) -> None:
    market(database, tmp_path, 0.8)
    (ready,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    with database.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = true")
    (before,) = rows(database, "SELECT * FROM trading_pairs")
    asked: list[list[str]] = []
    spec = TrainingSpec(grid=Grid(theta_run=(0.36,)))
    (explored,) = train(database, ["EUR_USD"], spec, lambda *_: None, may_withdraw=asked.append)
    assert "EXPLORED" in explored.reasons
    (after,) = rows(database, "SELECT * FROM trading_pairs")
    assert after == before
    assert after["model_id"] == ready.model_id
    assert (after["enabled"], after["verdict"]) == (True, "READY")
    assert asked == [], "nothing was at risk"
    train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None, may_withdraw=asked.append)
    assert asked == [["EUR_USD"]]
    # A pair without a right may take an explored model: somebody may want to try it on practice.
    with database.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = false, verdict = 'NOT_READY'")
    (tried,) = train(database, ["EUR_USD"], spec, lambda *_: None)
    assert rows(database, "SELECT model_id FROM trading_pairs") == [{"model_id": tried.model_id}]


def test_another_design_neither_takes_the_right_nor_the_model_of_one_that_is_ready(
    database: Database, tmp_path: Path
) -> None:
    market(database, tmp_path, 0.8)
    (ready,) = train(database, ["EUR_USD"], TrainingSpec(), lambda *_: None)
    with database.transaction() as connection:
        connection.execute("UPDATE trading_pairs SET enabled = true")
    (before,) = rows(database, "SELECT * FROM trading_pairs")
    asked: list[list[str]] = []
    longer = TrainingSpec(granularity=Granularity.M15)
    (other,) = train(database, ["EUR_USD"], longer, lambda *_: None, may_withdraw=asked.append)
    assert other.verdict != "READY"
    assert "OTHER_DESIGN" in other.reasons or "TOO_FEW_TRADES" in other.reasons
    assert rows(database, "SELECT * FROM trading_pairs") == [before]
    assert asked == []
    assert other.e_value >= ready.threshold, "the pair's account is what it was, and the other design's is booked"
    designs = rows(database, "SELECT design FROM research_ledger WHERE kind = 'FINISHED' ORDER BY number")
    assert [row["design"] for row in designs] == ["collapse-M1", "collapse-M15"]
