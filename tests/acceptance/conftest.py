"""What the acceptance tests share."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from tests.support.exchange import launched

from sep_trader.store.database import Database


@pytest.fixture(scope="session")
def exchange_url() -> Iterator[str]:
    """A simulated exchange on the wall clock, as a process of its own."""
    with launched("--token", "right", "--account", "101-001-0000001-001", "--clock", "live", "--seed", "7") as exchange:
        yield exchange.url


@pytest.fixture
def trained(database: Database) -> None:
    """EUR_USD with a model and the verdict NOT READY."""
    run = uuid.uuid4()
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash,"
            " code_version, settings, seed, trials, verdict, reason, evidence)"
            " VALUES (%s, 'EUR_USD', 'M1', now(), now(), 1, '', '', '{}', 1, 1, 'NOT_READY', 'p = 0.41', '{}')",
            (run,),
        )
        connection.execute(
            "INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES ('m1', 'EUR_USD', 'M1', %s, '{}')",
            (run,),
        )
        connection.execute(
            "INSERT INTO trading_pairs (pair, model_id, verdict, verdict_reason)"
            " VALUES ('EUR_USD', 'm1', 'NOT_READY', 'p = 0.41')"
        )
