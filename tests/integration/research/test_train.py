"""Training end to end: the gate lets a planted edge through and nothing else, and all of it is on record."""

from pathlib import Path
from typing import Any

import pytest

from sep_trader.errors import InputError
from sep_trader.exchange.market.lean import write_market
from sep_trader.history.job import import_path
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research.job import TrainingSpec, train
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
